/* SPDX-License-Identifier: Apache-2.0 */
/* From a report to its end: what becomes of a plugin's ghosts. */
#include "../refuse.h"
#include "fake_plugin.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static struct exemption exemption;

START_TEST(found_and_reaped_once)
{
	char pid[32];

	start(3);
	ck_assert_uint_eq(fake.scans, 1);
	ck_assert_uint_eq(fake.flags, GB_SCAN_FIRST);
	ck_assert_int_eq(seen, 1);
	ck_assert_uint_eq(fake.reaped, 3);
	ck_assert_uint_eq(fake.reaps, 1);
	snprintf(pid, sizeof(pid), "\"pid\":%d", getpid());
	ck_assert_uint_eq(lines("ghost.found", pid), 3);
	ck_assert_uint_eq(lines("ghost.reaped", pid), 3);
	ck_assert_uint_eq(plugin->tally.total.of[GHOST_EVENT_REAPED], 3);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 0);
	ck_assert_int_eq(fake.nested, -EINVAL);
	ck_assert_ptr_nonnull(ghost_ring_find(&engine.finished, plugin->ghosts.plugin, 2));
}
END_TEST

START_TEST(in_slices)
{
	fake.slice = 10;
	start(100);
	ck_assert_uint_eq(fake.slices, 10);
	ck_assert_uint_eq(fake.scans, 1);
	ck_assert_uint_eq(fake.reaps, 10);
	ck_assert_uint_eq(fake.largest, 100);
	ck_assert_uint_eq(fake.reaped, 100);
}
END_TEST

/* A detail is the plugin's until the next callback, and yet in the journal of each slice. */
START_TEST(details_of_slices)
{
	fake.slice = 1;
	fake.outcome = GB_SPARED;
	fake.detail = "proof-gone";
	start(4);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"proof-gone\""), 4);
	ck_assert_uint_eq(plugin->ghosts.queued, 0);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 4);
}
END_TEST

START_TEST(the_rate_is_kept_and_nothing_lost)
{
	uint32_t reaps;

	start(1500);
	ck_assert_uint_eq(fake.reaped, 1000);
	ck_assert_uint_eq(plugin->ghosts.queued, 500);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + SECOND / 10);
	reaps = fake.reaps;
	for (int i = 1; i <= 4; i++) {
		for (int j = 0; j < 1000; j++)
			pass(SECOND / 1000);
		ck_assert_uint_eq(fake.reaped, 1000 + 100 * (uint32_t)i);
	}
	ck_assert_uint_eq(fake.reaps, reaps + 40);
	pass(2 * SECOND);
	ck_assert_uint_eq(fake.reaped, 1500);
	ck_assert_uint_eq(plugin->ghosts.queued, 0);
	ck_assert_uint_eq(lines("ghost.reaped", ""), 1500);
	ck_assert_uint_eq(lines("ghost.found", ""), 1500);
}
END_TEST

START_TEST(healed_in_the_queue)
{
	settings.burst = settings.rate = 1;
	plugin_guard_changed(plugin);
	start(3);
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert_int_eq(fake.host->heal(fake.host, 2), 0);
	ck_assert_int_eq(fake.host->heal(fake.host, 77), 0);
	fake.gone[2] = true;
	ck_assert_uint_eq(lines("ghost.healed", "fake-2"), 1);
	pass(10 * SECOND);
	ck_assert_uint_eq(fake.reaped, 2);
	ck_assert_uint_eq(lines("ghost.reaped", "fake-2"), 0);
}
END_TEST

START_TEST(observe_never_reaps)
{
	engine.guard.observe = true;
	start(5);
	pass(TIMEOUT);
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.scans, 3);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.found", ""), 5);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"observe\""), 5);
	ck_assert_str_eq(plugin_state_text(plugin), "observe");
	/* A reload to reap: what was spared is judged again, without a new scan. */
	engine.guard.observe = false;
	plugin_guard_changed(plugin);
	settle();
	ck_assert_uint_eq(fake.reaped, 5);
	ck_assert_uint_eq(lines("ghost.found", ""), 5);
}
END_TEST

