/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of options as a plugin may declare them, and may not. */
#include "fake_options.h"

static const char *const no_choices[] = {NULL};
static const char *const odd_choices[] = {"a b", NULL};
static const char *const twin_choices[] = {"a", "a", NULL};
static const struct gb_option nested_members[] = {
	GB_OPTION_GROUPS("rules", struct fake_rule, names, rule_options, struct fake_rule, "groups in groups"),
};
static const struct gb_option low_members[] = {
	{.key = "low", .type = GB_OPTION_TYPE_INTEGER, .offset = 0, .max = 1, .help = "over the gb_group"},
};

#define OPTION(key_, type_, help_, ...) \
	{ \
		.key = (key_), .type = (type_), .help = (help_), __VA_ARGS__ \
	}

static const struct {
	struct gb_option option;
	const char *problem; /* NULL: sane */
} tables[] = {
	{OPTION("x", GB_OPTION_TYPE_BOOL, "h", .default_text = "true"), NULL},
	{OPTION(NULL, GB_OPTION_TYPE_BOOL, "h", .offset = 0),
	 "option \"#1\": its key is not [a-z][a-z0-9_]* of at most 63 bytes"},
	{OPTION("", GB_OPTION_TYPE_BOOL, "h", .offset = 0),
	 "option \"#1\": its key is not [a-z][a-z0-9_]* of at most 63 bytes"},
	{OPTION("Abc", GB_OPTION_TYPE_BOOL, "h", .offset = 0),
	 "option \"#1\": its key is not [a-z][a-z0-9_]* of at most 63 bytes"},
	{OPTION("1a", GB_OPTION_TYPE_BOOL, "h", .offset = 0),
	 "option \"#1\": its key is not [a-z][a-z0-9_]* of at most 63 bytes"},
	{OPTION("a-b", GB_OPTION_TYPE_BOOL, "h", .offset = 0),
	 "option \"#1\": its key is not [a-z][a-z0-9_]* of at most 63 bytes"},
	{OPTION("a234567890123456789012345678901234567890123456789012345678901234", GB_OPTION_TYPE_BOOL, "h",
		.offset = 0),
	 "option \"#1\": its key is not [a-z][a-z0-9_]* of at most 63 bytes"},
	{OPTION("enabled", GB_OPTION_TYPE_BOOL, "h", .offset = 0),
	 "option \"enabled\": this key belongs to the daemon, choose another"},
	{OPTION("x", 0, "h", .offset = 0), "option \"x\": type 0 does not exist, want 1..11"},
	{OPTION("x", 12, "h", .offset = 0), "option \"x\": type 12 does not exist, want 1..11"},
	{OPTION("x", UINT32_MAX, "h", .offset = 0), "option \"x\": type 4294967295 does not exist, want 1..11"},
	{OPTION("x", GB_OPTION_TYPE_BOOL, NULL, .offset = 0),
	 "option \"x\": its help is not one line of 1 to 4096 bytes"},
	{OPTION("x", GB_OPTION_TYPE_BOOL, "a\nb", .offset = 0),
	 "option \"x\": its help is not one line of 1 to 4096 bytes"},
	{OPTION("x", GB_OPTION_TYPE_BOOL, "h", .offset = 64),
	 "option \"x\": its field ends at byte 65 of a struct of 64"},
	{OPTION("x", GB_OPTION_TYPE_BOOL, "h", .offset = UINT32_MAX),
	 "option \"x\": its field ends at byte 4294967296 of a struct of 64"},
	{OPTION("x", GB_OPTION_TYPE_INTEGER, "h", .offset = 60),
	 "option \"x\": its field ends at byte 68 of a struct of 64"},
	{OPTION("x", GB_OPTION_TYPE_INTEGER, "h", .offset = 4),
	 "option \"x\": its field at byte 4 is not aligned for its type, integer"},
	{OPTION("x", GB_OPTION_TYPE_BOOL, "h", .default_text = "yes"),
	 "option \"x\": its default is \"yes\", want true or false"},
	{OPTION("x", GB_OPTION_TYPE_INTEGER, "h", .min = 2, .max = 1),
	 "option \"x\": its smallest value 2 is above its largest, 1"},
	{OPTION("x", GB_OPTION_TYPE_INTEGER, "h", .max = 5, .default_text = "6"),
	 "option \"x\": its default is 6, want 0..5"},
	{OPTION("x", GB_OPTION_TYPE_DURATION, "h", .min = -1, .max = 1),
	 "option \"x\": its smallest value -1 is negative, and a duration cannot be"},
	{OPTION("x", GB_OPTION_TYPE_DURATION, "h", .max = GB_SECOND, .default_text = "2s"),
	 "option \"x\": its default is \"2s\", want 0s..1s"},
	{OPTION("x", GB_OPTION_TYPE_SIZE, "h", .min = 1, .max = INT64_MAX, .default_text = "0"),
	 "option \"x\": its default is 0, want at least 1"},
	{OPTION("x", GB_OPTION_TYPE_ENUM, "h", .offset = 0), "option \"x\": an enumeration without choices"},
	{OPTION("x", GB_OPTION_TYPE_ENUM, "h", .choices = no_choices), "option \"x\": an enumeration without choices"},
	{OPTION("x", GB_OPTION_TYPE_ENUM, "h", .choices = odd_choices),
	 "option \"x\": choice 1 is not 1 to 63 printable bytes without blanks, quotes and commas"},
	{OPTION("x", GB_OPTION_TYPE_ENUM, "h", .choices = twin_choices), "option \"x\": choice \"a\" is there twice"},
	{OPTION("x", GB_OPTION_TYPE_ENUM, "h", .choices = actions, .default_text = "kill"),
	 "option \"x\": its default is \"kill\", want report, shutdown or destroy"},
	{OPTION("x", GB_OPTION_TYPE_STRINGS, "h", .default_text = "a,b"), NULL},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .offset = 0), "option \"x\": 0 options in a group, want 1..64"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .member_count = UINT32_MAX),
	 "option \"x\": 0 options in a group, want 1..64"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = rule_options, .member_count = UINT32_MAX),
	 "option \"x\": 4294967295 options in a group, want 1..64"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = rule_options, .member_count = 1, .item_size = 4),
	 "option \"x\": a group's struct of 4 bytes, want a multiple of 8 in 24..65536"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = rule_options, .member_count = 1, .item_size = UINT32_MAX),
	 "option \"x\": a group's struct of 4294967295 bytes, want a multiple of 8 in 24..65536"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = rule_options, .member_count = 1, .item_size = 24),
	 "option \"x.timeout\": its field ends at byte 88 of a struct of 24"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = rule_options, .member_count = 1,
		.item_size = sizeof(struct fake_rule), .default_text = "a"),
	 "option \"x\": a list of groups has no default"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = nested_members, .member_count = 1,
		.item_size = sizeof(struct fake_rule)),
	 "option \"x.rules\": a list of groups inside of a list of groups"},
	{OPTION("x", GB_OPTION_TYPE_GROUPS, "h", .members = low_members, .member_count = 1,
		.item_size = sizeof(struct fake_rule)),
	 "option \"x.low\": its field at byte 0 lies in the struct gb_group that must come first"},
};

