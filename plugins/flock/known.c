/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "known.h"

#include <stdlib.h>

struct fl_known *fl_known_find(const struct fl_known_table *table, uint64_t key)
{
	struct fl_known *known;

	HASH_FIND(hh, table->head, &key, sizeof(key), known);
	return known;
}

struct fl_known *fl_known_add(struct fl_known_table *table, uint64_t key)
{
	struct fl_known *known = fl_known_find(table, key);

	if (known)
		return known;
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

void fl_known_remove(struct fl_known_table *table, struct fl_known *known)
{
	HASH_DEL(table->head, known);
	free(known);
}

void fl_known_fini(struct fl_known_table *table)
{
	struct fl_known *known, *next;

	HASH_ITER (hh, table->head, known, next)
		fl_known_remove(table, known);
}
