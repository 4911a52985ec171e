/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "known.h"

#include <stdlib.h>

/* splitmix64: 32 bits of the namespace, 31 of the id (which carries a sequence number) and 2 of the kind in 64. */
uint64_t sysv_known_key(uint32_t ipcns, uint32_t kind, int32_t id)
{
	uint64_t x = ((uint64_t)ipcns << 32 | (uint32_t)id) + (kind + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

struct sysv_known *sysv_known_find(const struct sysv_known_table *table, uint64_t key)
{
	struct sysv_known *known;

	HASH_FIND(hh, table->head, &key, sizeof(key), known);
	return known;
}

struct sysv_known *sysv_known_add(struct sysv_known_table *table, uint64_t key)
{
	struct sysv_known *known;

	if (HASH_COUNT(table->head) >= SYSV_KNOWN_MAX)
		return NULL;
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->key = key;
	HASH_ADD(hh, table->head, key, sizeof(known->key), known);
	if (!known->hh.tbl) {
		free(known);
		return NULL;
	}
	return known;
}

void sysv_known_remove(struct sysv_known_table *table, struct sysv_known *known)
{
	HASH_DEL(table->head, known);
	free(known);
}

void sysv_known_fini(struct sysv_known_table *table)
{
	struct sysv_known *known, *next;

	HASH_ITER (hh, table->head, known, next)
		sysv_known_remove(table, known);
}
