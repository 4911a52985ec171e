/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_problems.h"

#define SETS_MAX 4

/* `sets`: the arguments of --set, ended by NULL; may be NULL. */
static struct config *load(const char *text, const char *const *sets)
{
	struct problems problems = {0};
	struct override overrides[SETS_MAX];
	struct config *config = NULL;
	size_t count = 0;
	int rc;

	for (; sets && count < SETS_MAX && sets[count]; count++)
		ck_assert_int_eq(override_parse(sets[count], &overrides[count], &problems), 0);
	rc = config_load_text("f.cfg", text, strlen(text), overrides, count, &problems, &config);
	ck_assert_int_eq(rc, problems.count ? -EINVAL : 0);
	ck_assert(problems.count ? !config : config != NULL);
	problems_take(&problems);
	while (count)
		override_fini(&overrides[--count]);
	return config;
}

START_TEST(an_empty_file_is_all_defaults)
{
	struct config *config = load("", NULL);

	ck_assert_int_eq(config->mode, CONFIG_REAP);
	ck_assert_str_eq(config->control, "/run/ghostbuster/control.sock");
	ck_assert_int_eq(config->journal.format, CONFIG_TEXT);
	ck_assert_uint_eq(config->scope.netns.count, 0);
	ck_assert_uint_eq(config->guard.exempt.count, 0);
	ck_assert_int_eq(config->guard.rate, 100);
	ck_assert_int_eq(config->guard.burst, 1000);
	ck_assert_int_eq(config->guard.failures, 10);
	ck_assert_uint_eq(config->guard.failure_window_ns, (uint64_t)GB_MINUTE);
	ck_assert_uint_eq(config->guard.owner_grace_ns, (uint64_t)(5 * GB_SECOND));
	ck_assert_uint_eq(config->plugin_count, 0);
	ck_assert_str_eq(config->file, "f.cfg");
	config_free(config);
	config_free(NULL);
}
END_TEST

static const char full[] =
	"ghostbuster: { mode = \"observe\"; control = \"/tmp/c.sock\"; journal: { format = \"json\"; };\n"
	"scope: { netns = (\"a\", \"/proc/1/ns/net\"); ipcns = (\"b\"); paths = (\"/srv\"); };\n"
	"guard: { exempt = (\n"
	"  { comm = \"sshd\"; },\n"
	"  { unit = \"nginx*\"; uid = 4294967294; port = \"8000-8999\"; },\n"
	"  { path = \"/var/*\"; container = \"0123456789ab\"; });\n"
	"  rate = 5; burst = 6; failures = 7; failure_window = \"2m\"; owner_grace = 0; }; };\n"
	"plugins: {\n"
	"  one: { enabled = true; timeout = 90; };\n"
	"  two: { }; three: { enabled = false; timeout = -1; };\n"
	"};\n";

START_TEST(everything_is_read)
{
	struct config *config = load(full, NULL);
	const struct exemption *exempt;

	ck_assert_str_eq(problems_text, "");
	ck_assert_int_eq(config->mode, CONFIG_OBSERVE);
	ck_assert_str_eq(config->control, "/tmp/c.sock");
	ck_assert_int_eq(config->journal.format, CONFIG_JSON);
	ck_assert_uint_eq(config->scope.netns.count, 2);
	ck_assert_str_eq(config->scope.netns.items[1], "/proc/1/ns/net");
	ck_assert_str_eq(config->scope.ipcns.items[0], "b");
	ck_assert_str_eq(config->scope.paths.items[0], "/srv");
	ck_assert_int_eq(config->guard.rate, 5);
	ck_assert_int_eq(config->guard.burst, 6);
	ck_assert_int_eq(config->guard.failures, 7);
	ck_assert_uint_eq(config->guard.failure_window_ns, (uint64_t)(2 * GB_MINUTE));
	ck_assert_uint_eq(config->guard.owner_grace_ns, 0);
	ck_assert_uint_eq(config->guard.exempt.count, 3);
	exempt = config->guard.exempt.items;
	ck_assert_str_eq(exempt[0].owner.comm, "sshd");
	ck_assert_int_eq(exempt[0].owner.uid, -1);
	ck_assert_int_gt(exempt[0].port.first, exempt[0].port.last);
	ck_assert_uint_eq(exempt[0].group.line, 4);
	ck_assert_int_eq(exempt[1].owner.uid, INT64_C(4294967294));
	ck_assert_int_eq(exempt[1].port.last, 8999);
	ck_assert_str_eq(exempt[2].path, "/var/*");

	ck_assert_uint_eq(config->plugin_count, 3);
	ck_assert_str_eq(config->plugins[0].name, "one");
	ck_assert(config->plugins[0].enabled);
	ck_assert_uint_eq(config->plugins[0].line, 9);
	ck_assert_str_eq(config->plugins[0].file, "f.cfg");
	ck_assert(!config->plugins[1].enabled);
	ck_assert(!config_find_plugin(config, "three")->enabled);
	ck_assert_ptr_null(config_find_plugin(config, "four"));
	config_free(config);
}
END_TEST

