/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define SECOND UINT64_C(1000000000)
#define START (1000 * SECOND)
#define GRACE (5 * SECOND)

/* The numbers stand for pidfds; nothing is opened, so fini() is not called with them inside. */
#define FD 1000

static struct breaker breaker;

static void setup(void)
{
	breaker_init(&breaker, 3, 10 * SECOND, GRACE);
}

START_TEST(failures_within_the_window)
{
	static const struct {
		uint64_t at_s[5];
		int count, trips_at; /* -1: never */
	} cases[] = {
		{{0, 1, 2}, 3, 2},   {{0, 0, 0}, 3, 2},       {{0, 5, 10}, 3, 2},
		{{0, 5, 11}, 3, -1}, {{0, 11, 12, 13}, 4, 3}, {{0, 6, 12, 18, 24}, 5, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup();
		for (int j = 0; j < cases[i].count; j++)
			ck_assert_int_eq(breaker_failed(&breaker, START + cases[i].at_s[j] * SECOND),
					 j == cases[i].trips_at);
		ck_assert_int_eq(breaker.tripped, cases[i].trips_at >= 0);
	}
	setup();
	for (int i = 0; i < 3; i++)
		breaker_failed(&breaker, START);
	ck_assert_str_eq(breaker.reason, "3 reapings failed within 10 s");
	ck_assert_msg(!breaker_failed(&breaker, START), "it trips once");
}
END_TEST

START_TEST(zero_never_trips)
{
	breaker_set(&breaker, 0, 10 * SECOND, GRACE);
	for (int i = 0; i < 2000; i++)
		ck_assert(!breaker_failed(&breaker, START));
}
END_TEST

START_TEST(resume_forgets_failures)
{
	for (int i = 0; i < 3; i++)
		breaker_failed(&breaker, START);
	breaker_resume(&breaker);
	ck_assert(!breaker.tripped);
	ck_assert(!breaker_failed(&breaker, START));
	ck_assert(!breaker_failed(&breaker, START));
	ck_assert(breaker_failed(&breaker, START));
}
END_TEST

static void add(int fd, int32_t pid, uint64_t reaped_ns)
{
	struct breaker_owner owner = {.pid = pid, .start_ticks = 7, .name = "server"};

	ck_assert_int_eq(breaker_owner_add(&breaker, fd, &owner), -1);
	if (reaped_ns)
		breaker_owner_reaped(&breaker, pid, 7, reaped_ns);
}

START_TEST(owner_dies)
{
	static const struct {
		uint64_t reaped_ns, after_ns;
		struct breaker_end end;
		bool trips;
		const char *reason;
	} cases[] = {
		{START, SECOND, {0}, true, "owner server (pid 42) died 1000 ms after one of its resources was reaped"},
		{START,
		 0,
		 {true, SIGPIPE},
		 true,
		 "owner server (pid 42) was killed by signal 13 0 ms after one of its resources was reaped"},
		{START,
		 GRACE,
		 {true, 3 << 8},
		 true,
		 "owner server (pid 42) exited with 3 5000 ms after one of its resources was reaped"},
		{START, GRACE + 1, {true, SIGPIPE}, false, ""},
		{START, SECOND, {true, 0}, false, ""},   /* an orderly end */
		{0, SECOND, {true, SIGPIPE}, false, ""}, /* nothing of it was reaped */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup();
		add(FD, 42, cases[i].reaped_ns);
		ck_assert_int_eq(breaker_owner_died(&breaker, FD, cases[i].end, START + cases[i].after_ns),
				 cases[i].trips);
		ck_assert_str_eq(breaker.reason, cases[i].reason);
		ck_assert_msg(!breaker_owner_watched(&breaker, 42, 7), "case %zu: still under watch", i);
	}
	ck_assert(!breaker_owner_died(&breaker, FD + 1, (struct breaker_end){0}, START));
}
END_TEST

START_TEST(grace_ends_and_begins_anew)
{
	ck_assert_uint_eq(breaker_next(&breaker), CLOCK_NEVER);
	add(FD, 1, START);
	add(FD + 1, 2, START + SECOND);
	ck_assert_uint_eq(breaker_next(&breaker), START + GRACE + 1);
	breaker_owner_reaped(&breaker, 1, 7, START + 2 * SECOND);
	breaker_owner_reaped(&breaker, 1, 8, START + 3 * SECOND); /* another process with that pid */
	ck_assert_uint_eq(breaker_next(&breaker), START + SECOND + GRACE + 1);
	ck_assert_int_eq(breaker_expired(&breaker, START + SECOND + GRACE), -1);
	ck_assert_int_eq(breaker_expired(&breaker, START + SECOND + GRACE + 1), FD + 1);
	ck_assert_int_eq(breaker_expired(&breaker, START + SECOND + GRACE + 1), -1);
	ck_assert(breaker_owner_watched(&breaker, 1, 7));
}
END_TEST

START_TEST(the_oldest_gives_way)
{
	struct breaker_owner one_more = {.pid = 999, .start_ticks = 7, .reaped_ns = START + 100 * SECOND};

	for (int i = 0; i < BREAKER_OWNERS_MAX; i++)
		add(FD + i, 1 + i, START + (uint64_t)((i + 10) % BREAKER_OWNERS_MAX) * SECOND);
	ck_assert_int_eq(breaker_owner_add(&breaker, 1, &one_more), FD + BREAKER_OWNERS_MAX - 10);
	ck_assert(breaker_owner_watched(&breaker, 999, 7));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("breaker");
	TCase *tests = tcase_create("breaker");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, failures_within_the_window);
	tcase_add_test(tests, zero_never_trips);
	tcase_add_test(tests, resume_forgets_failures);
	tcase_add_test(tests, owner_dies);
	tcase_add_test(tests, grace_ends_and_begins_anew);
	tcase_add_test(tests, the_oldest_gives_way);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
