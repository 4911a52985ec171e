/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stddef.h>
#include <time.h>

static const uint64_t *override;

static uint64_t clock_read(clockid_t id)
{
	struct timespec at = {0};

	clock_gettime(id, &at);
	return (uint64_t)at.tv_sec * UINT64_C(1000000000) + (uint64_t)at.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return override ? *override : clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

void clock_override(const uint64_t *now_ns)
{
	override = now_ns;
}
