/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of sysv_ipc: the judgement as a table, keys, users, times, and which rule applies. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sysv_ipc/policy.c" /* the very unit: a plugin has no library to link */

#define S ((uint64_t)GB_SECOND)
#define H (3600 * S)

static const struct {
	uint32_t facts;
	uint64_t unused_ns;
	uint32_t used_percent;
	struct sysv_limits limits;
	enum sysv_verdict verdict;
} cases[] = {
	/* keyless, unattached, everybody dead, old enough: the one class that is safe by default */
	{0, 24 * H, 0, {24 * H, 0, 0}, SYSV_GHOST},
	{0, 24 * H - 1, 0, {24 * H, 0, 0}, SYSV_TOO_YOUNG},
	{0, 0, 0, {1 * S, 0, 0}, SYSV_TOO_YOUNG},
	/* only by rule */
	{SYSV_KEYED, 48 * H, 0, {24 * H, 0, 0}, SYSV_HAS_KEY},
	{SYSV_KEYED, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_GHOST},
	{SYSV_KEYED, 12 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_TOO_YOUNG},
	{SYSV_SYSTEM_USER, 48 * H, 0, {24 * H, 0, 0}, SYSV_OF_SYSTEM},
	{SYSV_SYSTEM_USER, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_GHOST},
	{SYSV_MESSAGES, 48 * H, 0, {24 * H, 0, 0}, SYSV_HAS_MESSAGES},
	{SYSV_MESSAGES, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_GHOST},
	{SYSV_KEYED | SYSV_SYSTEM_USER | SYSV_MESSAGES, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_GHOST},
	{SYSV_CREATOR_UNKNOWN, 48 * H, 0, {24 * H, 0, 0}, SYSV_NO_CREATOR},
	{SYSV_CREATOR_UNKNOWN, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_GHOST},
	{SYSV_USER_FORGOTTEN, 48 * H, 0, {24 * H, 0, 0}, SYSV_IS_FORGOTTEN},
	{SYSV_USER_FORGOTTEN, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_GHOST},
	/* kept on purpose: the rule must name the key */
	{SYSV_KEYED | SYSV_ON_PURPOSE, 48 * H, 0, {24 * H, 0, 0}, SYSV_KEPT_ON_PURPOSE},
	{SYSV_KEYED | SYSV_ON_PURPOSE, 48 * H, 0, {24 * H, SYSV_NAMED, 0}, SYSV_KEPT_ON_PURPOSE},
	{SYSV_KEYED | SYSV_ON_PURPOSE, 48 * H, 0, {24 * H, SYSV_NAMED | SYSV_KEY_NAMED, 0}, SYSV_GHOST},
	/* never, whatever a rule says */
	{SYSV_ATTACHED, 48 * H, 0, {24 * H, 0, 0}, SYSV_IS_ATTACHED},
	{SYSV_ATTACHED, 48 * H, 100, {24 * H, SYSV_NAMED | SYSV_KEY_NAMED, 0}, SYSV_IS_ATTACHED},
	{SYSV_SLEEPER, 48 * H, 100, {24 * H, SYSV_NAMED | SYSV_KEY_NAMED, 0}, SYSV_HAS_SLEEPER},
	{SYSV_USER_ALIVE, 48 * H, 100, {24 * H, SYSV_NAMED | SYSV_KEY_NAMED, 0}, SYSV_HAS_USER},
	{SYSV_USER_UNKNOWN, 48 * H, 100, {24 * H, SYSV_NAMED | SYSV_KEY_NAMED, 0}, SYSV_NOT_VISIBLE},
	{SYSV_CREATOR_UNKNOWN, 0, 100, {24 * H, SYSV_NAMED | SYSV_KEY_NAMED, 0}, SYSV_TOO_YOUNG},
	/* the strongest reason is the one that is told */
	{SYSV_ATTACHED | SYSV_SLEEPER | SYSV_USER_ALIVE | SYSV_KEYED, 48 * H, 0, {24 * H, 0, 0}, SYSV_IS_ATTACHED},
	{SYSV_USER_ALIVE | SYSV_KEYED, 0, 0, {24 * H, 0, 0}, SYSV_HAS_USER},
	{SYSV_ON_PURPOSE | SYSV_KEYED | SYSV_SYSTEM_USER, 48 * H, 0, {24 * H, 0, 0}, SYSV_KEPT_ON_PURPOSE},
	/* pressure */
	{0, 48 * H, 79, {24 * H, 0, 80}, SYSV_NO_PRESSURE},
	{0, 48 * H, 80, {24 * H, 0, 80}, SYSV_GHOST},
	{SYSV_KEYED, 48 * H, 100, {24 * H, 0, 80}, SYSV_HAS_KEY},
};

