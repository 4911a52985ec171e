/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a plugin's ghosts, in numbers. */
#include "fake_plugin.h"

#include <stdio.h>

#include "tally.h"
#include "word.h"

static struct ghost_table table;
static struct ghost_ring ring;
static struct tally tally;

static void make(void)
{
	now_ns = 1000 * SECOND;
	clock_override(&now_ns);
	tally = (struct tally){0};
	ck_assert_int_eq(ghost_table_init(&table, "thing", &ring), 0);
}

static void unmake(void)
{
	ghost_table_fini(&table);
	ghost_ring_fini(&ring);
	clock_override(NULL);
}

static const struct ghost *ghost_with(const struct gb_field *evidence)
{
	const struct gb_ghost report = {.struct_size = sizeof(report),
					.key = 1,
					.resource = "thing",
					.action = "destroy",
					.evidence = evidence,
					.evidence_count = evidence ? 2 : 0};
	struct ghost *ghost;
	bool new;

	ck_assert_int_eq(ghost_put(&table, &report, now_ns, &ghost, &new), 0);
	return ghost;
}

static void count(const char *class, enum ghost_event event)
{
	const struct gb_field evidence[] = {{.name = "silence_ms", .type = GB_FIELD_INTEGER, .value = 1},
					    {.name = "class", .type = GB_FIELD_TEXT, .text = class}};

	tally_count(&tally, ghost_with(class ? evidence : NULL), event);
}

static void assert_json(json_t *json, const char *expected)
{
	char *text = json_dumps(json, JSON_COMPACT);

	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(json);
}

START_TEST(by_class_and_event)
{
	assert_json(tally_total_json(&tally), "{\"found\":0,\"reaped\":0,\"healed\":0,\"spared\":0,\"failed\":0}");
	assert_json(tally_classes_json(&tally), "{}");
	count("b", GHOST_EVENT_FOUND);
	count("b", GHOST_EVENT_SPARED);
	count("b", GHOST_EVENT_SPARED);
	count("a", GHOST_EVENT_FOUND);
	count("a", GHOST_EVENT_FOUND);
	count("a", GHOST_EVENT_REAPED);
	count("a", GHOST_EVENT_FAILED);
	count(NULL, GHOST_EVENT_HEALED); /* without a class: in the total alone */
	count(NULL, GHOST_EVENT_FOUND);
	assert_json(tally_total_json(&tally), "{\"found\":4,\"reaped\":1,\"healed\":1,\"spared\":2,\"failed\":1}");
	assert_json(tally_classes_json(&tally),
		    "{\"b\":{\"found\":1,\"reaped\":0,\"healed\":0,\"spared\":2,\"failed\":0},"
		    "\"a\":{\"found\":2,\"reaped\":1,\"healed\":0,\"spared\":0,\"failed\":1}}");
}
END_TEST

/* What is no word, or calls itself so, is with the others. A number called class is no class. */
START_TEST(others)
{
	static const struct gb_field numbers[] = {{.name = "class", .type = GB_FIELD_INTEGER, .value = 3},
						  {.name = "kind", .type = GB_FIELD_TEXT, .text = "class"}};

	count("Stuck Reader", GHOST_EVENT_FOUND);
	count("x\"}\n", GHOST_EVENT_FOUND);
	count("", GHOST_EVENT_FOUND);
	count("other", GHOST_EVENT_REAPED);
	tally_count(&tally, ghost_with(numbers), GHOST_EVENT_FOUND);
	ck_assert_uint_eq(tally.class_count, 0);
	assert_json(tally_classes_json(&tally),
		    "{\"other\":{\"found\":3,\"reaped\":1,\"healed\":0,\"spared\":0,\"failed\":0}}");
	ck_assert_uint_eq(tally.total.of[GHOST_EVENT_FOUND], 4);
}
END_TEST

/* More classes than there are words: the first have their own counts, for good, and words are left for others. */
START_TEST(a_class_for_each_ghost)
{
	char class[16];
	uint16_t word;
	json_t *json;

	for (unsigned int i = 0; i < WORDS_MAX + 10; i++) {
		snprintf(class, sizeof(class), "class-%u", i);
		count(class, GHOST_EVENT_FOUND);
	}
	count("class-3", GHOST_EVENT_REAPED);
	count("class-3", GHOST_EVENT_FOUND);
	count("class-2000", GHOST_EVENT_REAPED);
	ck_assert_int_eq(word_id("a-word-of-somebody-else", &word), 0);
	ck_assert_uint_eq(tally.total.of[GHOST_EVENT_FOUND], WORDS_MAX + 11);
	json = tally_classes_json(&tally);
	ck_assert_uint_eq(json_object_size(json), TALLY_CLASSES_MAX + 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "class-3"), "found")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "class-3"), "reaped")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, "class-15"), "found")), 1);
	ck_assert_ptr_null(json_object_get(json, "class-16"));
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, TALLY_OTHER), "found")),
			 WORDS_MAX + 10 - TALLY_CLASSES_MAX);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(json, TALLY_OTHER), "reaped")), 1);
	json_decref(json);
}
END_TEST

/* Of a plugin at work: a reload that closes and opens it again keeps the counts. */
START_TEST(a_reload_keeps_them)
{
	setup();
	fake.class = "stuck";
	start(3);
	ck_assert_uint_eq(plugin->tally.total.of[GHOST_EVENT_REAPED], 3);
	plugin_close(plugin);
	memset(fake.gone, 0, sizeof(fake.gone));
	fake.class = "leaked";
	start(2);
	assert_json(tally_total_json(&plugin->tally),
		    "{\"found\":5,\"reaped\":5,\"healed\":0,\"spared\":0,\"failed\":0}");
	assert_json(tally_classes_json(&plugin->tally),
		    "{\"stuck\":{\"found\":3,\"reaped\":3,\"healed\":0,\"spared\":0,\"failed\":0},"
		    "\"leaked\":{\"found\":2,\"reaped\":2,\"healed\":0,\"spared\":0,\"failed\":0}}");
	teardown();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tests = tcase_create("tally");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, make, unmake);
	tcase_add_test(tests, by_class_and_event);
	tcase_add_test(tests, others);
	tcase_add_test(tests, a_class_for_each_ghost);
	tcase_add_test(tests, a_reload_keeps_them);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
