/* SPDX-License-Identifier: Apache-2.0 */
#include "namespace.h"

#include <fcntl.h>
#include <sched.h>

#include "cleanup.h"
#include "unit/fake_tree.h"

static struct namespaces *namespaces;
static uint64_t own_net, own_uts;

static uint64_t inode_of(const char *path)
{
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	return status.st_ino;
}

/* A /proc in which 12 is in another "network namespace": a second nsfs inode without root is that of another kind. */
static void setup(void)
{
	char run[PATH_MAX];

	own_net = inode_of("/proc/self/ns/net");
	own_uts = inode_of("/proc/self/ns/uts");
	tree_make();
	tree_link("proc/10/ns/net", "/proc/self/ns/net");
	tree_link("proc/11/ns/net", "/proc/self/ns/net");
	tree_link("proc/12/ns/net", "/proc/self/ns/uts");
	tree_link("proc/13/ns/net", "/nonexistent/gone");
	tree_write("proc/14/ns/net", "%s", "a plain file is no namespace");
	tree_write("proc/15/stat", "%s", "no ns folder");
	tree_link("proc/16x/ns/net", "/proc/self/ns/mnt");
	tree_link("proc/0/ns/net", "/proc/self/ns/mnt");
	tree_link("proc/99999999999/ns/net", "/proc/self/ns/mnt");
	tree_link("proc/self/ns/net", "/proc/self/ns/mnt");
	tree_link("run/web", "/proc/self/ns/net");
	tree_write("run/half-made", "%s", "");
	tree_path("proc", run);
	char proc[PATH_MAX];
	snprintf(proc, sizeof(proc), "%s", run);
	tree_path("run", run);
	ck_assert_int_eq(namespaces_new(proc, run, &namespaces), 0);
}

static void teardown(void)
{
	namespaces_free(namespaces);
	tree_remove();
}

struct seen {
	struct gb_ns list[8];
	size_t count, stop_at;
};

static int see(const struct gb_ns *ns, void *arg)
{
	struct seen *seen = arg;

	ck_assert_uint_lt(seen->count, GB_COUNT(seen->list));
	seen->list[seen->count++] = *ns;
	return seen->count == seen->stop_at ? 77 : 0;
}

START_TEST(each_once)
{
	struct seen seen = {0};

	ck_assert_int_eq(namespace_each(namespaces, GB_NS_NET, see, &seen), 0);
	ck_assert_uint_eq(seen.count, 2);
	for (size_t i = 0; i < seen.count; i++) {
		ck_assert_uint_eq(seen.list[i].kind, GB_NS_NET);
		if (seen.list[i].inode == own_uts)
			ck_assert_int_eq(seen.list[i].pid, 12);
		else
			ck_assert(seen.list[i].inode == own_net && (seen.list[i].pid == 10 || seen.list[i].pid == 11));
	}
	ck_assert_uint_ne(seen.list[0].inode, seen.list[1].inode);

	seen = (struct seen){.stop_at = 1};
	ck_assert_int_eq(namespace_each(namespaces, GB_NS_NET, see, &seen), 77);
	ck_assert_uint_eq(seen.count, 1);
	seen = (struct seen){0};
	ck_assert_int_eq(namespace_each(namespaces, GB_NS_IPC, see, &seen), 0);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_int_eq(namespace_each(namespaces, GB_NS_NONE, see, &seen), -EINVAL);
	ck_assert_int_eq(namespace_each(namespaces, 3, see, &seen), -EINVAL);
}
END_TEST

