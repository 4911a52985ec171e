/* SPDX-License-Identifier: Apache-2.0 */
/* The file itself: what may be one, and what becomes of its text before libconfig reads it. */
#include "config_file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "fake_problems.h"

/* What libconfig is given. */
static const struct {
	const char *text, *prepared;
} texts[] = {
	{"", ""},
	{"a = 1;", "a = 1;"},
	{"a = 2147483647;", "a = 2147483647;"},
	{"a = 2147483648;", "a = 2147483648L;"},
	{"a = -2147483648;", "a = -2147483648;"},
	{"a = -2147483649;", "a = -2147483649L;"},
	{"a = 9000000000L;", "a = 9000000000L;"},
	{"a = 9000000000LL;", "a = 9000000000LL;"},
	{"a = 0x80000000;", "a = 0x80000000L;"},
	{"a = [3000000000,3000000001];", "a = [3000000000L,3000000001L];"},
	{"a = 3000000000.5;", "a = 3000000000.5;"},
	{"a3000000000 = \"3000000000\";", "a3000000000 = \"3000000000\";"},
	{"a = \"\\\"3000000000\";", "a = \"\\\"3000000000\";"},
	{"a = \"\\\\\"; b = 3000000000;", "a = \"\\\\\"; b = 3000000000L;"},
	{"# 3000000000 @include\na = 1;", "# 3000000000 @include\na = 1;"},
	{"// 3000000000\n/* \" 3000000000 @include\n */ a = 3000000000;",
	 "// 3000000000\n/* \" 3000000000 @include\n */ a = 3000000000L;"},
	{"a = \"@include\n3000000000", "a = \"@include\n3000000000"},
	{"/* 3000000000", "/* 3000000000"},
	{"\\", "\\"},
	{"\"\\", "\"\\"},
	{"3000000000", "3000000000L"},
	{"a = 10 @include \"x\"", NULL},
	{"a = 9223372036854775808;", NULL},
	{"a = 9223372036854775808L;", NULL},
	{"a = 0x8000000000000000;", NULL},
};

START_TEST(texts_are_prepared)
{
	struct problems problems = {0};
	char *prepared = NULL;
	int rc = config_text_prepare("f.cfg", texts[_i].text, strlen(texts[_i].text), &problems, &prepared);

	ck_assert_int_eq(rc, texts[_i].prepared ? 0 : -EINVAL);
	ck_assert_pstr_eq(prepared, texts[_i].prepared);
	free(prepared);
	problems_fini(&problems);
}
END_TEST

static const struct {
	mode_t mode;
	uid_t uid, euid;
	off_t size;
	const char *problem; /* NULL: fine */
} files[] = {
	{S_IFREG | 0644, 0, 0, 100, NULL},
	{S_IFREG | 0600, 0, 1000, 0, NULL},
	{S_IFREG | 0644, 1000, 1000, CONFIG_FILE_MAX, NULL},
	{S_IFREG | 0644, 1000, 0, 1, "x.cfg: belongs to uid 1000, want root: chown root x.cfg"},
	{S_IFREG | 0664, 0, 0, 1, "x.cfg: may be written by others than its owner (mode 0664): chmod go-w x.cfg"},
	{S_IFREG | 0602, 0, 0, 1, "x.cfg: may be written by others than its owner (mode 0602): chmod go-w x.cfg"},
	{S_IFREG | 0644, 0, 0, CONFIG_FILE_MAX + 1, "x.cfg: is 1048577 large, want at most 1M"},
	{S_IFREG | 0644, 0, 0, (off_t)1 << 40, "x.cfg: is 1T large, want at most 1M"},
	{S_IFDIR | 0755, 0, 0, 1, "x.cfg: is a directory, want a regular file"},
	{S_IFIFO | 0600, 0, 0, 0, "x.cfg: is a FIFO, want a regular file"},
	{S_IFCHR | 0600, 0, 0, 0, "x.cfg: is a device, want a regular file"},
	{S_IFSOCK | 0600, 0, 0, 0, "x.cfg: is a socket, want a regular file"},
};

START_TEST(files_are_judged)
{
	struct stat stat = {.st_mode = files[_i].mode, .st_uid = files[_i].uid, .st_size = files[_i].size};
	struct problems problems = {0};

	ck_assert_int_eq(config_file_judge("x.cfg", &stat, files[_i].euid, &problems), files[_i].problem ? -EINVAL : 0);
	problems_take(&problems);
	ck_assert_str_eq(problems_text, files[_i].problem ? files[_i].problem : "");
}
END_TEST

static void check_refused(const char *path, const char *why)
{
	struct problems problems = {0};
	struct config *config = NULL;
	char want[512];

	snprintf(want, sizeof(want), "%s: %s", path, why);
	ck_assert_int_eq(config_load(path, NULL, 0, &problems, &config), -EINVAL);
	problems_take(&problems);
	ck_assert_str_eq(problems_text, want);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

START_TEST(odd_files_are_refused_without_waiting)
{
	char folder[] = "/tmp/check_config.XXXXXX", path[64], why[128];
	struct problems problems = {0};
	struct config *config = NULL;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	check_refused(folder, "is a directory, want a regular file");
	check_refused("/dev/null", "is a device, want a regular file");

	snprintf(path, sizeof(path), "%s/file", folder);
	check_refused(path, "No such file or directory: create it, or name another file with -c FILE");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	check_refused(path, "is a FIFO, want a regular file");
	ck_assert_int_eq(unlink(path), 0);
	write_file(path, "", 0622);
	snprintf(why, sizeof(why), "may be written by others than its owner (mode 0622): chmod go-w %s", path);
	check_refused(path, why);
	write_file(path, "plugins: { one: { enabled = true; }; };\n", 0644);
	ck_assert_int_eq(config_load(path, NULL, 0, &problems, &config), 0);
	ck_assert(config_find_plugin(config, "one")->enabled);
	config_free(config);
	ck_assert_int_eq(truncate(path, CONFIG_FILE_MAX + 1), 0);
	check_refused(path, "is 1048577 large, want at most 1M");
	unlink(path);
	rmdir(folder);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("config_file");
	TCase *tests = tcase_create("config_file");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, texts_are_prepared, 0, COUNT(texts));
	tcase_add_loop_test(tests, files_are_judged, 0, COUNT(files));
	tcase_add_test(tests, odd_files_are_refused_without_waiting);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
