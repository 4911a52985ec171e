/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket on the monotonic clock. Integers only: no token is lost or won by rounding, however often it is asked. */
#ifndef CORE_RATE_H
#define CORE_RATE_H

#include <stdint.h>

struct rate {
	uint64_t per_second; /* 0: nothing is added once the burst is spent */
	uint64_t burst;      /* tokens that the bucket holds */
	uint64_t credit;     /* in 1/1,000,000,000 of a token */
	uint64_t seen_ns;    /* up to here time has been turned into credit */
};

#define RATE_MAX UINT64_C(1000000000) /* bound of per_second and burst: larger values are cut */

/* A full bucket. */
void rate_init(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_ns);

/* Other limits, what was saved up stays, as far as the new burst holds it. */
void rate_set(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_ns);

/* Whole tokens that are there now. */
uint64_t rate_tokens(struct rate *rate, uint64_t now_ns);

/* Takes `count` of those that rate_tokens() said. */
void rate_take(struct rate *rate, uint64_t count);

/* The moment at which `count` tokens (cut to the burst) will be there; CLOCK_NEVER when that never comes. */
uint64_t rate_when(struct rate *rate, uint64_t count, uint64_t now_ns);

#endif
