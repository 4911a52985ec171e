/* SPDX-License-Identifier: Apache-2.0 */
#include "option.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER "a number such as 5432001 or \"0x52e2c1\", or a prefix such as \"0xae000000/0xff000000\""

/* A plugin that has an option of every type. */
struct fake_rule {
	struct gb_group group;
	struct gb_owner_match owner;
	uint64_t timeout_ns;
	struct gb_range port;
	struct gb_cidr remote;
	struct gb_strings names;
	int32_t action;
};

struct fake_config {
	bool verbose;
	int64_t depth;
	uint64_t memory;
	uint64_t timeout_ns;
	const char *label;
	const char *unset;
	int32_t action;
	struct gb_strings paths;
	struct gb_groups rules;
	struct gb_range ports;
	struct gb_cidr network;
	int64_t any;
	struct gb_mask number;
};

static const char *const actions[] = {"report", "shutdown", "destroy", NULL};

static const struct gb_option rule_options[] = {
	GB_OPTION_DURATION("timeout", struct fake_rule, timeout_ns, NULL, GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	GB_OPTION_RANGE("local_port", struct fake_rule, port, NULL, 1, 65535, "local port"),
	GB_OPTION_CIDR("remote", struct fake_rule, remote, NULL, "peer"),
	GB_OPTION_STRINGS("names", struct fake_rule, names, "names"),
	GB_OPTION_ENUM("action", struct fake_rule, action, NULL, actions, "what to do"),
	GB_OWNER_MATCH_OPTIONS(struct fake_rule, owner),
};

static const struct gb_option fake_options[] = {
	GB_OPTION_BOOL("verbose", struct fake_config, verbose, "true", "say more"),
	GB_OPTION_INTEGER("depth", struct fake_config, depth, "7", -5, 100, "how deep"),
	GB_OPTION_SIZE("memory", struct fake_config, memory, "64M", 1024, INT64_C(1) << 40, "how much"),
	GB_OPTION_DURATION("timeout", struct fake_config, timeout_ns, "60s", GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	GB_OPTION_STRING("label", struct fake_config, label, "none", "a name"),
	GB_OPTION_STRING("unset", struct fake_config, unset, NULL, "a name that may be missing"),
	GB_OPTION_ENUM("action", struct fake_config, action, "destroy", actions, "what to do"),
	GB_OPTION_STRINGS("paths", struct fake_config, paths, "where"),
	GB_OPTION_GROUPS("rules", struct fake_config, rules, rule_options, struct fake_rule, "exceptions"),
	GB_OPTION_RANGE("ports", struct fake_config, ports, NULL, 1, 65535, "ports"),
	GB_OPTION_CIDR("network", struct fake_config, network, "10.0.0.0/8", "peers"),
	GB_OPTION_INTEGER("any", struct fake_config, any, NULL, INT64_MIN, INT64_MAX, "any number"),
	GB_OPTION_MASK("number", struct fake_config, number, NULL, 1, UINT32_MAX, "a key"),
};

static const char *const others[] = {"enabled", NULL};

static const struct option_table fake = {
	.options = fake_options,
	.count = GB_COUNT(fake_options),
	.stride = sizeof(struct gb_option),
	.data_size = sizeof(struct fake_config),
	.subject = "plugin \"fake\"",
	.others = others,
};

/* The text as FILE "f.cfg", the override "fake.KEY=VALUE" (may be NULL). Problems end up in one text, a line each. */
static char problems_text[8192];

static struct settings *decode(const struct option_table *table, const char *text, const char *set)
{
	struct problems problems = {0};
	struct settings *settings = NULL;
	struct override override = {0};
	struct option_source source = {.file = "f.cfg"};
	config_t parsed;
	int rc;

	config_init(&parsed);
	ck_assert_msg(config_read_string(&parsed, text) == CONFIG_TRUE, "%s: %s", text, config_error_text(&parsed));
	source.group = config_root_setting(&parsed);
	if (set) {
		ck_assert_int_eq(override_parse(set, &override, &problems), 0);
		source.overrides = &override;
		source.override_count = 1;
	}
	rc = settings_decode(table, &source, &problems, &settings);
	*problems_text = '\0';
	for (size_t i = 0; i < problems.count; i++) {
		strcat(problems_text, i ? "\n" : "");
		strcat(problems_text, problems.items[i]);
	}
	ck_assert_int_eq(rc, problems.count ? -EINVAL : 0);
	ck_assert(problems.count ? !settings : settings != NULL);
	problems_fini(&problems);
	override_fini(&override);
	config_destroy(&parsed);
	return settings;
}

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

START_TEST(overrides_are_split)
{
	static const struct {
		const char *text, *scope, *key, *value;
	} good[] = {
		{"a.b=c", "a", "b", "c"},
		{"tcp_close_wait.timeout=-3", "tcp_close_wait", "timeout", "-3"},
		{"ghostbuster.guard.rate=5", "ghostbuster", "guard.rate", "5"},
		{"a.b=", "a", "b", ""},
		{"a.b=c=d.e", "a", "b", "c=d.e"},
	};
	static const char *const malformed[] = {"",        "a",     "a.b", "a=b", ".b=c", "a.=c",
						"a b.c=d", "A.b=c", "=",   ".",   "a.b.c"};
	struct problems problems = {0};
	struct override override;
	char want[256];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(override_parse(good[i].text, &override, &problems), 0);
		ck_assert_str_eq(override.scope, good[i].scope);
		ck_assert_str_eq(override.key, good[i].key);
		ck_assert_str_eq(override.value, good[i].value);
		snprintf(want, sizeof(want), "--set %s", good[i].text);
		ck_assert_str_eq(override.typed, want);
		override_fini(&override);
	}
	ck_assert_uint_eq(problems.count, 0);
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		ck_assert_int_eq(override_parse(malformed[i], &override, &problems), -EINVAL);
		ck_assert_uint_eq(problems.count, i + 1);
		snprintf(want, sizeof(want),
			 "--set %s: want PLUGIN.KEY=VALUE or ghostbuster.KEY=VALUE, such as --set "
			 "tcp_close_wait.timeout=90s",
			 malformed[i]);
		ck_assert_str_eq(problems.items[i], want);
	}
	problems_fini(&problems);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("option");
	TCase *option = tcase_create("option");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(option, the_fake_table_is_sane);
	tcase_add_test(option, defaults_fill_every_field);
	tcase_add_test(option, no_group_is_all_defaults);
	tcase_add_test(option, values_reach_every_field);
	tcase_add_test(option, overrides_win);
	tcase_add_test(option, a_string_may_take_a_number);
	tcase_add_loop_test(option, bad_values_are_said, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(option, long_texts_are_refused_and_cut);
	tcase_add_test(option, equality_is_deep);
	tcase_add_test(option, settings_are_shown);
	tcase_add_test(option, tables_are_shown);
	tcase_add_test(option, strides_may_differ);
	tcase_add_loop_test(option, bad_tables_are_said, 0, sizeof(tables) / sizeof(tables[0]));
	tcase_add_test(option, bad_shapes_are_said);
	tcase_add_test(option, overrides_are_split);
	suite_add_tcase(suite, option);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
