/* SPDX-License-Identifier: Apache-2.0 */
/* trust.c, in a folder that this test makes; the wanted owner is whoever runs it. */
#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trust.h"

static char root[] = "/tmp/check_trust.XXXXXX";

/* ROOT/good/{file,fifo,open_file,link -> file}, ROOT/open/file (0777), ROOT/sticky/file (1777), ROOT/door -> good */
static void make_tree(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(chdir(root), 0);
	umask(022);
	for (const char *const *name = (const char *const[]){"good", "open", "sticky", NULL}; *name; name++) {
		char path[PATH_MAX];

		ck_assert_int_eq(mkdir(*name, 0755), 0);
		snprintf(path, sizeof(path), "%s/file", *name);
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	ck_assert_int_eq(chmod("open", 0777), 0);
	ck_assert_int_eq(chmod("sticky", 01777), 0);
	close(open("good/open_file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ck_assert_int_eq(chmod("good/open_file", 0666), 0);
	ck_assert_int_eq(mkfifo("good/fifo", 0644), 0);
	ck_assert_int_eq(symlink("file", "good/link"), 0);
	ck_assert_int_eq(symlink("good", "door"), 0);
	ck_assert_int_eq(symlink("loop", "loop"), 0);
}

static void remove_tree(void)
{
	char command[PATH_MAX + 16];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* "R/" in front of a path or in a sentence stands for the test's folder. */
static const char *expand(const char *text)
{
	static char expanded[4 * PATH_MAX];
	size_t used = 0;

	for (; *text && used + sizeof(root) + 2 < sizeof(expanded); text++) {
		if (strncmp(text, "R/", 2) == 0)
			used += (size_t)snprintf(expanded + used, sizeof(root), "%s", root);
		else if (strncmp(text, "UID", 3) == 0)
			used += (size_t)snprintf(expanded + used, 12, "%u", getuid()), text += 2;
		else
			expanded[used++] = *text;
	}
	expanded[used] = '\0';
	return expanded;
}

static const struct {
	const char *path;
	int error;
	const char *refusal;
} cases[] = {
	{"R/good/file", 0, NULL},
	{"good/file", 0, NULL}, /* from the current folder */
	{"R//good/./../good/file", 0, NULL},
	{"R/sticky/file", 0, NULL},
	{"R/door/file", 0, NULL},
	{"R/good/missing", -ENOENT, "R/good/missing: cannot open: No such file or directory"},
	{"R/missing/file", -ENOENT, "R/missing: cannot open: No such file or directory"},
	{"R/good/link", -ELOOP,
	 "R/good/link: a symbolic link, want the file itself: put the file there in place of the link"},
	{"R/good/open_file", -EACCES,
	 "R/good/open_file: this file is owned by uid UID and has mode 0666, want uid UID and no write permission for group "
	 "and others: check what it holds, then run chmod go-w R/good/open_file"},
	{"R/open/file", -EACCES,
	 "R/open: this folder is owned by uid UID and has mode 0777, want uid UID and no write permission for group and "
	 "others: check what it holds, then run chmod go-w R/open"},
	{"R/good/fifo", -EACCES, "R/good/fifo: not a regular file, want a regular file: correct the path"},
	{"R/good", -EISDIR, "R/good: a folder, want a regular file: correct the path"},
	{"/", -EISDIR, "/: a folder, want a file: correct the path"},
	{"R/good/file/file", -ENOTDIR, "R/good/file: not a folder, want a folder: correct the path"},
	{"R/loop/file", -ELOOP,
	 "R/loop: more than 40 symbolic links on the way, want fewer: give the path without links"},
};

START_TEST(file)
{
	char *refusal = NULL;
	int fd = -1, error;

	error = trust_open_file(expand(cases[_i].path), getuid(), &fd, &refusal);
	ck_assert_int_eq(error, cases[_i].error);
	if (cases[_i].refusal) {
		ck_assert_str_eq(refusal, expand(cases[_i].refusal));
		ck_assert_int_eq(fd, -1);
		free(refusal);
		return;
	}
	ck_assert_ptr_null(refusal);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(folder_and_in)
{
	char *refusal = NULL;
	int folder = -1, fd = -1;

	ck_assert_int_eq(trust_open_folder(expand("R/door"), getuid(), &folder, &refusal), 0);
	ck_assert_int_eq(trust_open_in(folder, "door", "file", getuid(), &fd, &refusal), 0);
	close(fd);
	fd = -1;
	ck_assert_int_eq(trust_open_in(folder, "door", "../good/file", getuid(), &fd, &refusal), -EINVAL);
	ck_assert_int_eq(fd, -1);
	free(refusal);
	close(folder);
	ck_assert_int_eq(trust_open_folder(expand("R/good/file"), getuid(), &folder, &refusal), -ENOTDIR);
	free(refusal);
}
END_TEST

/* What belongs to somebody else, as whom root can give it away: a file, a folder, a link in a sticky folder. */
START_TEST(other_owner)
{
	static const struct {
		const char *path, *refusal;
	} others[] = {
		{"R/sticky/theirs",
		 "R/sticky/theirs: this file is owned by uid 65534 and has mode 0644, want uid 0 and no write permission "
		 "for group and others: check what it holds, then run chown -h root:root R/sticky/theirs"},
		{"R/theirs/file",
		 "R/theirs: this folder is owned by uid 65534 and has mode 0775, want uid 0 and no write permission for "
		 "group and others: check what it holds, then run chown -h root:root R/theirs && chmod go-w R/theirs"},
		{"R/sticky/door/file",
		 "R/sticky/door: this symbolic link is owned by uid 65534 and has mode 0777, want uid 0 and no write "
		 "permission for group and others: check what it holds, then run chown -h root:root R/sticky/door"},
	};
	char *refusal = NULL;
	int fd = -1;

	if (getuid() != 0) {
		fputs("other_owner: skipped: only root can give a file away\n", stderr);
		return;
	}
	if (access("theirs", F_OK) != 0) {
		close(open("sticky/theirs", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		ck_assert_int_eq(chown("sticky/theirs", 65534, 0), 0);
		ck_assert_int_eq(symlink("../good", "sticky/door"), 0);
		ck_assert_int_eq(lchown("sticky/door", 65534, 0), 0);
		ck_assert_int_eq(mkdir("theirs", 0755), 0);
		ck_assert_int_eq(chmod("theirs", 0775), 0);
		ck_assert_int_eq(chown("theirs", 65534, 0), 0);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_assert_int_eq(trust_open_file(expand(others[i].path), 0, &fd, &refusal), -EACCES);
		ck_assert_str_eq(refusal, expand(others[i].refusal));
		free(refusal);
	}
}
END_TEST

/* A part of 300 bytes must not be taken for its first 255. */
START_TEST(long_part)
{
	char name[NAME_MAX + 1], path[PATH_MAX];
	char *refusal = NULL;
	int fd = -1;

	memset(name, 'x', NAME_MAX);
	name[NAME_MAX] = '\0';
	snprintf(path, sizeof(path), "good/%s", name);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ck_assert_int_eq(trust_open_file(path, getuid(), &fd, &refusal), 0);
	close(fd);
	snprintf(path, sizeof(path), "good/%s%s", name, "xyz");
	ck_assert_int_eq(trust_open_file(path, getuid(), &fd, &refusal), -ENAMETOOLONG);
	free(refusal);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trust");
	TCase *tcase = tcase_create("trust");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_unchecked_fixture(tcase, make_tree, remove_tree);
	tcase_add_loop_test(tcase, file, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tcase, folder_and_in);
	tcase_add_test(tcase, other_owner);
	tcase_add_test(tcase, long_part);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
