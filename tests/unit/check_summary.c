/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in a storm: lines first, then counts, and nothing lost. */
#include "fake_plugin.h"

#include "summary.h"
#include "word.h"

static json_t *kept; /* what value_of() lent */

/* The value of `key` in the first line that has `event`; lent until the end of the test. */
static json_t *value_of(const char *event, const char *key)
{
	char *text = calloc(1, 8 << 20), *line, *rest = NULL;
	json_t *value = NULL;

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(journal_flush(engine.journal), 0);
	ck_assert_int_ge(pread(journal_fd, text, (8 << 20) - 1, 0), 0);
	for (line = strtok_r(text, "\n", &rest); line && !value; line = strtok_r(NULL, "\n", &rest)) {
		if (!strstr(line, event))
			continue;
		json_array_append_new(kept, json_loads(line, 0, NULL));
		value = json_object_get(json_array_get(kept, json_array_size(kept) - 1), key);
	}
	free(text);
	return value;
}

static void make(void)
{
	setup();
	kept = json_array();
}

static void unmake(void)
{
	json_decref(kept);
	teardown();
}

static long number_of(const char *event, const char *key)
{
	return (long)json_integer_value(value_of(event, key));
}

START_TEST(a_storm)
{
	engine.summarise = true;
	start(1500);
	ck_assert_uint_eq(lines("\"ghost.found\"", ""), SUMMARY_LINES_MAX);
	ck_assert_uint_eq(lines("ghost.summary", ""), 0);
	for (int i = 0; i < 10; i++)
		pass(SECOND);
	ck_assert_uint_eq(fake.reaped, 1500);
	ck_assert_uint_eq(plugin->tally.total.of[GHOST_EVENT_REAPED], 1500);
	ck_assert_uint_eq(lines("\"ghost.reaped\"", ""), SUMMARY_LINES_MAX);
	ck_assert_uint_eq(plugin->summary_due.when_ns, 1060 * SECOND);
	now_ns = 1060 * SECOND;
	ck_assert_int_eq(loop_round(engine.loop), 0);
	ck_assert_uint_eq(lines("ghost.summary", ""), 1);
	ck_assert_int_eq(number_of("ghost.summary", "found"), 500);
	ck_assert_int_eq(number_of("ghost.summary", "reaped"), 500);
	ck_assert_ptr_null(value_of("ghost.summary", "failed"));
	ck_assert_int_eq(number_of("ghost.summary", "period_ms"), 60000);
	ck_assert_ptr_nonnull(strstr(json_string_value(value_of("ghost.summary", "leakers")), " 1000"));
	ck_assert_uint_eq(plugin->summary_due.when_ns, CLOCK_NEVER);
	/* What has no line can still be explained. */
	ck_assert_ptr_nonnull(ghost_ring_find(&engine.finished, plugin->ghosts.plugin, 1400));
}
END_TEST

START_TEST(each_its_line)
{
	start(1500);
	pass(10 * SECOND);
	ck_assert_uint_eq(lines("\"ghost.found\"", ""), 1500);
	ck_assert_uint_eq(plugin->summary_due.when_ns, CLOCK_NEVER);
}
END_TEST

START_TEST(told_when_it_closes)
{
	engine.summarise = true;
	engine.guard.observe = true;
	start(1001);
	plugin_close(plugin);
	ck_assert_uint_eq(lines("ghost.summary", "\"reasons\":\"observe 1\""), 1);
	ck_assert_int_eq(number_of("ghost.summary", "spared"), 1);
}
END_TEST

START_TEST(a_minute_later_anew)
{
	struct summary summary = {0};
	uint64_t at = 5 * SECOND;

	for (int minute = 0; minute < 3; minute++, at += SUMMARY_PERIOD_NS)
		for (int i = 0; i < SUMMARY_LINES_MAX; i++)
			ck_assert(summary_pass(&summary, GHOST_EVENT_REAPED, 0, NULL, at));
	at -= SUMMARY_PERIOD_NS;
	ck_assert_uint_eq(summary_due_ns(&summary), CLOCK_NEVER);
	ck_assert(summary_pass(&summary, GHOST_EVENT_FOUND, 0, NULL, at));
	ck_assert(!summary_pass(&summary, GHOST_EVENT_REAPED, 0, NULL, at));
	ck_assert_uint_eq(summary_due_ns(&summary), at + SUMMARY_PERIOD_NS);
	/* It is late: nothing is forgotten. */
	ck_assert(!summary_pass(&summary, GHOST_EVENT_REAPED, 0, NULL, at + 2 * SUMMARY_PERIOD_NS));
	summary_write(&summary, engine.journal, "p", at + 2 * SUMMARY_PERIOD_NS);
	ck_assert_int_eq(number_of("ghost.summary", "reaped"), 2);
	summary_write(&summary, engine.journal, "p", at + 2 * SUMMARY_PERIOD_NS);
	ck_assert_uint_eq(lines("ghost.summary", ""), 1);
}
END_TEST

START_TEST(many_owners_and_reasons)
{
	struct summary summary = {.begun_ns = 1, .lines = {[GHOST_EVENT_SPARED] = SUMMARY_LINES_MAX}};
	char comm[16], reason[16];
	struct gb_owner owner = {.comm = comm};
	const char *leakers, *reasons;
	uint16_t word;

	for (int i = 0; i < 100; i++) {
		snprintf(comm, sizeof(comm), "c%d", i);
		owner.unit = i == 3 ? "a\x1b.service" : NULL;
		snprintf(reason, sizeof(reason), "r%d", i % 20);
		ck_assert_int_eq(word_id(reason, &word), 0);
		for (int j = 0; j <= (i == 3 ? 9 : 0); j++)
			ck_assert(!summary_pass(&summary, GHOST_EVENT_SPARED, word, &owner, 2));
	}
	summary_write(&summary, engine.journal, "p", 3);
	leakers = json_string_value(value_of("ghost.summary", "leakers"));
	reasons = json_string_value(value_of("ghost.summary", "reasons"));
	ck_assert_int_eq(number_of("ghost.summary", "spared"), 109);
	ck_assert_msg(strncmp(leakers, "c3 (a", 5) == 0, "%s", leakers);
	ck_assert_msg(strstr(leakers, ", others 95") != NULL, "%s", leakers);
	ck_assert_msg(strncmp(reasons, "r3 14, ", 7) == 0 && strstr(reasons, ", others 20"), "%s", reasons);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("summary");
	TCase *tcase = tcase_create("summary");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, make, unmake);
	tcase_add_test(tcase, a_storm);
	tcase_add_test(tcase, each_its_line);
	tcase_add_test(tcase, told_when_it_closes);
	tcase_add_test(tcase, a_minute_later_anew);
	tcase_add_test(tcase, many_owners_and_reasons);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
