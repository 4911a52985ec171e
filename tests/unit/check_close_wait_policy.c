/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule of tcp_close_wait applies: ports, peers, classes and owners, the first match wins. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tcp_close_wait/policy.c" /* the very unit: a plugin has no library to link */

static struct gb_cidr cidr(const char *address, uint8_t prefix_len)
{
	struct gb_cidr result = {.family = strchr(address, ':') ? AF_INET6 : AF_INET, .prefix_len = prefix_len};

	ck_assert_int_eq(inet_pton(result.family, address, result.address), 1);
	return result;
}

static struct cw_observation peer(const char *address)
{
	struct cw_observation seen = {.flags = CW_ACCEPTED, .tuple.local_port = 8080};

	seen.tuple.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(seen.tuple.family, address, seen.tuple.remote_addr), 1);
	return seen;
}

static const struct {
	const char *network;
	uint8_t prefix_len;
	const char *peer;
	bool matches;
} remotes[] = {
	{"10.0.0.0", 8, "10.255.1.2", true},
	{"10.0.0.0", 8, "11.0.0.1", false},
	{"192.0.2.128", 25, "192.0.2.129", true},
	{"192.0.2.128", 25, "192.0.2.127", false},
	{"192.0.2.1", 32, "192.0.2.1", true},
	{"192.0.2.1", 32, "192.0.2.2", false},
	{"0.0.0.0", 0, "203.0.113.9", true},
	{"0.0.0.0", 0, "2001:db8::1", false},
	{"10.0.0.0", 8, "::ffff:10.1.2.3", true},
	{"10.0.0.0", 8, "::ffff:11.1.2.3", false},
	{"::ffff:10.0.0.0", 104, "::ffff:10.1.2.3", true},
	{"2001:db8::", 33, "2001:db8:7fff::1", true},
	{"2001:db8::", 33, "2001:db8:8000::1", false},
	{"::1", 128, "::1", true},
	{"::", 0, "10.0.0.1", false},
};

START_TEST(remote)
{
	struct gb_cidr network = cidr(remotes[_i].network, remotes[_i].prefix_len);
	struct cw_observation seen = peer(remotes[_i].peer);

	ck_assert_int_eq(remote_matches(&network, &seen.tuple), remotes[_i].matches);
}
END_TEST

static int match_comm(const struct gb_host *host, const struct gb_owner_match *match, const struct gb_owner *owner,
		      const struct gb_ns *ns)
{
	(void)host;
	(void)ns;
	return match->comm && strcmp(match->comm, owner->comm) == 0;
}

static const struct gb_host host = {.struct_size = sizeof(host), .owner_matches = match_comm};

#define SET(member) (UINT64_C(1) << (member))

static struct cw_rule rules[] = {
	{.group = {.present = SET(0) | SET(RULE_ACTION), .line = 10}, .owner.comm = "db", .action = CW_ACTION_REPORT},
	{.group = {.present = SET(RULE_LOCAL_PORT) | SET(RULE_TIMEOUT), .line = 11},
	 .local_port = {8000, 8999},
	 .timeout_ns = 300 * (uint64_t)GB_SECOND},
	{.group = {.present = SET(RULE_CLASS) | SET(RULE_TIMEOUT), .line = 12},
	 .class = CW_CLASS_STUCK_READER,
	 .timeout_ns = 5 * (uint64_t)GB_SECOND},
	{.group = {.present = SET(RULE_LOCAL_PORT) | SET(RULE_ACTION), .line = 13},
	 .local_port = {8080, 8080},
	 .action = CW_ACTION_REPORT},
};

static const struct cw_config config = {
	.timeout_ns = 60 * (uint64_t)GB_SECOND,
	.action = CW_ACTION_DESTROY,
	.rules = {.items = rules, .count = 4, .item_size = sizeof(rules[0])},
};

