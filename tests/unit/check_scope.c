/* SPDX-License-Identifier: Apache-2.0 */
#include "scope.h"

#include "unit/fake_tree.h"

#define STRINGS(...) \
	{ \
		(const char *const[]){__VA_ARGS__}, GB_COUNT(((const char *const[]){__VA_ARGS__})) \
	}

static uint64_t inode_of(const char *path)
{
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	return status.st_ino;
}

START_TEST(everything)
{
	const struct gb_strings empty = {NULL, 0};
	struct problems problems = {0};
	struct scope *scope;

	for (int i = 0; i < 2; i++) {
		const struct gb_strings *list = i ? &empty : NULL;

		ck_assert_int_eq(scope_new(list, list, list, &scope), 0);
		scope_resolve(scope, &problems);
		ck_assert_uint_eq(problems.count, 0);
		ck_assert(!scope_scoped(scope, GB_NS_NET) && !scope_scoped(scope, GB_NS_IPC));
		ck_assert(scope_has_ns(scope, GB_NS_NET, 1) && scope_has_ns(scope, GB_NS_IPC, 0));
		ck_assert(scope_has_ns(scope, GB_NS_NONE, 0) && !scope_has_ns(scope, 3, 1));
		ck_assert(scope_has_path(scope, "/x") && scope_has_path(scope, "/a/../b") &&
			  scope_has_path(scope, "pipe:[1]") && scope_has_path(scope, NULL));
		scope_free(scope);
	}
	scope_free(NULL);
}
END_TEST

START_TEST(namespaces)
{
	const struct gb_strings netns = STRINGS("/proc/self/ns/net", "no-such-namespace-of-a-test");
	struct problems problems = {0};
	struct scope *scope;
	uint64_t net = inode_of("/proc/self/ns/net"), ipc = inode_of("/proc/self/ns/ipc");

	ck_assert_int_eq(scope_new(&netns, NULL, NULL, &scope), 0);
	ck_assert(scope_scoped(scope, GB_NS_NET) && !scope_scoped(scope, GB_NS_IPC) && !scope_scoped(scope, 99));
	ck_assert(!scope_has_ns(scope, GB_NS_NET, net)); /* not resolved yet: nothing, not everything */
	scope_resolve(scope, &problems);
	ck_assert(scope_has_ns(scope, GB_NS_NET, net));
	ck_assert(!scope_has_ns(scope, GB_NS_NET, net + 1) && !scope_has_ns(scope, GB_NS_NET, 0));
	ck_assert(scope_has_ns(scope, GB_NS_IPC, ipc) && scope_has_ns(scope, GB_NS_NONE, 0));
	ck_assert_uint_eq(problems.count, 1);
	ck_assert_str_eq(problems.items[0],
			 "scope.netns: cannot find the namespace \"no-such-namespace-of-a-test\" (No such file or "
			 "directory): nothing matches it until it is there, looking again at each sweep");
	problems_fini(&problems);
	scope_free(scope);
}
END_TEST

START_TEST(wrong_kind)
{
	const struct gb_strings ipcns = STRINGS("/proc/self/ns/net", "web");
	struct problems problems = {0};
	struct scope *scope;

	ck_assert_int_eq(scope_new(NULL, &ipcns, NULL, &scope), 0);
	scope_resolve(scope, &problems);
	ck_assert_uint_eq(problems.count, 2);
	ck_assert_str_eq(problems.items[0],
			 "scope.ipcns: \"/proc/self/ns/net\" is no ipc namespace, want a path such as "
			 "/proc/PID/ns/ipc: nothing matches it; correct it in the configuration");
	ck_assert(!scope_has_ns(scope, GB_NS_IPC, inode_of("/proc/self/ns/net")));
	ck_assert(!scope_has_ns(scope, GB_NS_IPC, inode_of("/proc/self/ns/ipc")));
	problems_fini(&problems);
	scope_free(scope);
}
END_TEST