START_TEST(overrides_win)
{
	static const char *const sets[] = {"ghostbuster.mode=reap", "ghostbuster.guard.rate=9", "two.enabled=true",
					   "four.enabled=true", NULL};
	static const char *const more[] = {"ghostbuster.scope.netns=x,y", "ghostbuster.journal.format=text",
					   "one.enabled=false", "five.timeout=3", NULL};
	struct config *config = load(full, sets);

	ck_assert_int_eq(config->mode, CONFIG_REAP);
	ck_assert_int_eq(config->guard.rate, 9);
	ck_assert_uint_eq(config->plugin_count, 4);
	ck_assert(config_find_plugin(config, "two")->enabled);
	ck_assert(config_find_plugin(config, "four")->enabled);
	ck_assert_str_eq(config_find_plugin(config, "four")->file, "--set four.enabled=true");
	ck_assert_uint_eq(config_find_plugin(config, "four")->line, 0);
	config_free(config);

	config = load(full, more);
	ck_assert_uint_eq(config->scope.netns.count, 2);
	ck_assert_str_eq(config->scope.netns.items[1], "y");
	ck_assert_int_eq(config->journal.format, CONFIG_TEXT);
	ck_assert(!config_find_plugin(config, "one")->enabled);
	ck_assert(!config_find_plugin(config, "five")->enabled);
	config_free(config);
}
END_TEST

