/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin is offered, how it lives, and when it is called. */
#include "fake_plugin.h"

#include <errno.h>
#include <sys/epoll.h>

/* One wake-up a timeout, not more. */
START_TEST(sleeps_until_the_scan_says)
{
	start(0);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + TIMEOUT);
	pass(TIMEOUT - 1);
	ck_assert_uint_eq(fake.scans, 1);
	pass(1);
	ck_assert_uint_eq(fake.scans, 2);
	ck_assert_uint_eq(fake.flags, 0);
	ck_assert_int_eq(seen, 1);
	fake.next_ns = 5; /* long ago: no spinning */
	pass(TIMEOUT);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + PLUGIN_SCAN_GAP_NS);
	fake.next_ns = CLOCK_NEVER;
	pass(SECOND);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + PLUGIN_SCAN_REST_NS);
	ck_assert_int_eq(fake.host->wake_at(fake.host, now_ns + SECOND), 0);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + SECOND);
	ck_assert_int_eq(fake.host->wake_at(fake.host, now_ns + 2 * SECOND), 0);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + SECOND);
	plugin_ask(plugin);
	settle();
	ck_assert_uint_eq(fake.flags, GB_SCAN_ASKED);
}
END_TEST

START_TEST(scans_that_fail_are_tried_again_later_and_later)
{
	fake.scan_error = -EIO;
	start(1);
	ck_assert_int_eq(seen, 1);
	ck_assert_str_eq(plugin_state_text(plugin), "failed");
	for (uint64_t backoff = 1; backoff <= 512; backoff *= 2) {
		ck_assert_uint_eq(plugin->step.when_ns, now_ns + backoff * SECOND);
		pass(backoff * SECOND);
	}
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + 512 * SECOND);
	fake.scan_error = 0;
	pass(512 * SECOND);
	ck_assert_uint_eq(fake.flags, GB_SCAN_FIRST); /* still the first that sees anything */
	ck_assert_int_eq(seen, 1);
	ck_assert_str_eq(plugin_state_text(plugin), "running");
	ck_assert_uint_eq(fake.reaped, 1);
}
END_TEST

static int heal_all(uint64_t key, void *arg)
{
	++*(int *)arg;
	ck_assert_int_eq(fake.host->heal(fake.host, key), 0);
	ck_assert_int_eq(fake.host->heal(fake.host, key == 1 ? 2 : 1), 0);
	return 0;
}

static int stop_at_once(uint64_t key, void *arg)
{
	(void)key;
	(void)arg;
	return 7;
}

START_TEST(known_ones_may_heal_on_the_way)
{
	int count = 0;

	engine.guard.observe = true;
	start(10);
	ck_assert_int_eq(fake.host->each_known(fake.host, stop_at_once, NULL), 7);
	ck_assert_int_eq(fake.host->each_known(fake.host, heal_all, &count), 0);
	ck_assert_int_eq(count, 9);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 0);
}
END_TEST

START_TEST(opened_again)
{
	engine.guard.observe = true;
	start(3);
	plugin_close(plugin);
	ck_assert_uint_eq(fake.closes, 1);
	fake.gone[2] = true;
	now_ns += SECOND;
	start(3);
	ck_assert_uint_eq(fake.opens, 2);
	ck_assert_uint_eq(lines("ghost.found", ""), 3);
	ck_assert_uint_eq(lines("ghost.spared", "observe"), 3);
	ck_assert_uint_eq(lines("ghost.healed", "fake-2"), 1);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 2);
}
END_TEST

START_TEST(refused_at_open)
{
	fake.open_error = -EPERM;
	ck_assert_int_eq(plugin_open(plugin, &callbacks, NULL), -EPERM);
	plugin_refuse(plugin, "for a test");
	ck_assert_str_eq(plugin_state_text(plugin), "refused");
	ck_assert_uint_eq(lines("plugin.refused", "for a test"), 1);
	ck_assert_uint_eq(plugin->step.when_ns, CLOCK_NEVER);
	plugin_close(plugin);
	ck_assert_uint_eq(fake.closes, 0);
}
END_TEST

START_TEST(reconfigured)
{
	start(0);
	fake.reconfigure_error = -EINVAL;
	ck_assert_int_eq(plugin_reconfigure(plugin, NULL), -EINVAL);
	ck_assert_uint_eq(fake.scans, 1);
	fake.reconfigure_error = 0;
	ck_assert_int_eq(plugin_reconfigure(plugin, NULL), 0);
	plugin_look_anew(plugin);
	ck_assert(!plugin->looked);
	settle();
	ck_assert(plugin->looked);
	ck_assert_uint_eq(fake.scans, 2);
}
END_TEST

