/* SPDX-License-Identifier: Apache-2.0 */
/* sock_diag: to look, to look again at one exact socket, and to destroy it, where the iterators cannot. */
#ifndef TCP_CLOSE_WAIT_DIAG_H
#define TCP_CLOSE_WAIT_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp_close_wait.h"

/* A netlink socket for the network namespace of the calling thread. */
int cw_diag_open(void);

/* Whether the kernel has tcp_diag, which it may load as a module when it is asked: 0, -ENOENT, another -errno. */
int cw_diag_probe(void);

/* A dump under way. The first four are the caller's, the others begin as 0. */
struct cw_dump {
	int fd; /* nobody else's for as long as it takes */
	uint64_t tick_ns;
	int (*take)(struct cw_observation *seen, void *arg);
	void *arg;
	uint8_t family, tries; /* of IPv4 and IPv6 the one under way, and how often it was repeated */
	bool asked;            /* it is under way */
	bool again;            /* it is not whole: interrupted by the kernel, or a part found no room */
	uint32_t sequence;
};

/*
 * Gives every socket in CLOSE_WAIT to `take`, without its age, its key in the map and its namespace, as many at a time as the
 * kernel tells at once (about a hundred): 1 when there are more, 0 when all were given. -ENOENT: the kernel has no tcp_diag. A
 * dump that the kernel interrupts is repeated, a few times, and then some are given twice: -EINTR when it never was whole,
 * -ENOBUFS when the kernel had no room to go on: the socket is of no use then.
 */
int cw_diag_dump_on(struct cw_dump *dump);

/* The same, all at once. */
int cw_diag_dump(int fd, uint64_t tick_ns, int (*take)(struct cw_observation *seen, void *arg), void *arg);

/* One question about one exact socket, named by tuple and cookie: never by the tuple alone. */
struct cw_diag_ask {
	const struct cw_tuple *tuple;
	uint64_t cookie;
	int error;                  /* answer: 0, -ENOENT (gone, or another socket has the tuple), or another -errno */
	struct cw_observation seen; /* answer of cw_diag_get() */
};

/*
 * Both put many questions into one message. 0: each ask has its own answer; -errno: none of those still -EINPROGRESS. What
 * found no room in the socket is asked again; but nothing is destroyed twice: an ask without an answer counts as done.
 */
int cw_diag_get(int fd, uint64_t tick_ns, struct cw_diag_ask *asks, size_t count);
int cw_diag_destroy(int fd, struct cw_diag_ask *asks, size_t count);

#endif
