/* SPDX-License-Identifier: Apache-2.0 */
/* One look at the wanted inodes: their locks, who waits, and every descriptor and mapping of them. */
#ifndef FLOCK_LOOK_H
#define FLOCK_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flock.h"
#include "kernel.h"

struct fl_records {
	struct fl_record *items;
	size_t count, capacity;
};

struct fl_look {
	int fd;                     /* of the pass under way; -1 */
	struct fl_records holdings; /* sorted by file, then process, once the look is complete */
	struct fl_records locks;
	struct fl_records waiters;
	struct fl_records crowded; /* inodes with more locks than a look shows */
};

/* Begins a pass; what was read before stays. */
int fl_look_begin(struct fl_look *look, const struct fl_kernel *kernel, enum fl_pass pass);

/* Reads until `until_ns` (CLOCK_MONOTONIC): 1 when more is to be read, 0 when the pass is complete, -errno. */
int fl_look_read(struct fl_look *look, uint64_t until_ns);

/* After the last pass: sorts. */
void fl_look_settle(struct fl_look *look, const struct fl_kernel *kernel);

/* All passes at once. */
int fl_look_whole(struct fl_look *look, const struct fl_kernel *kernel);

/* Whether the inode has more locks than the look shows. */
bool fl_look_is_crowded(const struct fl_look *look, const struct fl_record *lock);

/* The holdings of one open file. */
const struct fl_record *fl_look_holdings(const struct fl_look *look, uint64_t file, size_t *ret_count);

void fl_look_clear(struct fl_look *look); /* forgets what was read, keeps the memory */
void fl_look_fini(struct fl_look *look);

#endif
