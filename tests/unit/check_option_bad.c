/* SPDX-License-Identifier: Apache-2.0 */
/* Options that do not fit: each sentence, with its file and line. */
#include "fake_options.h"

#define NUMBER "a number such as 5432001 or \"0x52e2c1\", or a prefix such as \"0xae000000/0xff000000\""

static const struct {
	const char *text, *set, *problems;
} bad[] = {
	{"timeout = -3;", NULL, "f.cfg:1: plugin \"fake\": timeout = -3, want 1s..30d"},
	{"timeout = \"-3\";", NULL, "f.cfg:1: plugin \"fake\": timeout = \"-3\", want 1s..30d"},
	{"\ntimeout = \"31d\";", NULL, "f.cfg:2: plugin \"fake\": timeout = \"31d\", want 1s..30d"},
	{"timeout = 0;", NULL, "f.cfg:1: plugin \"fake\": timeout = 0, want 1s..30d"},
	{"timeout = \"soon\";", NULL,
	 "f.cfg:1: plugin \"fake\": timeout = \"soon\", want a duration such as \"90s\", 1s..30d"},
	{"timeout = 1.5;", NULL, "f.cfg:1: plugin \"fake\": timeout = 1.5, want a duration such as \"90s\", 1s..30d"},
	{"timeout = true;", NULL, "f.cfg:1: plugin \"fake\": timeout = true, want a duration such as \"90s\", 1s..30d"},
	{"timeout = ();", NULL, "f.cfg:1: plugin \"fake\": timeout = ( … ), want a duration such as \"90s\", 1s..30d"},
	{"timeout = {};", NULL, "f.cfg:1: plugin \"fake\": timeout = { … }, want a duration such as \"90s\", 1s..30d"},
	{"", "fake.timeout=-3", "--set fake.timeout=-3: plugin \"fake\": timeout = -3, want 1s..30d"},
	{"", "fake.timeout=soon",
	 "--set fake.timeout=soon: plugin \"fake\": timeout = \"soon\", want a duration such as \"90s\", 1s..30d"},
	{"", "fake.timeout=",
	 "--set fake.timeout=: plugin \"fake\": timeout = \"\", want a duration such as \"90s\", 1s..30d"},
	{"timout = 3;", NULL, "f.cfg:1: plugin \"fake\": unknown option \"timout\", did you mean \"timeout\"?"},
	{"enabeld = true;", NULL, "f.cfg:1: plugin \"fake\": unknown option \"enabeld\", did you mean \"enabled\"?"},
	{"", "fake.timout=3",
	 "--set fake.timout=3: plugin \"fake\": unknown option \"timout\", did you mean \"timeout\"?"},
	{"colourful = 1;", NULL,
	 "f.cfg:1: plugin \"fake\": unknown option \"colourful\", known are: verbose, depth, memory, timeout, label, unset, "
	 "action, paths, rules, ports, network, any, number, enabled"},
	{"verbose = \"yes\";", NULL, "f.cfg:1: plugin \"fake\": verbose = \"yes\", want true or false"},
	{"verbose = 1;", NULL, "f.cfg:1: plugin \"fake\": verbose = 1, want true or false"},
	{"", "fake.verbose=yes", "--set fake.verbose=yes: plugin \"fake\": verbose = \"yes\", want true or false"},
	{"depth = 101;", NULL, "f.cfg:1: plugin \"fake\": depth = 101, want -5..100"},
	{"depth = 1.0;", NULL, "f.cfg:1: plugin \"fake\": depth = 1, want a whole number, -5..100"},
	{"depth = 2.5;", NULL, "f.cfg:1: plugin \"fake\": depth = 2.5, want a whole number, -5..100"},
	{"depth = \"3\";", NULL, "f.cfg:1: plugin \"fake\": depth = \"3\", want a whole number, -5..100"},
	{"", "fake.depth=99999999999999999999",
	 "--set fake.depth=99999999999999999999: plugin \"fake\": depth = 99999999999999999999, want -5..100"},
	{"", "fake.depth=1x", "--set fake.depth=1x: plugin \"fake\": depth = \"1x\", want a whole number, -5..100"},
	{"any = \"x\";", NULL, "f.cfg:1: plugin \"fake\": any = \"x\", want a whole number"},
	{"memory = 1023;", NULL, "f.cfg:1: plugin \"fake\": memory = 1023, want 1k..1T"},
	{"memory = \"2T\";", NULL, "f.cfg:1: plugin \"fake\": memory = \"2T\", want 1k..1T"},
	{"memory = \"lots\";", NULL,
	 "f.cfg:1: plugin \"fake\": memory = \"lots\", want a size such as \"64M\", 1k..1T"},
	{"label = 3;", NULL, "f.cfg:1: plugin \"fake\": label = 3, want a string in quotes"},
	{"label = (\"a\");", NULL, "f.cfg:1: plugin \"fake\": label = ( … ), want a string in quotes"},
	{"action = \"destory\";", NULL,
	 "f.cfg:1: plugin \"fake\": action = \"destory\", want report, shutdown or destroy"},
	{"action = 1;", NULL, "f.cfg:1: plugin \"fake\": action = 1, want report, shutdown or destroy"},
	{"action = \"a\\x01\\\"b\";", NULL,
	 "f.cfg:1: plugin \"fake\": action = \"a\\x01\\x22b\", want report, shutdown or destroy"},
	{"paths = \"/a\";", NULL,
	 "f.cfg:1: plugin \"fake\": paths = \"/a\", want a list of strings such as (\"a\", \"b\")"},
	{"paths = (\"/a\",\n3);", NULL, "f.cfg:2: plugin \"fake\": entry 2 of paths = 3, want a string in quotes"},
	{"paths = (\"\");", NULL, "f.cfg:1: plugin \"fake\": entry 1 of paths = \"\", want a string that is not empty"},
	{"", "fake.paths=a,,b",
	 "--set fake.paths=a,,b: plugin \"fake\": paths = \"a,,b\", want a list of strings such as (\"a\", \"b\")"},
	{"ports = 0;", NULL, "f.cfg:1: plugin \"fake\": ports = 0, want 1..65535"},
	{"ports = \"1-65536\";", NULL, "f.cfg:1: plugin \"fake\": ports = \"1-65536\", want 1..65535"},
	{"ports = \"90-80\";", NULL,
	 "f.cfg:1: plugin \"fake\": ports = \"90-80\", want a number or a range such as \"8000-8999\", 1..65535"},
	{"ports = \"80-\";", NULL,
	 "f.cfg:1: plugin \"fake\": ports = \"80-\", want a number or a range such as \"8000-8999\", 1..65535"},
	{"network = \"10.1.2.3/8\";", NULL,
	 "f.cfg:1: plugin \"fake\": network = \"10.1.2.3/8\", want 10.0.0.0/8 or 10.1.2.3"},
	{"network = \"2001:db8::1/33\";", NULL,
	 "f.cfg:1: plugin \"fake\": network = \"2001:db8::1/33\", want 2001:db8::/33 or 2001:db8::1"},
	{"network = \"10.0.0.0/33\";", NULL,
	 "f.cfg:1: plugin \"fake\": network = \"10.0.0.0/33\", want an address or a network such as \"10.0.0.0/8\""},
	{"network = \"10.0.0/8\";", NULL,
	 "f.cfg:1: plugin \"fake\": network = \"10.0.0/8\", want an address or a network such as \"10.0.0.0/8\""},
	{"network = \"host/\";", NULL,
	 "f.cfg:1: plugin \"fake\": network = \"host/\", want an address or a network such as \"10.0.0.0/8\""},
	{"number = 0;", NULL, "f.cfg:1: plugin \"fake\": number = 0, want 1..4294967295"},
	{"number = \"0x0\";", NULL, "f.cfg:1: plugin \"fake\": number = \"0x0\", want 1..4294967295"},
	{"number = \"ae*\";", NULL, "f.cfg:1: plugin \"fake\": number = \"ae*\", want " NUMBER},
	{"\nnumber = \"0xg\";", NULL, "f.cfg:2: plugin \"fake\": number = \"0xg\", want " NUMBER},
	{"number = \"\";", NULL, "f.cfg:1: plugin \"fake\": number = \"\", want " NUMBER},
	{"number = \" 12\";", NULL, "f.cfg:1: plugin \"fake\": number = \" 12\", want " NUMBER},
	{"number = \"12 \";", NULL, "f.cfg:1: plugin \"fake\": number = \"12 \", want " NUMBER},
	{"number = \"+12\";", NULL, "f.cfg:1: plugin \"fake\": number = \"+12\", want " NUMBER},
	{"number = \"--12\";", NULL, "f.cfg:1: plugin \"fake\": number = \"--12\", want " NUMBER},
	{"number = \"4294967296\";", NULL, "f.cfg:1: plugin \"fake\": number = \"4294967296\", want " NUMBER},
	{"number = \"-2147483649\";", NULL, "f.cfg:1: plugin \"fake\": number = \"-2147483649\", want " NUMBER},
	{"number = \"99999999999999999999\";", NULL,
	 "f.cfg:1: plugin \"fake\": number = \"99999999999999999999\", want " NUMBER},
	{"number = \"0xae000000/\";", NULL, "f.cfg:1: plugin \"fake\": number = \"0xae000000/\", want " NUMBER},
	{"number = \"0xae000000/0\";", NULL, "f.cfg:1: plugin \"fake\": number = \"0xae000000/0\", want " NUMBER},
	{"number = \"1/1/1\";", NULL, "f.cfg:1: plugin \"fake\": number = \"1/1/1\", want " NUMBER},
	{"number = \"/1\";", NULL, "f.cfg:1: plugin \"fake\": number = \"/1\", want " NUMBER},
	{"number = \"0xae000001/0xff000000\";", NULL,
	 "f.cfg:1: plugin \"fake\": number = \"0xae000001/0xff000000\", want \"0xae000000/0xff000000\" or \"0xae000001\""},
	{"number = true;", NULL, "f.cfg:1: plugin \"fake\": number = true, want " NUMBER},
	{"rules = {};", NULL,
	 "f.cfg:1: plugin \"fake\": rules = { … }, want a list of groups such as ( { … }, { … } )"},
	{"rules = ( 3 );", NULL,
	 "f.cfg:1: plugin \"fake\": entry 1 of rules = 3, want a list of groups such as ( { … }, { … } )"},
	{"rules = ( {},\n{ timeout = -3; } );", NULL, "f.cfg:2: plugin \"fake\": rules #2: timeout = -3, want 1s..30d"},
	{"rules = ( { tiemout = 3; } );", NULL,
	 "f.cfg:1: plugin \"fake\": rules #1: unknown option \"tiemout\", did you mean \"timeout\"?"},
	{"rules = ( { names = (\"\"); } );", NULL,
	 "f.cfg:1: plugin \"fake\": rules #1: entry 1 of names = \"\", want a string that is not empty"},
	{"", "fake.rules=x",
	 "--set fake.rules=x: plugin \"fake\": rules is a list of groups and cannot be set on the command line, write it "
	 "into the configuration file"},
	{"depth = 101;\ntimout = 3;\nrules = ( { uid = -2; local_port = true; } );", "fake.action=x",
	 "f.cfg:1: plugin \"fake\": depth = 101, want -5..100\n"
	 "f.cfg:3: plugin \"fake\": rules #1: local_port = true, want a number or a range such as \"8000-8999\", 1..65535\n"
	 "f.cfg:3: plugin \"fake\": rules #1: uid = -2, want -1..4294967294\n"
	 "f.cfg:2: plugin \"fake\": unknown option \"timout\", did you mean \"timeout\"?\n"
	 "--set fake.action=x: plugin \"fake\": action = \"x\", want report, shutdown or destroy"},
};

