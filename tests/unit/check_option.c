/* SPDX-License-Identifier: Apache-2.0 */
/* Options: what reaches the plugin's struct, what wins, and how it is shown. */
#include "fake_options.h"

#include <arpa/inet.h>

START_TEST(the_fake_table_is_sane)
{
	struct problems problems = {0};

	ck_assert_int_eq(option_table_check(&fake, "fake.so", &problems), 0);
	ck_assert_uint_eq(problems.count, 0);
}
END_TEST

START_TEST(defaults_fill_every_field)
{
	struct settings *settings = decode(&fake, "", NULL);
	const struct fake_config *config = settings_data(settings);

	ck_assert(config->verbose);
	ck_assert_int_eq(config->depth, 7);
	ck_assert_uint_eq(config->memory, 64 << 20);
	ck_assert_uint_eq(config->timeout_ns, (uint64_t)GB_MINUTE);
	ck_assert_str_eq(config->label, "none");
	ck_assert_ptr_null(config->unset);
	ck_assert_int_eq(config->action, 2);
	ck_assert_uint_eq(config->paths.count, 0);
	ck_assert_uint_eq(config->rules.count, 0);
	ck_assert_int_gt(config->ports.first, config->ports.last);
	ck_assert_int_eq(config->network.family, AF_INET);
	ck_assert_int_eq(config->network.prefix_len, 8);
	ck_assert_int_eq(config->network.address[0], 10);
	settings_free(settings);
}
END_TEST

START_TEST(no_group_is_all_defaults)
{
	struct problems problems = {0};
	struct option_source source = {.file = NULL};
	struct settings *settings = NULL, *empty = decode(&fake, "", NULL);

	ck_assert_int_eq(settings_decode(&fake, &source, &problems, &settings), 0);
	ck_assert(settings_equal(settings, empty));
	settings_free(settings);
	settings_free(empty);
	settings_free(NULL);
}
END_TEST

START_TEST(values_reach_every_field)
{
	struct settings *settings =
		decode(&fake,
		       "enabled = true; verbose = false; depth = -5; memory = 2048; timeout = 90; label = \"a b\";\n"
		       "unset = \"\"; action = \"report\"; paths = (\"/a\", \"/b\"); ports = \"8000-8999\";\n"
		       "network = \"2001:db8::/32\"; any = -9000000000L;\n"
		       "rules = ( { local_port = 8080; timeout = \"5m\"; comm = \"nginx\"; },\n"
		       "  {},\n"
		       "  { remote = \"192.0.2.1\"; uid = 0; names = [\"x\", \"y\"]; action = \"shutdown\"; } );",
		       NULL);
	const struct fake_config *config = settings_data(settings);
	const struct fake_rule *rules = config->rules.items;

	ck_assert(!config->verbose);
	ck_assert_int_eq(config->depth, -5);
	ck_assert_uint_eq(config->memory, 2048);
	ck_assert_uint_eq(config->timeout_ns, (uint64_t)(90 * GB_SECOND));
	ck_assert_str_eq(config->label, "a b");
	ck_assert_str_eq(config->unset, "");
	ck_assert_int_eq(config->action, 0);
	ck_assert_uint_eq(config->paths.count, 2);
	ck_assert_str_eq(config->paths.items[1], "/b");
	ck_assert_int_eq(config->ports.first, 8000);
	ck_assert_int_eq(config->ports.last, 8999);
	ck_assert_int_eq(config->network.family, AF_INET6);
	ck_assert_int_eq(config->network.prefix_len, 32);
	ck_assert_int_eq(config->any, INT64_C(-9000000000));

	ck_assert_uint_eq(config->rules.count, 3);
	ck_assert_uint_eq(config->rules.item_size, sizeof(struct fake_rule));
	ck_assert_uint_eq(rules[0].group.present, 1 << 0 | 1 << 1 | 1 << 5);
	ck_assert_str_eq(rules[0].group.file, "f.cfg");
	ck_assert_uint_eq(rules[0].group.line, 4);
	ck_assert_int_eq(rules[0].port.first, 8080);
	ck_assert_int_eq(rules[0].port.last, 8080);
	ck_assert_uint_eq(rules[0].timeout_ns, (uint64_t)(5 * GB_MINUTE));
	ck_assert_str_eq(rules[0].owner.comm, "nginx");
	ck_assert_int_eq(rules[0].owner.uid, -1);
	ck_assert_uint_eq(rules[1].group.present, 0);
	ck_assert_uint_eq(rules[1].group.line, 5);
	ck_assert_int_eq(rules[2].owner.uid, 0);
	ck_assert_int_eq(rules[2].remote.prefix_len, 32);
	ck_assert_uint_eq(rules[2].names.count, 2);
	ck_assert_str_eq(rules[2].names.items[0], "x");
	ck_assert_int_eq(rules[2].action, 1);
	settings_free(settings);
}
END_TEST

