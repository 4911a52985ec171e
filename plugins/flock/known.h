/* SPDX-License-Identifier: Apache-2.0 */
/* Contended locks that were seen before: since when, and whether the host was told. */
#ifndef FLOCK_KNOWN_H
#define FLOCK_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

struct fl_known {
	uint64_t key;
	uint64_t first_ns; /* start of the sweep that saw it first */
	uint64_t seen_ns;  /* ... and last */
	bool told;
	UT_hash_handle hh;
};

struct fl_known_table {
	struct fl_known *head;
};

struct fl_known *fl_known_find(const struct fl_known_table *table, uint64_t key); /* NULL */
struct fl_known *fl_known_add(struct fl_known_table *table, uint64_t key);        /* found or new; NULL: no memory */
void fl_known_remove(struct fl_known_table *table, struct fl_known *known);
void fl_known_fini(struct fl_known_table *table);

#endif
