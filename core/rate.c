/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include "clock.h"

#define TOKEN UINT64_C(1000000000)

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static void rate_refill(struct rate *rate, uint64_t now_ns)
{
	uint64_t full = rate->burst * TOKEN, elapsed_ns = now_ns - rate->seen_ns;

	if (now_ns <= rate->seen_ns)
		return;
	rate->seen_ns = now_ns;
	if (!rate->per_second)
		return;
	/* One nanosecond is worth per_second billionths of a token. Compared by division: the product may overflow. */
	if (elapsed_ns > (full - rate->credit) / rate->per_second)
		rate->credit = full;
	else
		rate->credit += elapsed_ns * rate->per_second;
}

void rate_init(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_ns)
{
	*rate = (struct rate){.per_second = at_most(per_second, RATE_MAX), .burst = at_most(burst, RATE_MAX)};
	rate->credit = rate->burst * TOKEN;
	rate->seen_ns = now_ns;
}

void rate_set(struct rate *rate, uint64_t per_second, uint64_t burst, uint64_t now_ns)
{
	rate_refill(rate, now_ns);
	rate->per_second = at_most(per_second, RATE_MAX);
	rate->burst = at_most(burst, RATE_MAX);
	rate->credit = at_most(rate->credit, rate->burst * TOKEN);
}

uint64_t rate_tokens(struct rate *rate, uint64_t now_ns)
{
	rate_refill(rate, now_ns);
	return rate->credit / TOKEN;
}

void rate_take(struct rate *rate, uint64_t count)
{
	rate->credit -= at_most(count, rate->credit / TOKEN) * TOKEN;
}

uint64_t rate_when(struct rate *rate, uint64_t count, uint64_t now_ns)
{
	uint64_t want = at_most(count, rate->burst) * TOKEN;

	rate_refill(rate, now_ns);
	if (rate->credit >= want)
		return now_ns;
	if (!rate->per_second)
		return CLOCK_NEVER;
	return rate->seen_ns + (want - rate->credit + rate->per_second - 1) / rate->per_second;
}