START_TEST(overrides_win)
{
	static const struct {
		const char *set;
		const char *json;
	} cases[] = {
		{"fake.verbose=false", "{\"verbose\": false}"},
		{"fake.depth=0x10", "{\"depth\": 16}"},
		{"fake.memory=2k", "{\"memory\": \"2k\"}"},
		{"fake.timeout=1h30m", "{\"timeout\": \"1h30m\"}"},
		{"fake.label=a=b,c", "{\"label\": \"a=b,c\"}"},
		{"fake.label=", "{\"label\": \"\"}"},
		{"fake.action=report", "{\"action\": \"report\"}"},
		{"fake.paths=/a,/b", "{\"paths\": [\"/a\", \"/b\"]}"},
		{"fake.paths=", "{\"paths\": []}"},
		{"fake.ports=80", "{\"ports\": 80}"},
		{"fake.ports=80-90", "{\"ports\": \"80-90\"}"},
		{"fake.network=::1", "{\"network\": \"::1/128\"}"},
		{"fake.network=0.0.0.0/0", "{\"network\": \"0.0.0.0/0\"}"},
		{"fake.number=5432001", "{\"number\": \"0x52e2c1\"}"},
		{"fake.number=0XAE000001", "{\"number\": \"0xae000001\"}"},
		{"fake.number=-1", "{\"number\": \"0xffffffff\"}"},
		{"fake.number=-1375731712", "{\"number\": \"0xae000000\"}"}, /* where ints are signed */
		{"fake.number=4294967295", "{\"number\": \"0xffffffff\"}"},
		{"fake.number=0xae000000/0xff000000", "{\"number\": \"0xae000000/0xff000000\"}"},
		{"fake.number=1/1", "{\"number\": \"0x1/0x1\"}"},
		{"fake.any=-9223372036854775808", "{\"any\": -9223372036854775808}"},
	};
	json_t *want, *got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings *settings =
			decode(&fake, "depth = 1; label = \"file\"; paths = (\"file\");", cases[i].set);
		const char *key;
		json_t *value;

		ck_assert_msg(settings != NULL, "%s: %s", cases[i].set, problems_text);
		want = json_loads(cases[i].json, 0, NULL);
		got = settings_json(settings);
		json_object_foreach(want, key, value)
			ck_assert_msg(json_equal(value, json_object_get(got, key)), "%s", cases[i].set);
		json_decref(want);
		json_decref(got);
		settings_free(settings);
	}
}
END_TEST

START_TEST(equality_is_deep)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"", "", true},
		{"", "timeout = \"1m\";", true},
		{"", "timeout = \"2m\";", false},
		{"label = \"a\";", "label = \"a\";", true},
		{"label = \"a\";", "label = \"b\";", false},
		{"unset = \"a\";", "", false},
		{"paths = (\"a\");", "paths = [\"a\"];", true},
		{"paths = (\"a\");", "paths = (\"b\");", false},
		{"paths = (\"a\");", "paths = (\"a\", \"b\");", false},
		{"rules = ({uid = 1;});", "\n\n# moved\nrules = ({uid = 1;});", true},
		{"rules = ({uid = 1;});", "rules = ({uid = 2;});", false},
		{"rules = ({uid = -1;});", "rules = ({});", false},
		{"rules = ({});", "", false},
		{"rules = ({names = (\"a\");});", "rules = ({names = (\"b\");});", false},
		{"ports = 1;", "ports = \"1-1\";", true},
		{"network = \"10.0.0.0/8\";", "", true},
		{"network = \"10.0.0.0/9\";", "", false},
		{"number = 255;", "number = 0xff;", true},
		{"number = 255;", "number = \"0xff/0xff\";", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings *a = decode(&fake, cases[i].a, NULL), *b = decode(&fake, cases[i].b, NULL);

		ck_assert_msg(settings_equal(a, b) == cases[i].equal, "%s and %s", cases[i].a, cases[i].b);
		settings_free(a);
		settings_free(b);
	}
}
END_TEST

