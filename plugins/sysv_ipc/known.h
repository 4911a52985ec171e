/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that were seen, since when, and which of them the host was told of. */
#ifndef SYSV_IPC_KNOWN_H
#define SYSV_IPC_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

struct sysv_known {
	UT_hash_handle hh;
	uint64_t key;
	uint64_t seen_ns;       /* the scan that saw it last */
	uint64_t first_boot_ns; /* CLOCK_BOOTTIME of the scan that saw it first */
	uint64_t idle_since_ns; /* the monotonic clock proves no more: it may have been used until then */
	int64_t used_s;         /* as last seen */
	bool told;
};

struct sysv_known_table {
	struct sysv_known *head;
};

#define SYSV_KNOWN_MAX 1048576

/* What names the object for as long as it lives; its id is used again, its creation with it is not. */
uint64_t sysv_known_key(uint32_t ipcns, uint32_t kind, int32_t id);

struct sysv_known *sysv_known_find(const struct sysv_known_table *table, uint64_t key); /* NULL: not there */
struct sysv_known *sysv_known_add(struct sysv_known_table *table, uint64_t key);        /* NULL: no room */
void sysv_known_remove(struct sysv_known_table *table, struct sysv_known *known);
void sysv_known_fini(struct sysv_known_table *table);

#endif