/* Only where the option asks for it: what 012 means is not for every string to guess. */
START_TEST(a_string_may_take_a_number)
{
	static const struct gb_option options[] = {{.key = "key",
						    .type = GB_OPTION_TYPE_STRING,
						    .offset = offsetof(struct fake_config, label),
						    .min = INT32_MIN,
						    .max = UINT32_MAX,
						    .help = "a key"}};
	static const struct {
		const char *text, *label;
	} good[] = {
		{"key = 4711;", "4711"}, {"key = -1;", "-1"}, {"key = 0x10;", "16"}, {"key = \"0x1/0x3\";", "0x1/0x3"}};
	struct option_table table = fake;
	struct settings *settings;

	table.options = options;
	table.count = 1;
	for (size_t i = 0; i < GB_COUNT(good); i++) {
		settings = decode(&table, good[i].text, NULL);
		ck_assert_msg(settings != NULL, "%s: %s", good[i].text, problems_text);
		ck_assert_str_eq(((const struct fake_config *)settings_data(settings))->label, good[i].label);
		settings_free(settings);
	}
	ck_assert_ptr_null(decode(&table, "key = true;", NULL));
	ck_assert_str_eq(problems_text, "f.cfg:1: plugin \"fake\": key = true, want a number, or a string in quotes");
}
END_TEST

START_TEST(bad_values_are_said)
{
	ck_assert_ptr_null(decode(&fake, bad[_i].text, bad[_i].set));
	ck_assert_str_eq(problems_text, bad[_i].problems);
}
END_TEST

START_TEST(long_texts_are_refused_and_cut)
{
	char text[OPTION_TEXT_MAX + 64] = "label = \"", want[512];
	size_t used = strlen(text);

	memset(text + used, 'x', OPTION_TEXT_MAX + 1);
	strcpy(text + used + OPTION_TEXT_MAX + 1, "\";");
	ck_assert_ptr_null(decode(&fake, text, NULL));
	snprintf(want, sizeof(want), "f.cfg:1: plugin \"fake\": label = \"%.64s…\", want at most 4096 bytes",
		 text + used);
	ck_assert_str_eq(problems_text, want);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("option_bad");
	TCase *tests = tcase_create("option_bad");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, bad_values_are_said, 0, GB_COUNT(bad));
	tcase_add_test(tests, a_string_may_take_a_number);
	tcase_add_test(tests, long_texts_are_refused_and_cut);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
