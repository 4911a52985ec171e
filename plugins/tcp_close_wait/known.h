/* SPDX-License-Identifier: Apache-2.0 */
/* What was told to the host about a socket, and must be taken back when the socket recovers. */
#ifndef TCP_CLOSE_WAIT_KNOWN_H
#define TCP_CLOSE_WAIT_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "policy.h"
#include "tcp_close_wait.h"

/* The last report, as far as an explanation needs it. */
struct cw_told {
	struct cw_policy policy;
	struct cw_tuple tuple;
	const char *reason;   /* a constant; NULL: it was a ghost */
	uint32_t holders;     /* processes */
	int32_t pid, fd;      /* one of them: a way into the namespace; pid 0, fd -1: none */
	uint64_t start_ticks; /* of `pid` */
	uint32_t inode;
	bool reported;
};

struct cw_known {
	uint64_t cookie;
	uint64_t sock;       /* 0: not in the map, found by sock_diag alone */
	uint64_t seen_ns;    /* start of the sweep that saw it last */
	uint64_t due_ns;     /* not to be judged before; only where the map cannot say it */
	uint64_t resumed_ns; /* when a sweep first saw its holders run again; 0: never seen paused */
	uint32_t netns;
	bool paused;
	bool unanswered;           /* probed, and the peer said nothing */
	uint8_t alive;             /* how many probes in a row it answered */
	uint64_t probe_started_ns; /* 0: no probe is under way */
	int32_t pid, fd;           /* the holder by which a probe was begun; fd -1: by the iterator */
	struct cw_told told;
	UT_hash_handle hh;
};

struct cw_known_table {
	struct cw_known *head;
};

struct cw_known *cw_known_find(const struct cw_known_table *table, uint64_t cookie); /* NULL */
struct cw_known *cw_known_add(struct cw_known_table *table, uint64_t cookie);        /* found or new; NULL: no memory */
void cw_known_remove(struct cw_known_table *table, struct cw_known *known);
void cw_known_fini(struct cw_known_table *table);

#endif