static const struct {
	uint16_t port;
	uint32_t rqueue;
	const char *comm;
	uint32_t line;
	uint64_t timeout_s;
	int32_t action;
} choices[] = {
	{80, 1, "web", 0, 60, CW_ACTION_DESTROY},
	{7999, 1, "web", 0, 60, CW_ACTION_DESTROY},
	{8000, 1, "web", 11, 300, CW_ACTION_DESTROY},
	{8080, 1, "web", 11, 300, CW_ACTION_DESTROY}, /* the fourth comes too late */
	{8999, 2, "web", 11, 300, CW_ACTION_DESTROY},
	{9000, 2, "web", 12, 5, CW_ACTION_DESTROY},
	{9000, 1, "web", 0, 60, CW_ACTION_DESTROY},
	{9000, 2, "db", 10, 60, CW_ACTION_REPORT},
};

START_TEST(first_match_wins)
{
	struct cw_observation seen = peer("10.0.0.1");
	struct gb_owner owners[] = {{.comm = "helper"}, {.comm = choices[_i].comm}}; /* any one of them */
	struct cw_policy policy;

	seen.tuple.local_port = choices[_i].port;
	seen.rqueue = choices[_i].rqueue;
	policy = cw_policy_of(&config, &host, &seen, owners, 2);
	ck_assert_uint_eq(policy.line, choices[_i].line);
	ck_assert_uint_eq(policy.timeout_ns, choices[_i].timeout_s * (uint64_t)GB_SECOND);
	ck_assert_int_eq(policy.action, choices[_i].action);
}
END_TEST

START_TEST(a_rule_about_owners_needs_one)
{
	struct cw_observation seen = peer("10.0.0.1");

	seen.tuple.local_port = 80;
	ck_assert_uint_eq(cw_policy_of(&config, &host, &seen, NULL, 0).line, 0);
}
END_TEST

START_TEST(the_earliest_deadline_is_that_of_any_rule)
{
	struct cw_config none = config;

	ck_assert_uint_eq(cw_config_timeout(&config), 5 * (uint64_t)GB_SECOND);
	none.rules.count = 0;
	ck_assert_uint_eq(cw_config_timeout(&none), 60 * (uint64_t)GB_SECOND);
}
END_TEST

START_TEST(classes_by_the_receive_queue)
{
	struct cw_observation seen = {.flags = CW_ACCEPTED};

	ck_assert_str_eq(cw_class_name(cw_class_of(&seen)), "leaked-after-eof");
	seen.rqueue = 1;
	ck_assert_str_eq(cw_class_name(cw_class_of(&seen)), "never-looked");
	seen.rqueue = 2;
	ck_assert_str_eq(cw_class_name(cw_class_of(&seen)), "stuck-reader");
	seen.flags = 0;
	ck_assert_str_eq(cw_class_name(cw_class_of(&seen)), "unaccepted");
}
END_TEST

START_TEST(members_stand_where_their_bits_say)
{
	static const char *const keys[] = {"comm",    "exe",    "uid",        "unit",   "container",
					   "cgroup",  "netns",  "local_port", "remote", "class",
					   "timeout", "action", "peer_probe"};

	ck_assert_uint_eq(GB_COUNT(rule_options), GB_COUNT(keys));
	for (size_t i = 0; i < GB_COUNT(keys); i++)
		ck_assert_str_eq(rule_options[i].key, keys[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close_wait_policy");
	TCase *test = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(test, remote, 0, sizeof(remotes) / sizeof(remotes[0]));
	tcase_add_loop_test(test, first_match_wins, 0, sizeof(choices) / sizeof(choices[0]));
	tcase_add_test(test, a_rule_about_owners_needs_one);
	tcase_add_test(test, the_earliest_deadline_is_that_of_any_rule);
	tcase_add_test(test, classes_by_the_receive_queue);
	tcase_add_test(test, members_stand_where_their_bits_say);
	suite_add_tcase(suite, test);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
