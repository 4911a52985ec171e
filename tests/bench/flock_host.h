/* SPDX-License-Identifier: Apache-2.0 */
/* The flock plugin without a daemon around it: loaded from the build tree, with a host that only counts. */
#ifndef TESTS_BENCH_FLOCK_HOST_H
#define TESTS_BENCH_FLOCK_HOST_H

#include <stdint.h>

#include <eghostbuster/plugin.h>

#define FLOCK_FILES "/run/flock_bench." /* what the benchmarks lock, and the whole scope */

struct flock_host {
	const struct gb_plugin *plugin;
	void *state; /* of the open plugin */
};

extern unsigned long flock_host_told; /* ghosts, and suspects that were spared */

void flock_host_open(struct flock_host *host); /* with a timeout of 1 s and no rules */
void flock_host_close(struct flock_host *host);

/* One whole scan in slices as the daemon has them; in seconds. */
double flock_host_scan(const struct flock_host *host, uint32_t flags);

#endif
