/* SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

void map_prune(int map, size_t value_size, bool (*keep)(const void *key, const void *value, void *arg), void *arg)
{
	_Alignas(8) char key[MAP_KEY_MAX], next[MAP_KEY_MAX];
	void *value = malloc(value_size);
	int end = value ? bpf_map_get_next_key(map, NULL, next) : -1;

	while (end == 0) {
		memcpy(key, next, sizeof(key));
		end = bpf_map_get_next_key(map, key, next);
		if (bpf_map_lookup_elem(map, key, value) == 0 && !keep(key, value, arg))
			bpf_map_delete_elem(map, key);
	}
	free(value);
}

int set_add(int map, const uint32_t *wanted, size_t count)
{
	uint8_t yes = 1;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = bpf_map_update_elem(map, &wanted[i], &yes, BPF_ANY);
	return r;
}

struct wanted {
	const uint32_t *items;
	size_t count;
};

static bool is_wanted(const void *key, const void *value, void *arg)
{
	const struct wanted *wanted = arg;

	(void)value;
	for (size_t i = 0; i < wanted->count; i++)
		if (memcmp(&wanted->items[i], key, sizeof(wanted->items[i])) == 0)
			return true;
	return false;
}

void set_keep(int map, const uint32_t *wanted, size_t count)
{
	map_prune(map, sizeof(uint8_t), is_wanted, &(struct wanted){wanted, count});
}