START_TEST(judgement)
{
	ck_assert_int_eq(sysv_judge(cases[_i].facts, cases[_i].unused_ns, cases[_i].used_percent, &cases[_i].limits),
			 cases[_i].verdict);
}
END_TEST

static const struct {
	uint32_t kind, key;
	const char *program;
} on_purpose[] = {
	{SYSV_SHM, 0xae001000, "aerospike-primary-index"},
	{SYSV_SHM, 0xa2001000, "aerospike-secondary-index"},
	{SYSV_SHM, 0xad001001, "aerospike-data"},
	{SYSV_SHM, 0x52564801, "informix"},
	{SYSV_SHM, 0x52584803, "informix"},
	{SYSV_SHM, 0x53554801, "informix"},
	{SYSV_SHM, 0x52564901, NULL},
	{SYSV_SHM, 0xaf000000, NULL},
	{SYSV_SEM, 0xae001000, NULL},
	{SYSV_SHM, 0, NULL},
};

START_TEST(programs_that_keep_segments)
{
	const char *program = sysv_kept_by(on_purpose[_i].kind, on_purpose[_i].key);

	if (on_purpose[_i].program)
		ck_assert_str_eq(program, on_purpose[_i].program);
	else
		ck_assert_ptr_null(program);
}
END_TEST

static const struct {
	uint32_t uid;
	bool system;
} users[] = {
	{0, true},     {1, true},     {999, true},   {1000, false},  {60000, false},     {61183, false},
	{61184, true}, {65519, true}, {65534, true}, {65535, false}, {100000000, false}, {UINT32_MAX, true},
};

START_TEST(users_of_the_system)
{
	ck_assert_int_eq(sysv_is_system_uid(users[_i].uid), users[_i].system);
}
END_TEST

static const struct {
	uint64_t wall_ns;
	int64_t used_s;
	uint64_t bound_ns, unused_ns;
} times[] = {
	{1000 * S, 990, 100 * S, 9 * S}, /* at 990.999... perhaps */
	{1000 * S, 999, 100 * S, 0},      {1000 * S + 5, 999, 100 * S, 5},
	{1000 * S, 1000, 100 * S, 0},     {1000 * S, 2000, 100 * S, 0}, /* the clock was set back */
	{1000 * S, 10, 100 * S, 100 * S}, /* set forward: no older than the monotonic clock allows */
	{1000 * S, -1, 100 * S, 0},       {1000 * S, 0, UINT64_MAX, 999 * S},
};

START_TEST(proven_age)
{
	ck_assert_uint_eq(sysv_unused_ns(times[_i].wall_ns, times[_i].used_s, times[_i].bound_ns), times[_i].unused_ns);
}
END_TEST

/* ---- rules -------------------------------------------------------------------------------------------------------- */

static int match_comm(const struct gb_host *host, const struct gb_owner_match *match, const struct gb_owner *owner,
		      const struct gb_ns *ns)
{
	(void)host;
	(void)ns;
	return match->comm && strcmp(match->comm, owner->comm) == 0;
}

static const struct gb_host host = {.struct_size = sizeof(host), .owner_matches = match_comm};

#define SET(member) (UINT64_C(1) << (member))

static struct sysv_rule rules[] = {
	{.group = {.present = SET(0) | SET(RULE_ACTION), .line = 10}, .owner.comm = "db", .action = SYSV_ACTION_REPORT},
	{.group = {.present = SET(RULE_KEY) | SET(RULE_TIMEOUT), .line = 11},
	 .key = {0xae000000, 0xff000000},
	 .timeout_ns = 48 * H},
	{.group = {.present = SET(RULE_KEY) | SET(RULE_KIND), .line = 12}, .key = {77, UINT32_MAX}, .kind = SYSV_MSG},
	{.group = {.present = SET(RULE_OWNER_UID) | SET(RULE_PRESSURE), .line = 13}, .owner_uid = 33, .pressure = 80},
	{.group = {.present = SET(RULE_KIND) | SET(RULE_TIMEOUT), .line = 14}, .kind = SYSV_SEM, .timeout_ns = 1 * H},
};

static const struct sysv_config config = {
	.timeout_ns = 24 * H,
	.action = SYSV_ACTION_REMOVE,
	.pressure = 50,
	.rules = {.items = rules, .count = GB_COUNT(rules), .item_size = sizeof(rules[0])},
};

