/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of a map of u64 to u8 that wait to be put into it or taken out, so that many go in one system call. */
#ifndef PLUGINS_SUPPORT_MAP_QUEUE_H
#define PLUGINS_SUPPORT_MAP_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define MAP_QUEUE_MAX 4096

/* Zeroed is empty. */
struct map_queue {
	int map;
	bool adds; /* else they are taken out */
	uint32_t count;
	uint64_t keys[MAP_QUEUE_MAX];
	uint8_t values[MAP_QUEUE_MAX];
};

/* They come to the kernel in this order, by the next flush at the latest. `value` does not matter where it is taken out. */
void map_queue_put(struct map_queue *queue, int map, bool add, uint64_t key, uint8_t value);

/* One that finds no room, or is not there, is passed over. */
void map_queue_flush(struct map_queue *queue);

#endif
