/* SPDX-License-Identifier: Apache-2.0 */
/* The judgement of tcp_close_wait: the very header that runs in the kernel under the socket's lock. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "tcp_close_wait.h"

#define S 1000000000ULL
#define TIMEOUT (60 * S)
#define SLACK (S / 50)

/* A socket that everything condemns; each case changes what it is about. */
static struct cw_observation ghost(void)
{
	return (struct cw_observation){.sock = 1,
				       .cookie = 2,
				       .age_ns = TIMEOUT,
				       .silence_ns = TIMEOUT,
				       .rqueue = 1,
				       .inode = 3,
				       .state = CW_TCP_CLOSE_WAIT,
				       .flags = CW_ACCEPTED};
}

static enum cw_verdict judged(struct cw_observation seen)
{
	return cw_judge(&seen, TIMEOUT, SLACK);
}

START_TEST(condemns_what_is_old_silent_empty_and_accepted)
{
	ck_assert_int_eq(judged(ghost()), CW_GHOST);
}
END_TEST

START_TEST(never_early)
{
	struct cw_observation seen = ghost();

	seen.age_ns = TIMEOUT - 1;
	ck_assert_int_eq(judged(seen), CW_TOO_YOUNG);
	seen.silence_ns = 30 * 86400 * S;
	ck_assert_int_eq(judged(seen), CW_TOO_YOUNG);
}
END_TEST

START_TEST(silence_may_fall_short_by_its_resolution_only)
{
	struct cw_observation seen = ghost();

	seen.silence_ns = TIMEOUT - SLACK;
	ck_assert_int_eq(judged(seen), CW_GHOST);
	seen.silence_ns = TIMEOUT - SLACK - 1;
	ck_assert_int_eq(judged(seen), CW_NOT_SILENT);
	seen.age_ns = 1000 * TIMEOUT; /* however long it streams to a client that half-closed */
	ck_assert_int_eq(judged(seen), CW_NOT_SILENT);
	seen.silence_ns = 0;
	ck_assert_int_eq(judged(seen), CW_NOT_SILENT);
}
END_TEST

static const struct {
	uint8_t state;
	uint8_t flags;
	uint32_t wqueue;
	enum cw_verdict verdict;
} sparing[] = {
	{1 /* ESTABLISHED */, CW_ACCEPTED, 0, CW_LEFT},
	{9 /* LAST_ACK: close() came between look and kill, HAZARDS 2 */, CW_ACCEPTED, 4096, CW_LEFT},
	{7 /* CLOSE */, CW_ACCEPTED, 0, CW_LEFT},
	{CW_TCP_CLOSE_WAIT, CW_ACCEPTED, 1, CW_UNSENT},
	{CW_TCP_CLOSE_WAIT, 0, 0, CW_UNACCEPTED},
	{CW_TCP_CLOSE_WAIT, CW_ACCEPTED | CW_MPTCP, 0, CW_IS_MPTCP},
	{CW_TCP_CLOSE_WAIT, CW_ACCEPTED | CW_MPTCP | CW_ULP, 0, CW_IS_MPTCP},
	{CW_TCP_CLOSE_WAIT, CW_ACCEPTED | CW_REPAIR, 0, CW_IN_REPAIR},
	{CW_TCP_CLOSE_WAIT, CW_ACCEPTED | CW_ULP, 0, CW_HAS_ULP},
	{CW_TCP_CLOSE_WAIT, CW_ACCEPTED | CW_KERNEL, 0, CW_IN_KERNEL},
};

START_TEST(spares)
{
	struct cw_observation seen = ghost();

	seen.state = sparing[_i].state;
	seen.flags = sparing[_i].flags;
	seen.wqueue = sparing[_i].wqueue;
	ck_assert_int_eq(judged(seen), sparing[_i].verdict);
}
END_TEST

START_TEST(only_one_combination_of_flags_is_a_ghost)
{
	for (unsigned int flags = 0; flags < 256; flags++) {
		struct cw_observation seen = ghost();

		seen.flags = (uint8_t)flags;
		ck_assert_int_eq(judged(seen) == CW_GHOST, (flags & 31) == CW_ACCEPTED);
	}
}
END_TEST

START_TEST(ticks_are_a_lower_bound)
{
	static const struct {
		uint32_t now, then;
		uint64_t ns;
	} cases[] = {
		{100, 100, 0},
		{101, 100, 0}, /* may have been a moment ago */
		{102, 100, 4000000},
		{100, 101, 0},                /* read on another processor a little later */
		{3, 0xfffffffe, 4 * 4000000}, /* jiffies wrap, first five minutes after the start */
		{0x80000000, 0, 0x7fffffffULL * 4000000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(cw_ticks_ns(cw_ticks_since(cases[i].now, cases[i].then), 4000000), cases[i].ns);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close_wait_judge");
	TCase *test = tcase_create("judge");
	SRunner *runner;
	int failed;

	tcase_add_test(test, condemns_what_is_old_silent_empty_and_accepted);
	tcase_add_test(test, never_early);
	tcase_add_test(test, silence_may_fall_short_by_its_resolution_only);
	tcase_add_loop_test(test, spares, 0, sizeof(sparing) / sizeof(sparing[0]));
	tcase_add_test(test, only_one_combination_of_flags_is_a_ghost);
	tcase_add_test(test, ticks_are_a_lower_bound);
	suite_add_tcase(suite, test);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