START_TEST(observed_while_queued)
{
	settings.burst = settings.rate = 1;
	plugin_guard_changed(plugin);
	start(3);
	engine.guard.observe = true;
	plugin_guard_changed(plugin);
	ck_assert_uint_eq(plugin->ghosts.queued, 0);
	pass(100 * SECOND);
	ck_assert_uint_eq(fake.reaped, 1);
}
END_TEST

START_TEST(exempt_and_report)
{
	exemption = (struct exemption){.port = {8000, 8000}, .owner = {.uid = -1}};
	settings.exempt = (struct gb_groups){&exemption, 1, sizeof(exemption)};
	start(2);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"exempt\""), 2);
	settings.exempt.count = 0;
	fake.action = "report";
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"report\""), 2);
	fake.action = "destroy";
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaped, 2);
}
END_TEST

/* Who held it is gone: it is named, and an exemption of it holds. */
START_TEST(of_a_former_owner)
{
	fake.former = "crashed";
	fake.holder = 0;
	exemption = (struct exemption){.port = {1, 0}, .owner = {.uid = -1, .comm = "crashed"}};
	settings.exempt = (struct gb_groups){&exemption, 1, sizeof(exemption)};
	start(2);
	ck_assert_uint_eq(fake.reaped, 0);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"exempt\""), 2);
	settings.exempt.count = 0;
	plugin_guard_changed(plugin);
	settle();
	ck_assert_uint_eq(fake.reaped, 2);
	ck_assert_uint_eq(lines("ghost.reaped", "\"comm\":\"crashed\",\"uid\":0,\"ended\":true"), 2);
}
END_TEST

/* The owner is looked at once more right before: here it became exempt while it waited. */
START_TEST(judged_again_before_the_reaping)
{
	settings.burst = settings.rate = 1;
	plugin_guard_changed(plugin);
	start(3);
	ck_assert_uint_eq(fake.reaped, 1);
	exemption = (struct exemption){.port = {1, 0}, .owner = {.uid = -1, .comm = "check_plugin"}};
	settings.exempt = (struct gb_groups){&exemption, 1, sizeof(exemption)};
	pass(5 * SECOND);
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert_uint_eq(lines("ghost.spared", "which check_plugin["), 2);
}
END_TEST

START_TEST(a_holder_that_is_gone)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	fake.holder = child;
	start(1);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.spared", "holder-gone"), 1);
	fake.holder = 0; /* a kind without holders */
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaped, 1);
}
END_TEST

START_TEST(spared_by_policy)
{
	fake.spare_for = "holder-stopped";
	start(2);
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.spared", "holder-stopped"), 2);
	ck_assert_uint_eq(lines("ghost.found", ""), 0);
	fake.spare_for = "peer-alive";
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.spared", "peer-alive"), 2);
	fake.spare_for = NULL;
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.found", ""), 2);
	ck_assert_uint_eq(fake.reaped, 2);
}
END_TEST

START_TEST(failures_trip_the_breaker)
{
	fake.outcome = GB_FAILED;
	fake.reap_item_error = -ENOENT;
	start(3);
	ck_assert_uint_eq(lines("ghost.failed", "\"errno\":2"), 3);
	ck_assert(!plugin->breaker.tripped);
	pass(SECOND); /* not tried again before the next scan */
	ck_assert_uint_eq(fake.reaps, 1);
	settings.failure_window_ns = 1000 * SECOND;
	plugin_guard_changed(plugin);
	pass(TIMEOUT);
	ck_assert(plugin->breaker.tripped);
	ck_assert_str_eq(plugin_state_text(plugin), "tripped");
	ck_assert_uint_eq(lines("guard.tripped", "5 reapings failed"), 1);
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaps, 2);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"breaker\""), 3);
	fake.outcome = GB_REAPED;
	ck_assert(plugin_resume(plugin));
	ck_assert(!plugin_resume(plugin));
	settle();
	ck_assert_uint_eq(fake.reaped, 3);
}
END_TEST

START_TEST(reap_that_errs_fails_what_is_pending)
{
	fake.reap_error = -EPERM;
	start(2);
	ck_assert_uint_eq(lines("ghost.failed", "\"errno\":1"), 2);
	ck_assert_str_eq(plugin_state_text(plugin), "running");
	fake.reap_error = 0;
	fake.leave_pending = true;
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.failed", "Protocol error"), 2);
}
END_TEST

