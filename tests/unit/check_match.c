/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* uid = -1: not asked. */
#define ANY .uid = -1

static const struct gb_owner nginx = {
	.struct_size = sizeof(struct gb_owner),
	.pid = 100,
	.uid = 33,
	.comm = "nginx",
	.exe = "/usr/sbin/nginx",
	.cgroup = "/system.slice/nginx\\x2dmain.service",
	.unit = "nginx\\x2dmain.service",
	.container = ID,
	.pod = "",
};

static const struct gb_owner unknown = {
	.struct_size = sizeof(struct gb_owner),
	.pid = 101,
	.uid = 4294967294,
	.comm = "\xff*",
	.exe = "/opt/\xff\xfe/x",
	.cgroup = "",
	.unit = "",
	.container = "",
	.pod = "",
};

static const struct row {
	struct gb_owner_match match;
	const struct gb_owner *owner;
	bool matches;
} rows[] = {
	{{ANY}, &nginx, true},
	{{.comm = "nginx", ANY}, &nginx, true},
	{{.comm = "ngin", ANY}, &nginx, false},
	{{.comm = "nginx2", ANY}, &nginx, false},
	{{.comm = "ngin*", ANY}, &nginx, false},
	{{.comm = "", ANY}, &nginx, false},
	{{.comm = "\xff*", ANY}, &unknown, true},
	{{.exe = "/usr/sbin/nginx", ANY}, &nginx, true},
	{{.exe = "/usr/*", ANY}, &nginx, true},
	{{.exe = "*", ANY}, &nginx, true},
	{{.exe = "/usr/*/ngin[wx]", ANY}, &nginx, true},
	{{.exe = "nginx", ANY}, &nginx, false},
	{{.exe = "/opt/*", ANY}, &nginx, false},
	{{.exe = "/opt/*/x", ANY}, &unknown, true},
	{{.exe = "/opt/\xff\xfe/x", ANY}, &unknown, true},
	{{.unit = "nginx*.service", ANY}, &nginx, true},
	{{.unit = "nginx\\x2dmain.service", ANY}, &nginx, true},
	{{.unit = "nginx\\\\x2dmain.service", ANY}, &nginx, true},
	{{.unit = "nginx.service", ANY}, &nginx, false},
	{{.unit = "?*", ANY}, &unknown, false},
	{{.unit = "", ANY}, &unknown, true},
	{{.cgroup = "/system.slice/*", ANY}, &nginx, true},
	{{.cgroup = "*/nginx*", ANY}, &nginx, true},
	{{.cgroup = "/user.slice/*", ANY}, &nginx, false},
	{{.container = ID, ANY}, &nginx, true},
	{{.container = "0123456789ab", ANY}, &nginx, true},
	{{.container = "0123456789abcd", ANY}, &nginx, true},
	{{.container = "0123456789a", ANY}, &nginx, false},
	{{.container = "0123456789ac", ANY}, &nginx, false},
	{{.container = ID "0", ANY}, &nginx, false},
	{{.container = "", ANY}, &nginx, false},
	{{.container = "0123456789ab", ANY}, &unknown, false},
	{{.uid = 33}, &nginx, true},
	{{.uid = 0}, &nginx, false},
	{{.uid = 4294967294}, &unknown, true},
	{{.comm = "nginx", .exe = "/usr/*", .unit = "nginx*", .container = ID, .cgroup = "*", .uid = 33}, &nginx, true},
	{{.comm = "nginx", .exe = "/usr/*", .unit = "nginx*", .container = ID, .cgroup = "*", .uid = 34},
	 &nginx,
	 false},
	{{.comm = "apache2", .uid = 33}, &nginx, false},
	{{.netns = "no-such-namespace-of-a-test", ANY}, &nginx, false},
};

START_TEST(words)
{
	ck_assert_int_eq(owner_matches(&rows[_i].match, rows[_i].owner, 0), rows[_i].matches);
	/* Executables are bytes, whatever the locale calls a character. */
	ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
	ck_assert_int_eq(owner_matches(&rows[_i].match, rows[_i].owner, 0), rows[_i].matches);
}
END_TEST

START_TEST(network_namespaces)
{
	struct stat status;
	uint64_t own;

	ck_assert_int_eq(stat("/proc/self/ns/net", &status), 0);
	own = status.st_ino;
	const struct {
		const char *name;
		uint64_t owners, resources;
		bool matches;
	} cases[] = {
		{"/proc/self/ns/net", own, 0, true},
		{"/proc/self/ns/net", own + 1, 0, false},
		{"/proc/self/ns/net", 0, 0, false},
		{"/proc/self/ns/net", own + 1, own, true},
		{"/proc/self/ns/net", own, own + 1, false},
		{"/proc/self/ns/ipc", own, own, false},
		{"/dev/null", own, own, false},
		{"", own, own, false},
		{"..", own, own, false},
		{"../../proc/self/ns/net", own, own, false},
		{"self/ns/net", own, own, false},
	};

	for (size_t i = 0; i < GB_COUNT(cases); i++) {
		struct gb_owner owner = nginx;
		const struct gb_owner_match match = {.netns = cases[i].name, ANY};

		owner.netns_inode = cases[i].owners;
		ck_assert_msg(owner_matches(&match, &owner, cases[i].resources) == cases[i].matches, "case %zu", i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("match");
	TCase *tcase = tcase_create("match");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, words, 0, GB_COUNT(rows));
	tcase_add_test(tcase, network_namespaces);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