/* Said when it goes missing, not at each sweep, and again after it has come and gone. */
START_TEST(comes_and_goes)
{
	char path[PATH_MAX];
	const char *name = path;
	const struct gb_strings netns = {&name, 1};
	struct problems problems = {0};
	struct scope *scope;
	uint64_t net = inode_of("/proc/self/ns/net");
	static const struct {
		bool there;
		size_t said;
	} steps[] = {{false, 1}, {false, 1}, {true, 1}, {true, 1}, {false, 2}, {false, 2}, {true, 2}, {false, 3}};

	tree_make();
	tree_path("web", path);
	ck_assert_int_eq(scope_new(&netns, NULL, NULL, &scope), 0);
	for (size_t i = 0; i < GB_COUNT(steps); i++) {
		unlink(path);
		if (steps[i].there)
			tree_link("web", "/proc/self/ns/net");
		scope_resolve(scope, &problems);
		ck_assert_msg(problems.count == steps[i].said, "step %zu: %zu", i, problems.count);
		ck_assert_int_eq(scope_has_ns(scope, GB_NS_NET, net), steps[i].there);
		scope_resolve(scope, NULL);
	}
	problems_fini(&problems);
	scope_free(scope);
	tree_remove();
}
END_TEST

START_TEST(paths)
{
	const struct gb_strings folders = STRINGS("/a/b", "/c//", "relative", "");
	static const struct {
		const char *path;
		bool in;
	} cases[] = {
		{"/a/b", true},        {"/a/b/", true},      {"/a/b/c", true},  {"/a/bc", false},
		{"/a", false},         {"/", false},         {"", false},       {"a/b", false},
		{"/c", true},          {"/c/x", true},       {"/cx", false},    {"/a/b/../../etc", false},
		{"/a/b/..", false},    {"/a/b/..x", true},   {"/x/a/b", false}, {"relative", false},
		{"relative/x", false}, {"/relative", false}, {NULL, false},
	};
	struct problems problems = {0};
	struct scope *scope;

	ck_assert_int_eq(scope_new(NULL, NULL, &folders, &scope), 0);
	for (int resolved = 0; resolved < 2; resolved++) {
		for (size_t i = 0; i < GB_COUNT(cases); i++)
			ck_assert_msg(scope_has_path(scope, cases[i].path) == cases[i].in, "case %zu", i);
		scope_resolve(scope, &problems);
		ck_assert_uint_eq(problems.count, 2);
	}
	ck_assert_str_eq(
		problems.items[0],
		"scope.paths: \"relative\" is not absolute, want a path that begins with \"/\": nothing matches "
		"it; correct it in the configuration");
	problems_fini(&problems);
	scope_free(scope);
}
END_TEST

START_TEST(root_and_links)
{
	const struct gb_strings root = STRINGS("/"), useless = STRINGS("");
	char link[PATH_MAX], inside[PATH_MAX];
	const char *name = link;
	const struct gb_strings linked = {&name, 1};
	struct scope *scope;

	ck_assert_int_eq(scope_new(NULL, NULL, &root, &scope), 0);
	scope_resolve(scope, NULL);
	ck_assert(scope_has_path(scope, "/x") && scope_has_path(scope, "/") && !scope_has_path(scope, "x"));
	scope_free(scope);
	ck_assert_int_eq(scope_new(NULL, NULL, &useless, &scope), 0);
	scope_resolve(scope, NULL);
	ck_assert(!scope_has_path(scope, "/x") && !scope_has_path(scope, "/") && !scope_has_path(scope, ""));
	scope_free(scope);

	tree_make();
	tree_path("real/file", inside);
	tree_link("link", "real");
	tree_path("link", link);
	ck_assert_int_eq(scope_new(NULL, NULL, &linked, &scope), 0);
	ck_assert(!scope_has_path(scope, inside));
	scope_resolve(scope, NULL);
	ck_assert(scope_has_path(scope, inside) && scope_has_path(scope, link));
	scope_free(scope);
	tree_remove();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scope");
	TCase *tcase = tcase_create("scope");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, everything);
	tcase_add_test(tcase, namespaces);
	tcase_add_test(tcase, wrong_kind);
	tcase_add_test(tcase, comes_and_goes);
	tcase_add_test(tcase, paths);
	tcase_add_test(tcase, root_and_links);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
