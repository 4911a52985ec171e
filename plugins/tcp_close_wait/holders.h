/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds the sockets: the descriptors that one pass over all processes found. */
#ifndef TCP_CLOSE_WAIT_HOLDERS_H
#define TCP_CLOSE_WAIT_HOLDERS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

struct cw_holders {
	int fd;                   /* of the pass under way; -1 when there is none */
	struct cw_holding *items; /* sorted by id, then process, once the pass is complete */
	size_t count, capacity;
};

/* Starts a pass; what it looks for was told to the kernel before. */
int cw_holders_begin(struct cw_holders *holders, const struct cw_kernel *kernel);

/* Reads until `until_ns` (of clock_gettime(CLOCK_MONOTONIC)): 1 when more is to be read, 0 when complete, -errno. */
int cw_holders_read(struct cw_holders *holders, uint64_t until_ns);

/* The holdings of one id (see struct cw_holding); at most INT32_MAX. */
const struct cw_holding *cw_holders_of(const struct cw_holders *holders, uint64_t id, size_t *ret_count);

/* A digest of the processes, to see whether they changed. */
uint32_t cw_holders_digest(const struct cw_holding *held, size_t count);

/* Of the processes with descriptors among `held`: CW_HOLDER_* of any one. */
uint32_t cw_holders_flags(const struct cw_holding *held, size_t count);

/* How many processes there are. */
size_t cw_holders_processes(const struct cw_holding *held, size_t count);

/* When any one of the processes last went on after a stop; 0: never. */
uint64_t cw_holders_continued(const struct cw_holding *held, size_t count);

/* As /proc/PID/stat shows it. */
uint64_t cw_holding_start_ticks(const struct cw_holding *holding);

void cw_holders_fini(struct cw_holders *holders);

#endif
