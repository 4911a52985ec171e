/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that were seen, since when they are proven to be unused, and which of them the host was told of. */
#ifndef SYSV_IPC_KNOWN_H
#define SYSV_IPC_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "object.h"

struct sysv_person;

struct sysv_known {
	UT_hash_handle hh;
	uint64_t key;
	uint32_t ipcns, kind;
	int32_t id;
	bool told;
	bool orphaned;          /* a scan has found nobody alive who may have made it */
	bool forgotten;         /* it became so when who had ended was lost; of a set or queue */
	uint64_t seen_ns;       /* the scan that saw it last */
	uint64_t first_ns;      /* the scan that saw it first */
	uint64_t first_boot_ns; /* the same, by CLOCK_BOOTTIME */
	uint64_t idle_since_ns; /* the monotonic clock proves no more: it may have been used until then */
	int64_t used_s;         /* as last seen */
	struct sysv_person
		*creator; /* owned; of a set or queue: who may have made it, and has ended; NULL: not known */
	uint32_t creator_candidates; /* how many may have */
};

struct sysv_known_table {
	struct sysv_known *head;
};

#define SYSV_KNOWN_MAX 1048576

/* The begin of a scan, by three clocks. */
struct sysv_moment {
	uint64_t now_ns; /* monotonic */
	uint64_t wall_ns, boot_ns;
	uint64_t complete_ns; /* when the last look at all that is in scope now began; 0: there was none */
	bool set;             /* the wall clock was set since the scan before */
};

/* What is known of the wall clock over the scans. */
struct sysv_clocks {
	int64_t offset_ns; /* wall clock less CLOCK_BOOTTIME */
	bool known;
	bool ever_set; /* seen to have been set, at any time */
};

/* Fills moment->set. A clock that is adjusted in small steps has been set when they add up. */
void sysv_clocks_see(struct sysv_clocks *clocks, struct sysv_moment *moment);

/* The object, as this scan sees it; NULL: no room. */
struct sysv_known *sysv_known_see(struct sysv_known_table *table, uint32_t ipcns, const struct sysv_object *object,
				  const struct sysv_moment *moment);

/* How long it is unused, proven; as of the scan that saw it last. */
uint64_t sysv_known_unused_ns(const struct sysv_known *known, const struct sysv_moment *moment);

/* When it was made, by CLOCK_BOOTTIME, at the latest. */
uint64_t sysv_known_made_ns(const struct sysv_known *known, const struct sysv_object *object,
			    const struct sysv_clocks *clocks, const struct sysv_moment *moment);

/*
 * What names the object: its id with creation, creator and size. A namespace's number is used again as soon as it is free,
 * and the first id of each namespace is 0.
 */
uint64_t sysv_known_key(uint32_t ipcns, const struct sysv_object *object);

struct sysv_known *sysv_known_find(const struct sysv_known_table *table, uint64_t key); /* NULL: not there */
void sysv_known_remove(struct sysv_known_table *table, struct sysv_known *known);
void sysv_known_fini(struct sysv_known_table *table);

#endif
