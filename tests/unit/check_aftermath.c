/* SPDX-License-Identifier: Apache-2.0 */
/* After a reaping: who let go of it, who still carries it; what of that is a line of the journal, and what the leakers show. */
#include "fake_plugin.h"

#include <signal.h>
#include <sys/wait.h>

static int tell_as(enum plugin_call call, int32_t pid, uint64_t reacted, uint64_t dead, uint32_t flags)
{
	const struct gb_aftermath told = {
		.struct_size = sizeof(told), .flags = flags, .pid = pid, .reacted = reacted, .dead = dead};
	int r;

	plugin_enter(plugin, call);
	r = fake.host->aftermath(fake.host, &told);
	plugin_leave(plugin);
	return r;
}

static int tell(uint64_t reacted, uint64_t dead)
{
	return tell_as(PLUGIN_CALL_SCAN, getpid(), reacted, dead, 0);
}

/* Of the one owner that leaks: the test itself. */
static json_int_t leaker_number(const char *key)
{
	json_int_t value;
	json_t *json;

	leakers_present_none(&engine.leakers);
	plugin_present_dead(plugin, &engine.leakers);
	json = leakers_json(&engine.leakers, 10, now_ns, 0);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "leakers")), 1);
	value = json_integer_value(json_object_get(json_array_get(json_object_get(json, "leakers"), 0), key));
	json_decref(json);
	return value;
}

START_TEST(holds_and_lets_go)
{
	start(5);
	ck_assert_uint_eq(fake.reaped, 5);
	ck_assert_int_eq(leaker_number("dead"), 0);
	ck_assert_int_eq(tell(1, 4), 0);
	ck_assert_uint_eq(lines("owner.holds", "\"reacted\":1,\"dead\":4"), 1);
	ck_assert_uint_eq(lines("it still holds", "\"owners\":[{\"pid\":"), 1);
	ck_assert_int_eq(leaker_number("dead"), 4);
	ck_assert_int_eq(leaker_number("reacted"), 1);
	ck_assert_int_eq(tell(4, 0), 0); /* at once, though it is the same minute */
	ck_assert_uint_eq(lines("owner.reacted", "\"reacted\":4,\"dead\":0"), 1);
	ck_assert_int_eq(leaker_number("dead"), 0);
	ck_assert_int_eq(leaker_number("reacted"), 5);
	ck_assert_uint_eq(HASH_COUNT(plugin->aftermath.carriers), 0);
}
END_TEST

START_TEST(one_line_a_minute_of_who_goes_on)
{
	start(1);
	for (uint64_t i = 1; i <= 24; i++) { /* every 5 s: two minutes */
		ck_assert_int_eq(tell(1, i), 0);
		now_ns += 5 * SECOND;
	}
	ck_assert_uint_eq(lines("owner.", ""), 2);
	ck_assert_uint_eq(lines("owner.holds", "\"reacted\":1,\"dead\":1"), 1);
	ck_assert_uint_eq(lines("owner.holds", "\"reacted\":12,\"dead\":13"), 1);
	ck_assert_int_eq(leaker_number("dead"), 24);
	ck_assert_int_eq(leaker_number("reacted"), 24);
	/* The rest, when nothing changes any more; and then nothing for ever. */
	for (int i = 0; i < 100; i++) {
		now_ns += 60 * SECOND;
		ck_assert_int_eq(tell(0, 24), 0);
	}
	ck_assert_uint_eq(lines("owner.", ""), 3);
	ck_assert_uint_eq(lines("owner.holds", "\"reacted\":11,\"dead\":24"), 1);
}
END_TEST

START_TEST(unsure_says_may)
{
	start(1);
	ck_assert_int_eq(tell_as(PLUGIN_CALL_DISPATCH, getpid(), 0, 1, GB_AFTERMATH_UNSURE), 0);
	ck_assert_uint_eq(lines("owner.holds", "it may still hold"), 1);
	ck_assert_int_eq(tell_as(PLUGIN_CALL_DISPATCH, getpid(), 1, 0, GB_AFTERMATH_UNSURE), 0);
	ck_assert_uint_eq(lines("owner.reacted", "it may have closed"), 1);
}
END_TEST

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* It ends between two looks of the plugin. */
START_TEST(who_has_ended_carries_nothing)
{
	pid_t pid = sleeper();

	start(1);
	ck_assert_int_eq(tell_as(PLUGIN_CALL_SCAN, pid, 0, 7, 0), 0);
	ck_assert_int_eq(leaker_number("dead"), 7);
	end(pid);
	ck_assert_int_eq(leaker_number("dead"), 0);
	ck_assert_int_eq(tell_as(PLUGIN_CALL_SCAN, pid, 7, 0, 0), -ESRCH);
	ck_assert_int_eq(leaker_number("reacted"), 0); /* to die is not to react */
	ck_assert_uint_eq(lines("owner.reacted", ""), 0);
}
END_TEST

START_TEST(told_wrongly)
{
	struct gb_aftermath small = {.struct_size = sizeof(small) - 1, .pid = getpid()};

	start(1);
	ck_assert_int_eq(tell_as(PLUGIN_CALL_REAP, getpid(), 1, 0, 0), -EINVAL);
	plugin_enter(plugin, PLUGIN_CALL_SCAN);
	ck_assert_int_eq(fake.host->aftermath(fake.host, NULL), -EINVAL);
	ck_assert_int_eq(fake.host->aftermath(fake.host, &small), -EINVAL);
	plugin_leave(plugin);
	ck_assert_int_eq(tell(0, 0), 0);
	ck_assert_uint_eq(lines("owner.", ""), 0);
}
END_TEST

/* Many processes: each has its line, up to so many in a minute; and no more are kept than that. */
START_TEST(bounded)
{
	static struct owner owners[CARRIERS_MAX + 10];
	struct aftermath aftermath = {0};
	uint64_t reacted;
	uint32_t said = 0;

	for (int32_t i = 0; i < CARRIERS_MAX + 10; i++) {
		owners[i] = (struct owner){.references = 1, .public.pid = i + 1};
		said += aftermath_take(&aftermath, &owners[i], 0, 1, now_ns, &reacted);
	}
	ck_assert_uint_eq(said, AFTERMATH_LINES_MAX);
	ck_assert_uint_eq(HASH_COUNT(aftermath.carriers), CARRIERS_MAX);
	now_ns += 60 * SECOND; /* who had no line has one now */
	ck_assert(!aftermath_take(&aftermath, &owners[0], 0, 1, now_ns, &reacted));
	ck_assert(aftermath_take(&aftermath, &owners[CARRIERS_MAX - 1], 0, 1, now_ns, &reacted));
	aftermath_fini(&aftermath);
	for (int32_t i = 0; i < CARRIERS_MAX + 10; i++)
		ck_assert_uint_eq(owners[i].references, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aftermath");
	TCase *tests = tcase_create("aftermath");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, holds_and_lets_go);
	tcase_add_test(tests, one_line_a_minute_of_who_goes_on);
	tcase_add_test(tests, unsure_says_may);
	tcase_add_test(tests, who_has_ended_carries_nothing);
	tcase_add_test(tests, told_wrongly);
	tcase_add_test(tests, bounded);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