START_TEST(only_named)
{
	struct seen seen = {0};
	char path[PATH_MAX];
	static const char *const left[] = {"proc/10/ns/net", "proc/11/ns/net"};
	struct gb_ns ns = {.kind = GB_NS_NET, .pid = 10, .socket_fd = -1, .inode = own_net};
	uint64_t inode;

	for (size_t i = 0; i < GB_COUNT(left); i++) {
		tree_path(left[i], path);
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert_int_eq(namespace_each(namespaces, GB_NS_NET, see, &seen), 0);
	ck_assert_uint_eq(seen.count, 2);
	ck_assert(seen.list[0].pid == 0 || seen.list[1].pid == 0);
	for (int i = 0; i < 2; i++) { /* by the hint, then by the name */
		_cleanup_close_ int fd = -1;

		ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), 0);
		ck_assert_int_eq(namespace_inode(GB_NS_NET, fd, &inode), 0);
		ck_assert_uint_eq(inode, own_net);
	}
	tree_path("run/web", path);
	ck_assert_int_eq(unlink(path), 0);
	int fd = -7;
	ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), -ESRCH);
	ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(opens)
{
	const struct {
		struct gb_ns ns;
		int result;
	} cases[] = {
		{{GB_NS_NET, 10, own_net, -1, 0}, 0},        {{GB_NS_NET, 0, own_net, -1, 0}, 0},
		{{GB_NS_NET, 12, own_net, -1, 0}, 0}, /* a wrong hint */
		{{GB_NS_NET, 13, own_net, -1, 0}, 0},        {{GB_NS_NET, 4000000, own_net, -1, 0}, 0},
		{{GB_NS_NET, -5, own_net, -1, 0}, 0},        {{GB_NS_NET, 10, own_net + 100000, -1, 0}, -ESRCH},
		{{GB_NS_NET, 12, own_uts, -1, 0}, -ESRCH}, /* the right inode, but no network namespace */
		{{GB_NS_NET, 10, 0, -1, 0}, -ESRCH},         {{GB_NS_IPC, 10, own_net, -1, 0}, -ESRCH},
		{{GB_NS_NONE, 10, own_net, -1, 0}, -EINVAL}, {{7, 10, own_net, -1, 0}, -EINVAL},
	};

	for (size_t i = 0; i < GB_COUNT(cases); i++) {
		_cleanup_close_ int fd = -1;
		int result = namespace_open(namespaces, &cases[i].ns, &fd);

		ck_assert_msg(result == cases[i].result, "case %zu: %d", i, result);
		ck_assert_int_eq(fd >= 0, result == 0);
		if (result == 0)
			ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
}
END_TEST

START_TEST(resolves)
{
	static const struct {
		uint32_t kind;
		const char *name;
		int result;
	} cases[] = {
		{GB_NS_NET, "/proc/self/ns/net", 0},
		{GB_NS_IPC, "/proc/self/ns/ipc", 0},
		{GB_NS_NET, "/proc/self/ns/ipc", -EINVAL},
		{GB_NS_IPC, "/proc/self/ns/net", -EINVAL},
		{GB_NS_NET, "/proc/self/stat", -EINVAL},
		{GB_NS_NET, "/", -EINVAL},
		{GB_NS_NET, "/nonexistent", -ENOENT},
		{GB_NS_NET, "no-such-namespace-of-a-test", -ENOENT},
		{GB_NS_IPC, "web", -EINVAL}, /* ip-netns(8) names network namespaces only */
		{GB_NS_NET, "", -EINVAL},
		{GB_NS_NET, ".", -EINVAL},
		{GB_NS_NET, "..", -EINVAL},
		{GB_NS_NET, "../netns/web", -EINVAL},
		{GB_NS_NONE, "/proc/self/ns/net", -EINVAL},
	};

	for (size_t i = 0; i < GB_COUNT(cases); i++) {
		uint64_t inode = 5;
		int result = namespace_resolve(cases[i].kind, cases[i].name, &inode);

		ck_assert_msg(result == cases[i].result, "case %zu: %d", i, result);
		ck_assert_uint_eq(inode, result ? 5 : inode_of(cases[i].name));
	}
}
END_TEST

/* Would hang, were the FIFO opened to read. */
START_TEST(fifo_is_no_namespace)
{
	char path[PATH_MAX];
	uint64_t inode;

	tree_path("fifo", path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(namespace_resolve(GB_NS_NET, path, &inode), -EINVAL);
}
END_TEST

START_TEST(kinds)
{
	struct namespaces *none;

	ck_assert_str_eq(namespace_kind_name(GB_NS_NET), "net");
	ck_assert_str_eq(namespace_kind_name(GB_NS_IPC), "ipc");
	ck_assert_ptr_null(namespace_kind_name(GB_NS_NONE));
	ck_assert_int_eq(namespace_kind_flag(GB_NS_NET), CLONE_NEWNET);
	ck_assert_int_eq(namespace_kind_flag(GB_NS_IPC), CLONE_NEWIPC);
	ck_assert_int_eq(namespace_kind_flag(99), 0);
	ck_assert_int_eq(namespaces_new("/nonexistent", "/nonexistent", &none), -ENOENT);
	namespaces_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("namespace");
	TCase *tcase = tcase_create("namespace");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, each_once);
	tcase_add_test(tcase, only_named);
	tcase_add_test(tcase, opens);
	tcase_add_test(tcase, resolves);
	tcase_add_test(tcase, fifo_is_no_namespace);
	tcase_add_test(tcase, kinds);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
