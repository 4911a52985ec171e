/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#include <check.h>
#include <stdlib.h>

#include "clock.h"

#define SECOND UINT64_C(1000000000)
#define START (1000 * SECOND)

START_TEST(burst_first)
{
	struct rate rate;

	rate_init(&rate, 100, 1000, START);
	ck_assert_uint_eq(rate_tokens(&rate, START), 1000);
	rate_take(&rate, 1000);
	ck_assert_uint_eq(rate_tokens(&rate, START), 0);
	ck_assert_uint_eq(rate_tokens(&rate, START + SECOND), 100);
	/* Full is full, however long it waits, also where a product of both would overflow. */
	ck_assert_uint_eq(rate_tokens(&rate, START + 400000000 * SECOND), 1000);
}
END_TEST

/* Asked every 7 ms or every nanosecond that matters: to the second, the rate is kept and none is lost. */
START_TEST(nothing_lost_by_asking_often)
{
	static const uint64_t steps[] = {1, 999, 7000000, 333333333, SECOND};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t now = START, taken = 0, rounds = 0;
		struct rate rate;

		rate_init(&rate, 3, 10, START);
		rate_take(&rate, 10);
		while (rounds++ < 100000 && now < START + 100 * SECOND) {
			uint64_t tokens;

			now += steps[i];
			tokens = rate_tokens(&rate, now);
			taken += tokens;
			rate_take(&rate, tokens);
		}
		ck_assert_uint_eq(taken, (now - START) * 3 / SECOND);
	}
}
END_TEST

START_TEST(when_is_exact)
{
	static const struct {
		uint64_t per_second, burst, count, want_ns;
	} cases[] = {
		{100, 1000, 1, SECOND / 100}, {100, 1000, 10, SECOND / 10},
		{3, 10, 1, SECOND / 3 + 1},   {1, 1, 5, SECOND},
		{0, 10, 1, CLOCK_NEVER},      {100, 1000, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t when, want = cases[i].want_ns == CLOCK_NEVER ? CLOCK_NEVER : START + cases[i].want_ns;
		struct rate rate;

		rate_init(&rate, cases[i].per_second, cases[i].burst, START);
		rate_take(&rate, cases[i].burst);
		when = rate_when(&rate, cases[i].count, START);
		ck_assert_uint_eq(when, want);
		if (when == CLOCK_NEVER || !cases[i].count)
			continue;
		ck_assert_uint_lt(rate_tokens(&rate, when - 1),
				  cases[i].count < cases[i].burst ? cases[i].count : cases[i].burst);
		ck_assert_uint_ge(rate_tokens(&rate, when),
				  cases[i].count < cases[i].burst ? cases[i].count : cases[i].burst);
	}
}
END_TEST

START_TEST(limits_change)
{
	struct rate rate;

	rate_init(&rate, 100, 1000, START);
	rate_set(&rate, 10, 50, START);
	ck_assert_uint_eq(rate_tokens(&rate, START), 50);
	rate_take(&rate, 50);
	ck_assert_uint_eq(rate_tokens(&rate, START + SECOND), 10);
	/* A clock that goes back gives nothing and takes nothing. */
	ck_assert_uint_eq(rate_tokens(&rate, START), 10);
	rate_take(&rate, 11);
	ck_assert_uint_eq(rate_tokens(&rate, START), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rate");
	TCase *tests = tcase_create("rate");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, burst_first);
	tcase_add_test(tests, nothing_lost_by_asking_often);
	tcase_add_test(tests, when_is_exact);
	tcase_add_test(tests, limits_change);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
