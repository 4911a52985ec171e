/* SPDX-License-Identifier: Apache-2.0 */
#include "freezer.h"

#include <fcntl.h>

#include <eghostbuster/plugin.h>

#include "procfs.h"
#include "unit/fake_tree.h"

/* "%s" stands for the tree. */
#define V2 "30 20 0:26 / %s/v2 rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1 "31 20 0:27 / %s/v1 rw,nosuid shared:5 master:1 - cgroup cgroup rw,freezer\n"
#define OTHER "32 20 0:28 / %s/other rw - cgroup cgroup rw,cpu,cpuacct\n33 20 8:1 / / rw - ext4 /dev/sda1 rw\n"

static const struct row {
	const char *mountinfo;
	const char *cgroup;
	const char *file, *content; /* the one file in the tree */
	bool held;
} rows[] = {
	{V2, "0::/a/b\n", "v2/a/b/cgroup.events", "populated 1\nfrozen 1\n", true},
	{V2, "0::/a/b\n", "v2/a/b/cgroup.events", "populated 1\nfrozen 0\n", false},
	{V2, "0::/a/b\n", "v2/a/cgroup.freeze", "1\n", true},
	{V2, "0::/a/b\n", "v2/a/b/cgroup.freeze", "1\n", true},
	{V2, "0::/a/b\n", "v2/a/b/cgroup.freeze", "0\n", false},
	{V2, "0::/a/b\n", "v2/a/b/c/cgroup.freeze", "1\n", false},
	{V2, "0::/a/b\n", "v2/a/bb/cgroup.events", "frozen 1\n", false},
	{V2, "0::/\n", "v2/cgroup.events", "frozen 0\n", false},
	{OTHER V1, "6:freezer:/a\n", "v1/a/freezer.state", "FROZEN\n", true},
	{OTHER V1, "6:freezer:/a\n", "v1/a/freezer.state", "FREEZING\n", true},
	{OTHER V1, "6:freezer:/a\n", "v1/a/freezer.state", "THAWED\n", false},
	{OTHER V1, "6:cpu:/a\n", "v1/a/freezer.state", "FROZEN\n", false},
	/* hybrid: either is enough */
	{V1 V2, "6:freezer:/a\n0::/b\n", "v1/a/freezer.state", "FROZEN\n", true},
	{V1 V2, "6:freezer:/a\n0::/b\n", "v2/b/cgroup.events", "frozen 1\n", true},
	/* no cgroup file system, or only a part of it */
	{OTHER, "6:freezer:/a\n0::/a\n", "v2/a/cgroup.events", "frozen 1\n", false},
	{"", "0::/a\n", "v2/a/cgroup.events", "frozen 1\n", false},
	{"30 20 0:26 /docker/x %s/v2 rw - cgroup2 c rw\n", "0::/docker/x/y\n", "v2/y/cgroup.events", "frozen 1\n",
	 true},
	{"30 20 0:26 /docker/x %s/v2 rw - cgroup2 c rw\n", "0::/docker/x\n", "v2/cgroup.events", "frozen 1\n", true},
	{"30 20 0:26 /docker/x %s/v2 rw - cgroup2 c rw\n", "0::/docker/xy\n", "v2/y/cgroup.events", "frozen 1\n",
	 false},
	{"30 20 0:26 /part %s/part rw - cgroup2 c rw\n" V2, "0::/a\n", "v2/a/cgroup.events", "frozen 1\n", true},
	{V2 "30 20 0:26 /part %s/part rw - cgroup2 c rw\n", "0::/a\n", "v2/a/cgroup.events", "frozen 1\n", true},
	{"30 20 0:26 /.. %s/v2 rw - cgroup2 c rw\n", "0::/../a\n", "v2/a/cgroup.events", "frozen 1\n", false},
	{V2, "0::/a/../b\n", "v2/b/cgroup.events", "frozen 1\n", false},
	{V2, "0::/a/..b\n", "v2/a/..b/cgroup.events", "frozen 1\n", true},
	{"30 20 0:26 / %s/a\\040b\\134 rw - cgroup2 c rw\n", "0::/a\n", "a b\\/a/cgroup.events", "frozen 1\n", true},
	/* not mountinfo */
	{"30 20 0:26\n - \n - cgroup2\nx y z / %s/v2 o - cgroup2\n\n", "0::/a\n", "v2/a/cgroup.events", "frozen 1\n",
	 false},
};

static void write_mountinfo(const char *template)
{
	char text[2048] = "";

	for (const char *at = template; *at;) {
		size_t length = strlen(text);

		if (strncmp(at, "%s", 2) == 0) {
			snprintf(text + length, sizeof(text) - length, "%s", tree_root);
			at += 2;
		} else {
			snprintf(text + length, sizeof(text) - length, "%c", *at++);
		}
	}
	tree_write("self/mountinfo", "%s", text);
}

START_TEST(holds)
{
	const struct row *row = &rows[_i];
	struct freezer freezer;
	int proc_fd;

	tree_make();
	write_mountinfo(row->mountinfo);
	tree_write(row->file, "%s", row->content);
	ck_assert_int_eq(procfs_open(tree_root, &proc_fd), 0);
	freezer_find(proc_fd, &freezer);
	close(proc_fd);
	ck_assert_int_eq(freezer_holds(&freezer, row->cgroup), row->held);
	freezer_fini(&freezer);
	tree_remove();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("freezer");
	TCase *tcase = tcase_create("holds");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, holds, 0, GB_COUNT(rows));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