static const struct {
	struct sysv_subject subject;
	const char *comm;
	uint32_t line, named;
	uint64_t hours;
	int32_t action;
	uint32_t pressure;
} choices[] = {
	{{SYSV_SHM, 0, 1000, 1000}, "web", 0, 0, 24, SYSV_ACTION_REMOVE, 50},
	{{SYSV_SHM, 0, 1000, 1000}, "db", 10, SYSV_NAMED, 24, SYSV_ACTION_REPORT, 50},
	{{SYSV_SHM, 0xae000001, 1000, 1000}, "web", 11, SYSV_NAMED | SYSV_KEY_NAMED, 48, SYSV_ACTION_REMOVE, 50},
	{{SYSV_SHM, 0xaf000001, 1000, 1000}, "web", 0, 0, 24, SYSV_ACTION_REMOVE, 50},
	{{SYSV_MSG, 77, 1000, 1000}, "web", 12, SYSV_NAMED | SYSV_KEY_NAMED, 24, SYSV_ACTION_REMOVE, 50},
	{{SYSV_SHM, 77, 1000, 1000}, "web", 0, 0, 24, SYSV_ACTION_REMOVE, 50},
	{{SYSV_SHM, 0, 33, 1000}, "web", 13, SYSV_NAMED, 24, SYSV_ACTION_REMOVE, 80},
	{{SYSV_SHM, 0, 1000, 33}, "web", 13, SYSV_NAMED, 24, SYSV_ACTION_REMOVE, 80},
	/* a rule by kind alone names nothing: it does not open what only a rule opens */
	{{SYSV_SEM, 5, 1000, 1000}, "web", 14, 0, 1, SYSV_ACTION_REMOVE, 50},
	/* the first wins */
	{{SYSV_SEM, 0, 33, 33}, "web", 13, SYSV_NAMED, 24, SYSV_ACTION_REMOVE, 80},
};

START_TEST(first_match_wins)
{
	struct gb_owner owners[] = {{.comm = "helper"}, {.comm = choices[_i].comm}}; /* any one of them */
	struct sysv_policy policy = sysv_policy_of(&config, &host, &choices[_i].subject, owners, 2);

	ck_assert_uint_eq(policy.line, choices[_i].line);
	ck_assert_uint_eq(policy.limits.named, choices[_i].named);
	ck_assert_uint_eq(policy.limits.timeout_ns, choices[_i].hours * H);
	ck_assert_uint_eq(policy.limits.pressure, choices[_i].pressure);
	ck_assert_int_eq(policy.action, choices[_i].action);
}
END_TEST

START_TEST(a_rule_about_owners_needs_one)
{
	struct sysv_subject subject = {.kind = SYSV_SHM, .uid = 1000};

	ck_assert_uint_eq(sysv_policy_of(&config, &host, &subject, NULL, 0).line, 0);
}
END_TEST

START_TEST(the_earliest_deadline_is_that_of_any_rule)
{
	struct sysv_config none = config;

	ck_assert_uint_eq(sysv_config_timeout(&config), 1 * H);
	none.rules.count = 0;
	ck_assert_uint_eq(sysv_config_timeout(&none), 24 * H);
}
END_TEST

START_TEST(members_stand_where_their_bits_say)
{
	static const char *const names[] = {"comm", "exe", "uid",       "unit",    "container", "cgroup",  "netns",
					    "kind", "key", "owner_uid", "timeout", "action",    "pressure"};

	ck_assert_uint_eq(GB_COUNT(rule_options), GB_COUNT(names));
	for (size_t i = 0; i < GB_COUNT(names); i++)
		ck_assert_str_eq(rule_options[i].key, names[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_policy");
	TCase *test = tcase_create("policy");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(test, judgement, 0, GB_COUNT(cases));
	tcase_add_loop_test(test, programs_that_keep_segments, 0, GB_COUNT(on_purpose));
	tcase_add_loop_test(test, users_of_the_system, 0, GB_COUNT(users));
	tcase_add_loop_test(test, proven_age, 0, GB_COUNT(times));
	tcase_add_loop_test(test, first_match_wins, 0, GB_COUNT(choices));
	tcase_add_test(test, a_rule_about_owners_needs_one);
	tcase_add_test(test, the_earliest_deadline_is_that_of_any_rule);
	tcase_add_test(test, members_stand_where_their_bits_say);
	suite_add_tcase(suite, test);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
