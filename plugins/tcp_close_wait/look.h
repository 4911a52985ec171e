/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the sockets of one network namespace after another: by the iterator, or by a sock_diag dump. */
#ifndef TCP_CLOSE_WAIT_LOOK_H
#define TCP_CLOSE_WAIT_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"
#include "kernel.h"
#include "tcp_close_wait.h"

struct cw;
struct gb_ns;

struct cw_look {
	int fd;              /* of the namespace under way: an iterator or a netlink socket; -1 */
	struct cw_dump dump; /* where that is a netlink socket */
	uint32_t netns, fin_timeout_ms;
	struct cw_observation *seen;
	size_t count, capacity;
	struct cw_entry *entries; /* of the map, sorted by tuple: a dump does not know what the tracepoint saw */
	size_t entry_count, entry_capacity;
};

/* Opens the look into one namespace; -ESRCH when it is gone. */
int cw_look_begin(struct cw *cw, const struct gb_ns *ns);

/* Adds to `seen` until `until_ns`: 1 when more is to be read, 0 when the namespace is complete, -errno. */
int cw_look_read(struct cw *cw, uint64_t until_ns);

void cw_look_clear(struct cw_look *look); /* keeps nothing */

/* tcp_fin_timeout of the calling thread's namespace: a dump does not tell. */
uint32_t cw_fin_timeout_ms(void);

#endif
