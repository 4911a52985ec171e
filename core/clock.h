/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the core, behind a seam: tests put their own in. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

/* CLOCK_MONOTONIC in nanoseconds, the clock of bpf_ktime_get_ns(). */
uint64_t clock_now_ns(void);

/* CLOCK_REALTIME in nanoseconds since 1970, for what people and machines read; never to decide anything. */
uint64_t clock_wall_ns(void);

/* For tests: clock_now_ns() returns *now_ns from here on; NULL gives the real clock back. */
void clock_override(const uint64_t *now_ns);

#endif
