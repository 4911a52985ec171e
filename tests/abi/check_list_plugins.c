/* SPDX-License-Identifier: Apache-2.0 */
/* What --list-plugins prints, word for word. */
#include <check.h>

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <jansson.h>

#include "cleanup.h"
#include "list_plugins.h"
#include "scratch.h"

/* clang-format off */
static const char expected_text[] =
	"NAME         VERSION  ENABLED  ROLES     ABI  SUMMARY\n"
	"example      1.0      yes      detector  1.3  finds examples\n"
	"good         1.2.3    no       detector  1.3  a plugin of the tests\n"
	"wrong_magic  -        no       -         -    REFUSED, see below\n"
	"\n"
	"example\n"
	"  capabilities: none\n"
	"  OPTION   TYPE      DEFAULT  RANGE    HELP\n"
	"  timeout  duration  60s      1s..30d  age of a ghost\n"
	"\n"
	"good\n"
	"  capabilities: CAP_NET_ADMIN\n"
	"  kernel: BTF\n"
	"  OPTION           TYPE            DEFAULT  RANGE              HELP\n"
	"  timeout          duration        60s      1s..30d            age of a ghost\n"
	"  action           enumeration     report   report or destroy  how it is released\n"
	"  rules            list of groups  -        -                  exceptions, the first that matches wins\n"
	"  rules.timeout    duration        -        1s..30d            age of a ghost\n"
	"  rules.comm       string          -        -                  the owner's command name\n"
	"  rules.exe        string          -        -                  the owner's executable (wildcards)\n"
	"  rules.uid        integer         -1       -1..4294967294     the owner's user id; -1 for any\n"
	"  rules.unit       string          -        -                  the owner's systemd unit (wildcards)\n"
	"  rules.container  string          -        -                  the owner's container id, 12 digits or more\n"
	"  rules.cgroup     string          -        -                  the owner's cgroup path (wildcards)\n"
	"  rules.netns      string          -        -                  network namespace: a name in /run/netns or a path\n"
	"\n"
	"Refused:\n"
	"  R/plugins/wrong_magic.so: its gb_plugin begins with 0x12345678, want 0x50424745: make it with GB_PLUGIN() and rebuild "
	"the plugin\n";
/* clang-format on */

static bool is_example(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "example") == 0;
}

static void fill(void)
{
	scratch_init();
	scratch_copy("good", "R/plugins/good.so");
	scratch_copy("example", "R/plugins/example.so");
	scratch_copy("wrong_magic", "R/plugins/wrong_magic.so");
}

static char *list(bool json)
{
	char *text = NULL, *refusal = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_int_eq(list_plugins(out, scratch_expand("R/plugins"), getuid(), is_example, NULL, json, &refusal), 0);
	ck_assert_ptr_null(refusal);
	fclose(out);
	ck_assert_msg(!scratch_take_marker(), "code of a plugin was run");
	return text;
}

START_TEST(text)
{
	_cleanup_free_ char *listed = list(false);

	ck_assert_str_eq(listed, scratch_expand(expected_text));
}
END_TEST

START_TEST(json)
{
	_cleanup_free_ char *listed = list(true);
	json_t *all = json_loads(listed, 0, NULL), *plugins, *plugin;

	ck_assert_ptr_nonnull(all);
	ck_assert_str_eq(json_string_value(json_object_get(all, "folder")), scratch_expand("R/plugins"));
	ck_assert_str_eq(json_string_value(json_object_get(all, "abi")), "1.3");
	plugins = json_object_get(all, "plugins");
	ck_assert_uint_eq(json_array_size(plugins), 3);
	plugin = json_array_get(plugins, 1);
	ck_assert_str_eq(json_string_value(json_object_get(plugin, "name")), "good");
	ck_assert(json_is_false(json_object_get(plugin, "enabled")));
	ck_assert(json_is_null(json_object_get(plugin, "refused")));
	ck_assert_str_eq(json_string_value(json_object_get(plugin, "version")), "1.2.3");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(plugin, "roles"), 0)), "detector");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(plugin, "capabilities"), 0)),
			 "CAP_NET_ADMIN");
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(plugin, "kernel_features"), 0)), "btf");
	ck_assert_uint_eq(json_array_size(json_object_get(plugin, "options")), 3);
	ck_assert(json_is_true(json_object_get(json_array_get(plugins, 0), "enabled")));
	plugin = json_array_get(plugins, 2);
	ck_assert_str_eq(
		json_string_value(json_object_get(plugin, "refused")),
		scratch_expand("R/plugins/wrong_magic.so: its gb_plugin begins with 0x12345678, want 0x50424745: "
			       "make it with GB_PLUGIN() and rebuild the plugin"));
	ck_assert_ptr_null(json_object_get(plugin, "version"));
	json_decref(all);
}
END_TEST

START_TEST(empty_and_missing)
{
	char *written = NULL, *refusal = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);

	ck_assert_int_lt(list_plugins(out, scratch_expand("R/nowhere"), getuid(), is_example, NULL, false, &refusal),
			 0);
	ck_assert_str_eq(refusal, scratch_expand("R/nowhere: cannot open: No such file or directory"));
	free(refusal);
	refusal = NULL;
	ck_assert_int_eq(system(scratch_expand("mkdir R/empty")), 0);
	ck_assert_int_eq(list_plugins(out, scratch_expand("R/empty"), getuid(), is_example, NULL, false, &refusal), 0);
	fclose(out);
	ck_assert_str_eq(written,
			 scratch_expand("No plugins in R/empty: install some there, or name another folder with "
					"--plugin-dir\n"));
	free(written);
}
END_TEST

/* On a terminal no line is wider than it, and no word is cut. */
START_TEST(terminal)
{
	_cleanup_free_ char *one_line = list(false);
	const struct winsize size = {.ws_col = 80, .ws_row = 24};
	char *refusal = NULL, *word, *saved;
	char shown[16384] = "";
	struct termios raw;
	int screen, terminal_fd;
	size_t used = 0;
	ssize_t length;
	FILE *out;

	ck_assert_int_eq(openpty(&screen, &terminal_fd, NULL, NULL, &size), 0);
	ck_assert_int_eq(tcgetattr(terminal_fd, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(terminal_fd, TCSANOW, &raw), 0);
	out = fdopen(terminal_fd, "w");
	ck_assert_int_eq(list_plugins(out, scratch_expand("R/plugins"), getuid(), is_example, NULL, false, &refusal),
			 0);
	fclose(out);
	/* In pieces, until the terminal is closed (EIO). It buffers 4096 bytes, more than is listed here. */
	while ((length = read(screen, shown + used, sizeof(shown) - 1 - used)) > 0)
		used += (size_t)length;
	close(screen);
	ck_assert_uint_gt(used, strlen(one_line));
	*strstr(shown, "Refused:") = '\0'; /* sentences are not folded: they hold commands to be copied */
	for (word = strtok_r(one_line, " \n", &saved); word && strcmp(word, "Refused:") != 0;
	     word = strtok_r(NULL, " \n", &saved))
		ck_assert_msg(strstr(shown, word), "%s is cut", word);
	for (char *line = strtok_r(shown, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved))
		ck_assert_msg(strlen(line) <= 80, "too wide: %s", line);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list_plugins");
	TCase *tcase = tcase_create("list_plugins");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_unchecked_fixture(tcase, fill, scratch_fini);
	tcase_add_test(tcase, text);
	tcase_add_test(tcase, json);
	tcase_add_test(tcase, terminal);
	tcase_add_test(tcase, empty_and_missing);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