static void check_table(const struct option_table *table, const char *problem)
{
	struct problems problems = {0};
	char want[512];

	snprintf(want, sizeof(want), "bad.so: plugin \"bad\": %s", problem);
	ck_assert_int_eq(option_table_check(table, "bad.so", &problems), problem ? -EINVAL : 0);
	ck_assert_uint_eq(problems.count, problem ? 1 : 0);
	if (problem)
		ck_assert_str_eq(problems.items[0], want);
	problems_fini(&problems);
}

START_TEST(bad_tables_are_said)
{
	struct option_table table = {.options = &tables[_i].option,
				     .count = 1,
				     .stride = sizeof(struct gb_option),
				     .data_size = 64,
				     .subject = "plugin \"bad\"",
				     .others = others};

	check_table(&table, tables[_i].problem);
}
END_TEST

START_TEST(bad_shapes_are_said)
{
	static const struct gb_option twins[] = {OPTION("x", GB_OPTION_TYPE_BOOL, "h", .offset = 0),
						 OPTION("x", GB_OPTION_TYPE_BOOL, "h", .offset = 1)};
	static const struct gb_option overlap[] = {OPTION("a", GB_OPTION_TYPE_INTEGER, "h", .max = 1),
						   OPTION("b", GB_OPTION_TYPE_BOOL, "h", .offset = 7)};
	struct option_table table = {
		.options = twins, .count = 2, .stride = sizeof(twins[0]), .data_size = 64, .subject = "plugin \"bad\""};

	check_table(&table, "option \"x\": declared twice");
	table.options = overlap;
	check_table(&table, "option \"b\": its field overlaps that of \"a\"");
	table.options = NULL;
	check_table(&table, "declares 2 options and no table of them");
	table.options = twins;
	table.count = UINT32_MAX;
	check_table(&table, "declares 4294967295 options, want at most 256");
	table.count = 1;
	table.data_size = UINT64_MAX;
	check_table(&table, "its configuration has 18446744073709551615 bytes, want at most 1048576");
	table.data_size = 64;
	for (table.stride = 0; table.stride < offsetof(struct gb_option, members); table.stride++) {
		struct problems problems = {0};

		ck_assert_int_eq(option_table_check(&table, NULL, &problems), -EINVAL);
		problems_fini(&problems);
	}
	table.stride = UINT32_MAX;
	check_table(&table,
		    "its options are 4294967295 bytes each, want a multiple of 8 in 56..4096, rebuild the plugin");
	table.options = NULL;
	table.count = 0;
	check_table(&table, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("option_table");
	TCase *tests = tcase_create("option_table");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, bad_tables_are_said, 0, GB_COUNT(tables));
	tcase_add_test(tests, bad_shapes_are_said);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
