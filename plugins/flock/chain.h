/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for whom: a process waits for a lock that another holds, which waits for the next. */
#ifndef FLOCK_CHAIN_H
#define FLOCK_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_CHAIN_MAX 16

struct fl_edge {
	int32_t waiter, holder;
	uint64_t since_ns;
	uint64_t inode; /* of the file that it waits for */
	uint32_t dev;
	uint32_t reserved;
};

struct fl_chain {
	const struct fl_edge *steps[FL_CHAIN_MAX]; /* each one's holder is the next one's waiter */
	size_t count;
	bool cycle; /* the last one's holder is one of the waiters in it */
	bool cut;   /* it goes on */
};

/* The chain that begins with `first`; of several locks that a process waits for, the one it waits for longest. */
void fl_chain_follow(const struct fl_edge *edges, size_t count, const struct fl_edge *first,
		     struct fl_chain *ret_chain);

#endif