START_TEST(settings_are_shown)
{
	struct settings *settings =
		decode(&fake, "label = \"\xff\"; rules = ( { timeout = 5; comm = \"x\"; } );", NULL);
	json_t *json = settings_json(settings);
	json_t *want =
		json_loads("{\"verbose\": true, \"depth\": 7, \"memory\": \"64M\", \"timeout\": \"1m\", \"label\": "
			   "\"\\\\xff\", \"unset\": null, \"action\": \"destroy\", \"paths\": [], \"rules\": "
			   "[{\"timeout\": \"5s\", \"comm\": \"x\"}], \"ports\": null, \"network\": "
			   "\"10.0.0.0/8\", \"any\": 0, \"number\": null}",
			   0, NULL);

	ck_assert_ptr_nonnull(want);
	ck_assert(json_equal(json, want));
	json_decref(json);
	json_decref(want);
	settings_free(settings);
}
END_TEST

START_TEST(tables_are_shown)
{
	json_t *table = option_table_json(&fake), *timeout = json_array_get(table, 3),
	       *rules = json_array_get(table, 8);
	json_t *want = json_loads("{\"key\": \"timeout\", \"type\": \"duration\", \"default\": \"60s\", \"range\": "
				  "\"1s..30d\", \"help\": \"age of a ghost\"}",
				  0, NULL);

	ck_assert_uint_eq(json_array_size(table), fake.count);
	ck_assert(json_equal(timeout, want));
	ck_assert_str_eq(json_string_value(json_object_get(rules, "type")), "list of groups");
	ck_assert_uint_eq(json_array_size(json_object_get(rules, "members")), GB_COUNT(rule_options));
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(table, 6), "range")),
			 "report, shutdown or destroy");
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(table, 6), "choices")), 3);
	json_decref(table);
	json_decref(want);
}
END_TEST

/* A plugin whose struct gb_option is larger or smaller than ours. */
START_TEST(strides_may_differ)
{
	struct {
		struct gb_option option;
		uint64_t newer[2];
	} larger[3] = {{fake_options[0], {~UINT64_C(0), 1}}, {fake_options[3], {2, 3}}, {fake_options[8], {4, 5}}};
	struct option_table table = fake;
	struct problems problems = {0};
	struct settings *settings;
	char smaller[2 * offsetof(struct gb_option, members)];

	table.options = &larger[0].option;
	table.count = 2;
	table.stride = sizeof(larger[0]);
	ck_assert_int_eq(option_table_check(&table, NULL, &problems), 0);
	settings = decode(&table, "timeout = 5;", NULL);
	ck_assert_uint_eq(((const struct fake_config *)settings_data(settings))->timeout_ns, (uint64_t)(5 * GB_SECOND));
	settings_free(settings);

	memcpy(smaller, &fake_options[3], sizeof(smaller) / 2);
	memcpy(smaller + sizeof(smaller) / 2, &fake_options[1], sizeof(smaller) / 2);
	table.options = (const struct gb_option *)(const void *)smaller;
	table.stride = sizeof(smaller) / 2;
	ck_assert_int_eq(option_table_check(&table, NULL, &problems), 0);
	ck_assert_uint_eq(option_at(&table, 0).member_count, 0);
	settings = decode(&table, "depth = 5;", NULL);
	ck_assert_int_eq(((const struct fake_config *)settings_data(settings))->depth, 5);
	settings_free(settings);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("option");
	TCase *tests = tcase_create("option");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, the_fake_table_is_sane);
	tcase_add_test(tests, defaults_fill_every_field);
	tcase_add_test(tests, no_group_is_all_defaults);
	tcase_add_test(tests, values_reach_every_field);
	tcase_add_test(tests, overrides_win);
	tcase_add_test(tests, equality_is_deep);
	tcase_add_test(tests, settings_are_shown);
	tcase_add_test(tests, tables_are_shown);
	tcase_add_test(tests, strides_may_differ);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