static const struct {
	const char *text, *set, *problems;
} bad[] = {
	{"ghostbuster: { mode = \"dry\"; };", NULL, "f.cfg:1: ghostbuster: mode = \"dry\", want reap or observe"},
	{"ghostbuster: { moed = \"reap\"; };", NULL,
	 "f.cfg:1: ghostbuster: unknown option \"moed\", did you mean \"mode\"?"},
	{"ghostbuster: {\n gaurd: {}; };", NULL,
	 "f.cfg:2: ghostbuster: unknown option \"gaurd\", did you mean \"guard\"?"},
	{"ghostbuster: { guard: { rates = 3; }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: unknown option \"rates\", did you mean \"rate\"?"},
	{"ghostbuster: { guard: { rate = 0; burst = 10000001; }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: rate = 0, want 1..1000000\n"
	 "f.cfg:1: ghostbuster.guard: burst = 10000001, want 1..10000000"},
	{"ghostbuster: { guard: { rate = 4294967297; }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: rate = 4294967297, want 1..1000000"},
	{"ghostbuster: { guard: { rate = 0x100000001; }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: rate = 4294967297, want 1..1000000"},
	{"ghostbuster: { guard: { rate = 1.5; }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: rate = 1.5, want a whole number, 1..1000000"},
	{"ghostbuster: { guard: { rate =\n 99999999999999999999; }; };", NULL,
	 "f.cfg:2: the number 99999999999999999999 does not fit into 64 bits"},
	{"ghostbuster: { guard: { failure_window = \"500ms\"; }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: failure_window = \"500ms\", want 1s..1d"},
	{"ghostbuster: { guard = 3; };", NULL, "f.cfg:1: ghostbuster.guard: want a group such as { key = value; }"},
	{"ghostbuster = 3;", NULL, "f.cfg:1: ghostbuster: want a group such as { key = value; }"},
	{"plugins = 3;", NULL, "f.cfg:1: plugins: want a group such as { tcp_close_wait: { enabled = true; }; }"},
	{"plugin: {};", NULL, "f.cfg:1: top level: unknown option \"plugin\", did you mean \"plugins\"?"},
	{"tcp_close_wait: {};", NULL,
	 "f.cfg:1: top level: unknown option \"tcp_close_wait\", known are: ghostbuster, plugins"},
	{"ghostbuster: { guard: { exempt = (\n{}, { uid = -1; }, { comm = \"x\"; }); }; };", NULL,
	 "f.cfg:2: ghostbuster.guard: exempt #1: sets nothing and would exempt everything, want at least one of comm, exe, "
	 "uid, unit, container, cgroup, netns, port, path\n"
	 "f.cfg:2: ghostbuster.guard: exempt #2: sets nothing and would exempt everything, want at least one of comm, exe, "
	 "uid, unit, container, cgroup, netns, port, path"},
	{"ghostbuster: { guard: { exempt = ({ unit = \"\"; }); }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: exempt #1: unit = \"\", want a text that is not empty"},
	{"ghostbuster: { guard: { exempt = ({ comm = \"a234567890123456\"; }); }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: exempt #1: comm = \"a234567890123456\", want at most 15 bytes: the kernel keeps no "
	 "more of a command's name"},
	{"ghostbuster: { guard: { exempt = ({ container = \"0123456789a\"; }); }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: exempt #1: container = \"0123456789a\", want 12 to 64 hex digits"},
	{"ghostbuster: { guard: { exempt = ({ comn = \"a\"; }); }; };", NULL,
	 "f.cfg:1: ghostbuster.guard: exempt #1: unknown option \"comn\", did you mean \"comm\"?"},
	{"ghostbuster: {\ncontrol = \"run/c.sock\"; };", NULL,
	 "f.cfg:2: ghostbuster: control = \"run/c.sock\", want an absolute path of at most 107 bytes"},
	{"ghostbuster: { control = \"x\"; };", "ghostbuster.control=",
	 "--set ghostbuster.control=: ghostbuster: control = \"\", want an absolute path of at most 107 bytes"},
	{"plugins: { one: { enabled = \"yes\"; }; };", NULL,
	 "f.cfg:1: plugin \"one\": enabled = \"yes\", want true or false"},
	{"", "one.enabled=1", "--set one.enabled=1: plugin \"one\": enabled = 1, want true or false"},
	{"plugins: { one = true; };", NULL, "f.cfg:1: plugin \"one\": want a group such as { key = value; }"},
	{"plugins: { One-a: {}; };", NULL,
	 "f.cfg:1: plugin name \"One-a\", want [a-z][a-z0-9_]* of at most 31 bytes and not \"ghostbuster\""},
	{"plugins: { ghostbuster: {}; };", NULL,
	 "f.cfg:1: plugin name \"ghostbuster\", want [a-z][a-z0-9_]* of at most 31 bytes and not \"ghostbuster\""},
	{"", "9x.a=1",
	 "--set 9x.a=1: plugin name \"9x\", want [a-z][a-z0-9_]* of at most 31 bytes and not \"ghostbuster\""},
	{"", "ghostbuster.guard.rate=x",
	 "--set ghostbuster.guard.rate=x: ghostbuster.guard: rate = \"x\", want a whole number, 1..1000000"},
	{"", "ghostbuster.guard=x",
	 "--set ghostbuster.guard=x: ghostbuster: guard is a group, want --set ghostbuster.guard.KEY=VALUE"},
	{"", "ghostbuster.gaurd.rate=3",
	 "--set ghostbuster.gaurd.rate=3: ghostbuster: unknown group \"gaurd\", did you mean \"guard\"?"},
	{"", "ghostbuster.guard.raet=3",
	 "--set ghostbuster.guard.raet=3: ghostbuster.guard: unknown option \"raet\", did you mean \"rate\"?"},
	{"", "ghostbuster.guard.exempt=x",
	 "--set ghostbuster.guard.exempt=x: ghostbuster.guard: exempt is a list of groups and cannot be set on the command "
	 "line, write it into the configuration file"},
	{"", "ghostbuster.rate=3",
	 "--set ghostbuster.rate=3: ghostbuster: unknown option \"rate\", known are: mode, control, journal, scope, guard"},
	{"a = 1\nb = 2", NULL,
	 "f.cfg:1: top level: unknown option \"a\", known are: ghostbuster, plugins\n"
	 "f.cfg:2: top level: unknown option \"b\", known are: ghostbuster, plugins"},
	{"ghostbuster: {\n mode = \"reap\n", NULL,
	 "f.cfg:3: syntax error here or shortly before: is a quote, a \";\" or a bracket missing?"},
	{"ghostbuster: {};\nghostbuster: {};", NULL, "f.cfg:2: duplicate setting name"},
	{"#\n @include \"/etc/passwd\"\n", NULL,
	 "f.cfg:2: @include is not supported, write everything into this one file"},
	{"ghostbuster: { mode = 1; };\nplugins: { a: { enabled = 2; }; B: {}; };\nx = 1;",
	 "ghostbuster.journal.format=xml",
	 "f.cfg:3: top level: unknown option \"x\", known are: ghostbuster, plugins\n"
	 "f.cfg:1: ghostbuster: mode = 1, want reap or observe\n"
	 "--set ghostbuster.journal.format=xml: ghostbuster.journal: format = \"xml\", want text or json\n"
	 "f.cfg:2: plugin name \"B\", want [a-z][a-z0-9_]* of at most 31 bytes and not \"ghostbuster\"\n"
	 "f.cfg:2: plugin \"a\": enabled = 2, want true or false"},
};