START_TEST(watched_descriptors)
{
	int ends[2];

	start(0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(fake.host->watch(fake.host, ends[0], EPOLLIN), 0);
	ck_assert_int_eq(fake.host->watch(fake.host, ends[0], EPOLLIN), -EEXIST);
	ck_assert_int_eq(fake.host->watch(fake.host, -1, EPOLLIN), -EINVAL);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(loop_round(engine.loop), 0);
	ck_assert_uint_eq(fake.dispatches, 1);
	/* The other end goes, dispatch() errs each time: not for ever. */
	close(ends[1]);
	for (int i = 0; i < 20; i++) {
		plugin->step.when_ns = 0;
		loop_round(engine.loop);
	}
	ck_assert_uint_le(fake.dispatches, 20);
	ck_assert_int_eq(fake.host->unwatch(fake.host, ends[0]), plugin->watch_count ? 0 : -ENOENT);
	ck_assert_int_eq(fake.host->unwatch(fake.host, ends[0]), -ENOENT);
	close(ends[0]);
}
END_TEST

static int report_wrongly(void *arg)
{
	const struct gb_ghost *ghost = arg;
	int r;

	plugin_enter(plugin, PLUGIN_CALL_SCAN);
	r = fake.host->ghost(fake.host, ghost);
	plugin_leave(plugin);
	return r;
}

START_TEST(broken_contracts)
{
	const char *nowhere[] = {"no-such-name"};
	const struct gb_strings names = {nowhere, 1};
	struct gb_ghost ghost = {.struct_size = sizeof(ghost), .key = 1, .resource = "x", .action = "destroy"};
	struct gb_owner owner = {.struct_size = sizeof(owner)};
	char name[8];

	start(0);
	ck_assert_int_eq(fake.host->ghost(fake.host, &ghost), -EINVAL); /* from no callback */
	ck_assert_int_eq(fake.host->owner(fake.host, getpid(), 0, &owner), -EINVAL);
	ck_assert_int_eq(report_wrongly(NULL), -EINVAL);
	ghost.action = "two words";
	ck_assert_int_eq(report_wrongly(&ghost), -EINVAL);
	ghost.action = "destroy";
	ghost.struct_size = 16;
	ck_assert_int_eq(report_wrongly(&ghost), -EINVAL);
	ghost.struct_size = sizeof(ghost);
	scope_free(engine.scope);
	ck_assert_int_eq(scope_new(&names, NULL, NULL, &engine.scope), 0);
	scope_resolve(engine.scope, NULL);
	ghost.ns = (struct gb_ns){.kind = GB_NS_NET, .inode = 5};
	ck_assert_int_eq(report_wrongly(&ghost), -EPERM);
	ck_assert_int_eq(fake.host->ns_in_scope(fake.host, &ghost.ns), 0);
	ck_assert_int_eq(fake.host->ns_scoped(fake.host, GB_NS_NET), 1);
	ck_assert_int_eq(fake.host->ns_scoped(fake.host, GB_NS_IPC), 0);
	ck_assert_int_eq(fake.host->each_known(fake.host, NULL, NULL), -EINVAL);
	ck_assert_int_eq(fake.host->number(fake.host, "Not A Word", 1), -EINVAL);
	ck_assert_int_eq(fake.host->fact(fake.host, "method", NULL), -EINVAL);
	for (int i = 0; i < PLUGIN_SHOWN_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(fake.host->number(fake.host, name, 1), 0);
		ck_assert_int_eq(fake.host->fact(fake.host, name, "x"), 0);
	}
	ck_assert_int_eq(fake.host->number(fake.host, "n0", 2), 0);
	ck_assert_int_eq(fake.host->number(fake.host, "one_more", 1), -ENOSPC);
	ck_assert_int_eq(fake.host->fact(fake.host, "one_more", "x"), -ENOSPC);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("host");
	TCase *tests = tcase_create("host");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, sleeps_until_the_scan_says);
	tcase_add_test(tests, scans_that_fail_are_tried_again_later_and_later);
	tcase_add_test(tests, known_ones_may_heal_on_the_way);
	tcase_add_test(tests, opened_again);
	tcase_add_test(tests, refused_at_open);
	tcase_add_test(tests, reconfigured);
	tcase_add_test(tests, watched_descriptors);
	tcase_add_test(tests, broken_contracts);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
