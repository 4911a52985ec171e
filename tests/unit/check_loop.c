/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

static struct loop *loop;
static uint64_t now_ns;
static int calls, other_calls;
static int pipes[2][2];

static void setup(void)
{
	now_ns = 1000;
	calls = other_calls = 0;
	ck_assert_int_eq(loop_new(&loop), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pipe(pipes[i]), 0);
	clock_override(&now_ns);
}

static void teardown(void)
{
	clock_override(NULL);
	loop_free(loop);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
}

static void count_call(void *arg)
{
	(void)arg;
	calls++;
}

static void again_at_once(void *arg)
{
	struct loop_deadline *self = arg;

	other_calls++;
	self->when_ns = 0;
}

static void read_one(int fd, uint32_t events, void *arg)
{
	char byte;

	ck_assert(events & EPOLLIN);
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	++*(int *)arg;
}

static void unwatch_other(int fd, uint32_t events, void *arg)
{
	(void)events;
	(void)arg;
	calls++;
	ck_assert_int_eq(loop_unwatch(loop, fd == pipes[0][0] ? pipes[1][0] : pipes[0][0]), 0);
	ck_assert_int_eq(loop_unwatch(loop, fd), 0);
}

START_TEST(deadlines_in_time_and_once)
{
	struct loop_deadline due = {.fn = count_call}, later = {.fn = count_call};

	loop_deadline_add(loop, &due);
	loop_deadline_add(loop, &later);
	ck_assert_uint_eq(due.when_ns, CLOCK_NEVER);
	due.when_ns = 1000;
	later.when_ns = 1001;
	loop_round(loop);
	ck_assert_int_eq(calls, 1);
	ck_assert_uint_eq(due.when_ns, CLOCK_NEVER);
	ck_assert_uint_eq(later.when_ns, 1001);
	now_ns = 1001;
	loop_round(loop);
	ck_assert_int_eq(calls, 2);
	later.when_ns = 5;
	loop_deadline_remove(loop, &later);
	due.when_ns = 5;
	loop_round(loop);
	ck_assert_int_eq(calls, 3);
}
END_TEST

/* Work in slices has its turn once a round; neither a descriptor nor another deadline waits for its end. */
START_TEST(slices_starve_nobody)
{
	struct loop_deadline busy = {.fn = again_at_once, .arg = &busy}, other = {.fn = count_call};
	int read_count = 0;

	loop_deadline_add(loop, &other);
	loop_deadline_add(loop, &busy);
	ck_assert_int_eq(loop_watch(loop, pipes[0][0], EPOLLIN, read_one, &read_count), 0);
	busy.when_ns = 0;
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(write(pipes[0][1], "x", 1), 1);
		other.when_ns = 900;
		loop_round(loop);
		ck_assert_int_eq(other_calls, i + 1);
		ck_assert_int_eq(calls, i + 1);
		ck_assert_int_eq(read_count, i + 1);
	}
	ck_assert_uint_eq(loop_wakeups(loop), 0);
}
END_TEST

START_TEST(watches)
{
	int count = 0;

	ck_assert_int_eq(loop_watch(loop, pipes[0][0], EPOLLIN, read_one, &count), 0);
	ck_assert_int_eq(loop_watch(loop, pipes[0][0], EPOLLIN, read_one, &count), -EEXIST);
	ck_assert_int_eq(loop_watch(loop, -1, EPOLLIN, read_one, &count), -EBADF);
	ck_assert_int_eq(loop_unwatch(loop, pipes[1][0]), -ENOENT);
	ck_assert_int_eq(write(pipes[0][1], "xy", 2), 2);
	loop_round(loop);
	loop_round(loop);
	ck_assert_int_eq(count, 2);
	ck_assert_int_eq(loop_unwatch(loop, pipes[0][0]), 0);
	ck_assert_int_eq(loop_unwatch(loop, pipes[0][0]), -ENOENT);
	ck_assert_int_eq(loop_watch(loop, pipes[0][0], EPOLLIN, read_one, &count), 0);
}
END_TEST

/* Both are ready in one turn; the first to be served takes the other out. */
START_TEST(no_event_after_unwatch)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(loop_watch(loop, pipes[i][0], EPOLLIN, unwatch_other, NULL), 0);
		ck_assert_int_eq(write(pipes[i][1], "x", 1), 1);
	}
	loop_round(loop);
	ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(the_timer_wakes)
{
	struct loop_deadline soon = {.fn = count_call};
	uint64_t start;

	clock_override(NULL);
	loop_deadline_add(loop, &soon);
	start = clock_now_ns();
	soon.when_ns = start + 20000000;
	while (!calls)
		ck_assert_int_eq(loop_round(loop), 0);
	ck_assert_uint_ge(clock_now_ns(), start + 20000000);
	ck_assert_uint_le(loop_wakeups(loop), 2);
}
END_TEST

static void on_signal(int number, void *arg)
{
	(void)arg;
	ck_assert_int_eq(number, SIGUSR1);
	loop_stop(loop);
}

START_TEST(signals_in_the_loop)
{
	ck_assert_int_eq(loop_signals(loop, on_signal, NULL), 0);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert(loop_stopped(loop));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tests = tcase_create("loop");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, deadlines_in_time_and_once);
	tcase_add_test(tests, slices_starve_nobody);
	tcase_add_test(tests, watches);
	tcase_add_test(tests, no_event_after_unwatch);
	tcase_add_test(tests, the_timer_wakes);
	tcase_add_test(tests, signals_in_the_loop);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