START_TEST(bad_files_are_said)
{
	const char *const sets[] = {bad[_i].set, NULL};

	ck_assert_ptr_null(load(bad[_i].text, sets));
	ck_assert_str_eq(problems_text, bad[_i].problems);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	static const char text[] = "\n\nghostbuster: {};\0}";
	struct problems problems = {0};
	struct config *config = NULL;

	ck_assert_int_eq(config_load_text("f.cfg", text, sizeof(text), NULL, 0, &problems, &config), -EINVAL);
	problems_take(&problems);
	ck_assert_str_eq(problems_text, "f.cfg:3: has a NUL byte, want text");
}
END_TEST

START_TEST(too_many_names_are_refused)
{
	static char text[200000];
	size_t used = 0;

	for (int i = 0; i < 10001; i++)
		used += (size_t)sprintf(text + used, "k%d = 1;\n", i);
	ck_assert_ptr_null(load(text, NULL));
	ck_assert_str_eq(problems_text, "f.cfg:10001: more than 10000 names, want fewer");
}
END_TEST

/* The plugin that the installed file configures, as its options are documented. */
struct tcp_config {
	uint64_t timeout_ns;
	int32_t action, method;
};

static const char *const actions[] = {"report", "destroy", NULL};
static const char *const methods[] = {"auto", "iterator", "sock_diag", NULL};
static const struct gb_option tcp_options[] = {
	GB_OPTION_DURATION("timeout", struct tcp_config, timeout_ns, "5s", GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	GB_OPTION_ENUM("action", struct tcp_config, action, "report", actions, "how to release"),
	GB_OPTION_ENUM("method", struct tcp_config, method, "sock_diag", methods, "by what means"),
};
static const struct option_table tcp_table = {.options = tcp_options,
					      .count = GB_COUNT(tcp_options),
					      .stride = sizeof(struct gb_option),
					      .data_size = sizeof(struct tcp_config),
					      .subject = "plugin \"tcp_close_wait\"",
					      .others = config_plugin_keys};

START_TEST(plugin_settings_come_later)
{
	static const char *const sets[] = {"tcp_close_wait.enabled=true", "tcp_close_wait.timeout=3",
					   "other.timeout=-3", "tcp_close_wait.methud=auto", NULL};
	struct config *config =
		load("\nplugins: { tcp_close_wait: { enabled = true; timeout = -3;\n action = 1; }; };", sets);
	struct settings *settings = NULL;
	struct problems problems = {0};

	ck_assert_int_eq(config_plugin_settings(config, &tcp_table, "tcp_close_wait", &problems, &settings), -EINVAL);
	problems_take(&problems);
	ck_assert_str_eq(problems_text,
			 "f.cfg:2: plugin \"tcp_close_wait\": timeout = -3, want 1s..30d\n"
			 "f.cfg:3: plugin \"tcp_close_wait\": action = 1, want report or destroy\n"
			 "--set tcp_close_wait.methud=auto: plugin \"tcp_close_wait\": unknown option \"methud\", did "
			 "you mean \"method\"?");
	ck_assert_int_eq(config_plugin_settings(config, &tcp_table, "absent", &problems, &settings), 0);
	ck_assert_uint_eq(((const struct tcp_config *)settings_data(settings))->timeout_ns, (uint64_t)(5 * GB_SECOND));
	settings_free(settings);
	config_free(config);
}
END_TEST

START_TEST(parts_are_compared)
{
	static const char *const rate[] = {"ghostbuster.guard.rate=8", NULL};
	static const char *const mode[] = {"ghostbuster.mode=reap", NULL};
	struct config *a = load(full, NULL), *b = load(full, NULL), *c = load(full, rate), *d = load(full, mode);

	for (enum config_part part = 0; part < CONFIG_PARTS; part++) {
		ck_assert(config_part_equal(a, b, part));
		ck_assert(config_part_equal(a, c, part) == (part != CONFIG_PART_GUARD));
		ck_assert(config_part_equal(a, d, part) == (part != CONFIG_PART_MAIN));
	}
	config_free(a);
	config_free(b);
	config_free(c);
	config_free(d);
}
END_TEST

START_TEST(the_core_is_shown)
{
	static const char text[] = "ghostbuster: { guard: { exempt = ( { comm = \"sshd\"; } ); }; };";
	struct config *config = load(text, NULL);
	json_t *json = config_json(config);
	json_t *want = json_loads(
		"{\"mode\": \"reap\", \"control\": \"/run/ghostbuster/control.sock\", \"journal\": "
		"{\"format\": \"text\", \"summary\": true}, \"scope\": {\"netns\": [], \"ipcns\": [], \"paths\": []}, "
		"\"guard\": {\"exempt\": [{\"comm\": \"sshd\"}], \"rate\": 100, \"burst\": 1000, "
		"\"failures\": 10, \"failure_window\": \"1m\", \"owner_grace\": \"5s\"}}",
		0, NULL);

	ck_assert(json_equal(json, want));
	json_decref(json);
	json_decref(want);
	config_free(config);
}
END_TEST

/* Read as text: a checkout may belong to anyone. */
START_TEST(the_installed_file_is_good)
{
	FILE *file = fopen(EGHOSTBUSTER_SOURCE_CONFIG, "re");
	static char text[65536];
	struct problems problems = {0};
	struct settings *settings = NULL;
	const struct tcp_config *tcp;
	struct config *config;
	size_t size;

	ck_assert_ptr_nonnull(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	config = load(text, NULL);
	ck_assert_str_eq(problems_text, "");
	ck_assert_int_eq(config->mode, CONFIG_REAP);
	ck_assert_uint_eq(config->guard.exempt.count, 1);
	ck_assert(config_find_plugin(config, "tcp_close_wait")->enabled);
	ck_assert(!config_find_plugin(config, "flock")->enabled);
	ck_assert_int_eq(config_plugin_settings(config, &tcp_table, "tcp_close_wait", &problems, &settings), 0);
	tcp = settings_data(settings);
	ck_assert_uint_eq(tcp->timeout_ns, (uint64_t)GB_MINUTE);
	ck_assert_str_eq(actions[tcp->action], "destroy");
	ck_assert_str_eq(methods[tcp->method], "auto");
	settings_free(settings);
	config_free(config);
}
END_TEST

/* What the file says of the core is what would hold without it: else its comments mislead. */
START_TEST(the_installed_file_repeats_the_defaults)
{
	FILE *file = fopen(EGHOSTBUSTER_SOURCE_CONFIG, "re");
	static char text[65536];
	struct config *installed, *empty;

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	installed = load(text, NULL);
	empty = load("ghostbuster: { guard: { exempt = ( { comm = \"sshd\"; } ); }; };", NULL);
	for (enum config_part part = 0; part < CONFIG_PARTS; part++)
		ck_assert(config_part_equal(installed, empty, part));
	config_free(installed);
	config_free(empty);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *config = tcase_create("config");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(config, an_empty_file_is_all_defaults);
	tcase_add_test(config, everything_is_read);
	tcase_add_test(config, overrides_win);
	tcase_add_loop_test(config, bad_files_are_said, 0, COUNT(bad));
	tcase_add_test(config, nul_bytes_are_refused);
	tcase_add_test(config, too_many_names_are_refused);
	tcase_add_test(config, plugin_settings_come_later);
	tcase_add_test(config, parts_are_compared);
	tcase_add_test(config, the_core_is_shown);
	tcase_add_test(config, the_installed_file_is_good);
	tcase_add_test(config, the_installed_file_repeats_the_defaults);
	suite_add_tcase(suite, config);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