/* A child holds the ghosts; it dies within the grace period after the reaping. */
START_TEST(an_owner_that_dies_trips_the_breaker)
{
	pid_t child = fork();
	int rounds = 0;

	if (child == 0) {
		pause();
		_exit(0);
	}
	fake.holder = child;
	start(1);
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert(!plugin->breaker.tripped);
	ck_assert_int_eq(kill(child, _i ? SIGPIPE : SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	now_ns += _i == 2 ? 6 * SECOND : SECOND;
	/* The deadline of the watch itself is due in the last case. */
	for (plugin->next_scan_ns = 0; rounds < 3; rounds++) {
		plugin->step.when_ns = 0;
		loop_round(engine.loop);
	}
	ck_assert_int_eq(plugin->breaker.tripped, _i != 2);
	if (_i != 2)
		ck_assert_uint_eq(lines("guard.tripped", _i ? "was killed by signal 13" : "was killed by signal 9"), 1);
	ck_assert_uint_eq(fake.ends, 0); /* the kernel told */
	waitpid(child, NULL, 0);
}
END_TEST

static const struct {
	int error, status;
	bool deaf; /* a plugin that cannot be asked */
	bool trips;
	const char *message;
} told[] = {
	{0, SIGPIPE, false, true, "was killed by signal 13 0 ms after"},
	{0, 3 << 8, false, true, "exited with 3 0 ms after"},
	{0, 0, false, false, ""},
	{-ENOENT, SIGPIPE, false, true, ") died 0 ms after"},
	{0, SIGPIPE, true, true, ") died 0 ms after"},
};

/* The owner's parent waits at once, and the kernel keeps nothing. */
START_TEST(a_plugin_knows_how_an_owner_ended)
{
	static struct gb_plugin slots; /* until teardown() */
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(refuse_pidfd_info(), 0);
	slots = callbacks;
	slots.ended = told[_i].deaf ? NULL : slots.ended;
	fake.holder = child;
	fake.end_error = told[_i].error;
	fake.end_status = told[_i].status;
	fake.count = 1;
	ck_assert_int_eq(plugin_open(plugin, &slots, NULL), 0);
	settle();
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	loop_round(engine.loop);
	ck_assert_uint_eq(fake.ends, told[_i].deaf ? 0 : 1);
	ck_assert_int_eq(plugin->breaker.tripped, told[_i].trips);
	ck_assert_uint_eq(lines("guard.tripped", told[_i].message), told[_i].trips);
}
END_TEST

/* A clock that goes on between two looks: a batch that is due must start, and afterwards all must be still. */
START_TEST(at_the_machines_clock)
{
	real_clock = true;
	clock_override(NULL);
	fake.count = 3;
	ck_assert_int_eq(plugin_open(plugin, &callbacks, NULL), 0);
	for (int i = 0; i < 20 && fake.reaped < 3; i++)
		ck_assert_int_eq(loop_round(engine.loop), 0);
	ck_assert_uint_eq(fake.reaped, 3);
	plugin_arm(plugin);
	ck_assert_uint_gt(plugin->step.when_ns, clock_now_ns() + SECOND);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plugin");
	TCase *tests = tcase_create("plugin");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, found_and_reaped_once);
	tcase_add_test(tests, in_slices);
	tcase_add_test(tests, details_of_slices);
	tcase_add_test(tests, the_rate_is_kept_and_nothing_lost);
	tcase_add_test(tests, healed_in_the_queue);
	tcase_add_test(tests, observe_never_reaps);
	tcase_add_test(tests, observed_while_queued);
	tcase_add_test(tests, exempt_and_report);
	tcase_add_test(tests, of_a_former_owner);
	tcase_add_test(tests, judged_again_before_the_reaping);
	tcase_add_test(tests, a_holder_that_is_gone);
	tcase_add_test(tests, spared_by_policy);
	tcase_add_test(tests, failures_trip_the_breaker);
	tcase_add_test(tests, reap_that_errs_fails_what_is_pending);
	tcase_add_loop_test(tests, an_owner_that_dies_trips_the_breaker, 0, 3);
	tcase_add_loop_test(tests, a_plugin_knows_how_an_owner_ended, 0, GB_COUNT(told));
	tcase_add_test(tests, at_the_machines_clock);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
