/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what it refuses and how. Nothing here reaches the point where a daemon would start. */
#include "cli.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_config.h"

#define ARGS_MAX 8

static char output[1 << 16];

/* In a child: argp leaves by exit(). Returns the exit code; what it wrote is in `output`. */
static int run(char *const argv[])
{
	int fd = memfd_create("output", MFD_CLOEXEC), argc = 0, status;
	ssize_t length;
	pid_t child;

	ck_assert_int_ge(fd, 0);
	while (argv[argc])
		argc++;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		char *copy[ARGS_MAX + 2] = {0};

		memcpy(copy, argv, (size_t)argc * sizeof(*argv));
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		exit(cli_main(argc, copy));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	length = pread(fd, output, sizeof(output) - 1, 0);
	ck_assert_int_ge(length, 0);
	output[length] = '\0';
	close(fd);
	return WEXITSTATUS(status);
}

static const struct {
	char *argv[ARGS_MAX];
	int code;
	const char *says;
} cases[] = {
	{{"--version"}, 0, "ghostbuster "},
	{{"-V"}, 0, "ghostbuster "},
	{{"--help"}, 0, "--list-plugins"},
	{{"--help"}, 0, "resume PLUGIN"},
	{{"--nonsense"}, 2, "--nonsense"},
	{{"-c"}, 2, "requires an argument"},
	{{"nonsense"}, 2, "unexpected \"nonsense\""},
	{{"leakers", "more"}, 2, "leakers takes no argument"},
	{{"--help"}, 0, "leakers          who leaks"},
	{{"status", "more"}, 2, "status takes no argument"},
	{{"explain"}, 2, "explain wants the ID"},
	{{"resume"}, 2, "resume wants a PLUGIN"},
	{{"explain", "a", "b"}, 2, "unexpected \"b\""},
	{{"ghosts", "--limit", "0"}, 2, "want a number from 1 to 10000"},
	{{"ghosts", "--limit", "10001"}, 2, "want a number"},
	{{"ghosts", "--limit", "9x"}, 2, "want a number"},
	{{"status", "--limit", "9"}, 2, "--limit belongs to `ghosts`"},
	{{"--limit", "9"}, 2, "--limit belongs to `ghosts`"},
	{{"--json"}, 2, "--json belongs to"},
	{{"--check-config", "--json"}, 2, "--json belongs to"},
	{{"--control", "/x"}, 2, "--control only helps to ask"},
	{{"--list-plugins", "--check-config"}, 2, "only one thing"},
	{{"--list-plugins", "status"}, 2, "only one thing"},
	{{"status", "--observe"}, 2, "for running"},
	{{"status", "--set", "a.b=c"}, 2, "for running"},
	{{"--set", "timeout=3"}, 2, "timeout=3"},
	{{"--set", "a.b"}, 2, "a.b"},
	{{"--set", ""}, 2, "--set"},
	{{"--check-config", "-c", "/nonexistent/x.cfg"}, 2, "/nonexistent/x.cfg"},
	{{"--check-config", "-c", "/"}, 2, "/"},
	{{"-c", "/nonexistent/x.cfg"}, 2, "/nonexistent/x.cfg"},
	{{"-c", "/"}, 2, "/"},
	{{"--list-plugins", "--plugin-dir", "/nonexistent"}, 2, "/nonexistent"},
	{{"status", "--control", "/nonexistent/control.sock"}, 1, "/nonexistent/control.sock"},
	{{"status", "--json", "--control", "/nonexistent/control.sock"}, 1, "/nonexistent/control.sock"},
};

START_TEST(usage)
{
	char *argv[ARGS_MAX + 2] = {(char[]){"ghostbuster"}};
	int code;

	for (int i = 0; i < ARGS_MAX && cases[_i].argv[i]; i++)
		argv[i + 1] = cases[_i].argv[i];
	code = run(argv);
	ck_assert_msg(code == cases[_i].code, "%s %s: exit code %d, want %d: %s", argv[1], argv[2] ? argv[2] : "", code,
		      cases[_i].code, output);
	ck_assert_msg(strstr(output, cases[_i].says), "%s: \"%s\" is not in: %s", argv[1], cases[_i].says, output);
}
END_TEST

/* ---- --check-config ----------------------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	int code;
	const char *says[3];
} configs[] = {
	{"plugins: { };", 0, {"good"}},
	{"plugins: { nothing_like_it: { enabled = false; }; };", 0, {"good"}},
	{"plugins: {\n nothing_like_it: { enabled = true; };\n};", 2, {":2: ", "nothing_like_it", "cannot be used"}},
	{"ghostbuster: { mode = \"reep\"; };", 2, {":1: ", "mode", "observe"}},
	{"ghostbuster: {\n guard: {\n rate = -3; };\n mood = 1; };", 2, {":3: ", ":4: ", "mood"}},
	{"ghostbuster: {", 2, {":1: "}},
};

START_TEST(config)
{
	char folder[] = "/tmp/check_cli.XXXXXX", path[64], *out = NULL, *err = NULL;
	struct daemon_options options = {.config_path = path, .plugin_dir = folder};
	size_t size;
	FILE *file, *out_stream = open_memstream(&out, &size), *err_stream = open_memstream(&err, &size);
	int code;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/x.cfg", folder);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs(configs[_i].text, file);
	fclose(file);
	code = check_config(&options, geteuid(), out_stream, err_stream);
	fclose(out_stream);
	fclose(err_stream);
	unlink(path);
	rmdir(folder);
	ck_assert_msg(code == configs[_i].code, "exit code %d: %s%s", code, out, err);
	for (int i = 0; i < 3 && configs[_i].says[i]; i++)
		ck_assert_msg(strstr(code ? err : out, configs[_i].says[i]), "\"%s\" is not in: %s%s",
			      configs[_i].says[i], out, err);
	free(out);
	free(err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cli");
	TCase *tests = tcase_create("cli");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, usage, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tests, config, 0, (int)(sizeof(configs) / sizeof(configs[0])));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
