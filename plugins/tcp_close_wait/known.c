/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "known.h"

#include <stdlib.h>

struct cw_known *cw_known_find(const struct cw_known_table *table, uint64_t cookie)
{
	struct cw_known *known;

	HASH_FIND(hh, table->head, &cookie, sizeof(cookie), known);
	return known;
}

struct cw_known *cw_known_add(struct cw_known_table *table, uint64_t cookie)
{
	struct cw_known *known = cw_known_find(table, cookie);

	if (known)
		return known;
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->cookie = cookie;
	HASH_ADD(hh, table->head, cookie, sizeof(known->cookie), known);
	if (!known->hh.tbl) {
		free(known);
		return NULL;
	}
	return known;
}

void cw_known_remove(struct cw_known_table *table, struct cw_known *known)
{
	HASH_DEL(table->head, known);
	free(known);
}

void cw_known_fini(struct cw_known_table *table)
{
	struct cw_known *known, *next;

	HASH_ITER (hh, table->head, known, next)
		cw_known_remove(table, known);
}
