/* SPDX-License-Identifier: Apache-2.0 */
#include "map_queue.h"

#include <stddef.h>

#include <bpf/bpf.h>

void map_queue_flush(struct map_queue *queue)
{
	uint32_t at = 0;

	while (at < queue->count) {
		uint32_t done = queue->count - at;
		int r = queue->adds
				? bpf_map_update_batch(queue->map, queue->keys + at, queue->values + at, &done, NULL)
				: bpf_map_delete_batch(queue->map, queue->keys + at, &done, NULL);

		if (r == 0)
			break;
		at += done + 1; /* the one behind those that are done */
	}
	queue->count = 0;
}

void map_queue_put(struct map_queue *queue, int map, bool add, uint64_t key, uint8_t value)
{
	if (queue->count == MAP_QUEUE_MAX || queue->adds != add || queue->map != map)
		map_queue_flush(queue);
	queue->map = map;
	queue->adds = add;
	queue->keys[queue->count] = key;
	queue->values[queue->count++] = value;
}
