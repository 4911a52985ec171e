/* SPDX-License-Identifier: Apache-2.0 */
/* Who is kept out: the threads that wait at this moment, and who was refused. */
#ifndef FLOCK_WAITS_H
#define FLOCK_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain.h"
#include "flock.h"
#include "look.h"

struct fl_waiting {
	struct fl_inode inode;
	struct fl_wait wait;
	int32_t tid; /* FL_REFUSED: it was refused, last at wait.last_ns */
	bool posix;
	bool standing; /* it waited already when the tracepoints were attached; wait.since_ns is that moment */
};

struct fl_waits {
	struct fl_waiting *items; /* sorted by inode */
	size_t count, capacity;
	bool lost; /* a waiter may have been forgotten that still waits: a survey finds it */
};

/* Takes all from the kernel that waits now, or was refused within `memory_ns`; forgets the rest. */
int fl_waits_read(struct fl_waits *waits, const struct fl_kernel *kernel, uint64_t now_ns, uint64_t memory_ns);

/* Those that a survey met, as waiting since `since_ns`; the map does not have them. */
int fl_waits_add_standing(struct fl_waits *waits, const struct fl_records *waiters, uint64_t since_ns);

/* Those at one inode. */
const struct fl_waiting *fl_waits_of(const struct fl_waits *waits, uint64_t inode, uint32_t dev, size_t *ret_count);

/* Drops those from before the start that a look at their inode did not meet: they wait for another lock by now. */
void fl_waits_confirm(struct fl_waits *waits, const struct fl_records *waiters);

/* Whether `waiting` is kept out by `lock`; the refused count when it was within `memory_ns`. */
bool fl_waiting_counts(const struct fl_waiting *waiting, const struct fl_record *lock, uint64_t now_ns,
		       uint64_t memory_ns);

void fl_waits_fini(struct fl_waits *waits);

#endif
