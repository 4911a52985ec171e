/* SPDX-License-Identifier: Apache-2.0 */
/* BPF hash maps, from user space. */
#ifndef PLUGINS_SUPPORT_MAP_H
#define PLUGINS_SUPPORT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_KEY_MAX 64

/*
 * Deletes every element that `keep` does not want. `value_size` as the map has it; keys of at most MAP_KEY_MAX bytes. Without
 * memory for a value nothing is deleted.
 */
void map_prune(int map, size_t value_size, bool (*keep)(const void *key, const void *value, void *arg), void *arg);

/*
 * A map of u32 to u8 as a set: first all wanted are added, then what is not wanted is removed, so that in between the programs
 * miss none. -errno of the kernel.
 */
int set_add(int map, const uint32_t *wanted, size_t count);
void set_keep(int map, const uint32_t *wanted, size_t count);

#endif
