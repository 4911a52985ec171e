/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cleanup.h"
#include "unit/fake_tree.h"

#define GOOD_TAIL " S 1 100 100 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0 777 1000 20 18446744073709551615 1 1 0 0 0\n"
#define GOOD_STATUS \
	"Name:\tx\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t100\nPid:\t100\nTracerPid:\t0\nUid:\t33\t0\t0\t0\n"
#define STATUS(state, tracer) "Name:\tx\nState:\t" state "\nTracerPid:\t" tracer "\nUid:\t33\t0\t0\t0\nGid:\t0\n"

static struct owner_source *source;

static void setup(void)
{
	tree_make();
	tree_write("self/mountinfo", "%s", "");
	ck_assert_int_eq(owner_source_new(tree_root, &source), 0);
}

static void teardown(void)
{
	owner_source_free(source);
	source = NULL;
	tree_remove();
}

static void make_process(const char *pid, const char *stat, const char *status)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/stat", pid);
	tree_write(name, "%s", stat);
	snprintf(name, sizeof(name), "%s/status", pid);
	tree_write(name, "%s", status);
}

START_TEST(whole)
{
	struct owner *owner;
	struct stat status;

	make_process("100", "100 (nginx)" GOOD_TAIL, GOOD_STATUS);
	tree_link("100/exe", "/usr/sbin/nginx (deleted)");
	tree_link("100/ns/net", "/proc/self/ns/net");
	tree_link("100/ns/ipc", "/proc/self/ns/ipc");
	tree_write("100/cgroup", "0::/system.slice/nginx.service\n");
	ck_assert_int_eq(owner_read(source, 100, 777, &owner), 0);
	ck_assert_uint_eq(owner->references, 1);
	ck_assert_uint_eq(owner->public.struct_size, sizeof(struct gb_owner));
	ck_assert_int_eq(owner->public.pid, 100);
	ck_assert_uint_eq(owner->public.start_ticks, 777);
	ck_assert_uint_eq(owner->public.uid, 33);
	ck_assert_uint_eq(owner->public.flags, 0);
	ck_assert_str_eq(owner->public.comm, "nginx");
	ck_assert_str_eq(owner->public.exe, "/usr/sbin/nginx");
	ck_assert_str_eq(owner->public.cgroup, "/system.slice/nginx.service");
	ck_assert_str_eq(owner->public.unit, "nginx.service");
	ck_assert_str_eq(owner->public.container, "");
	ck_assert_str_eq(owner->public.pod, "");
	ck_assert_int_eq(stat("/proc/self/ns/net", &status), 0);
	ck_assert_uint_eq(owner->public.netns_inode, status.st_ino);
	ck_assert_int_eq(stat("/proc/self/ns/ipc", &status), 0);
	ck_assert_uint_eq(owner->public.ipcns_inode, status.st_ino);
	ck_assert_ptr_eq(owner_ref(owner), owner);
	owner_unref(owner);
	ck_assert_str_eq(owner->public.comm, "nginx");
	owner_unref(owner);
	owner_unref(NULL);
}
END_TEST

START_TEST(little_is_known)
{
	struct owner *owner;

	make_process("100", "100 (x)" GOOD_TAIL, GOOD_STATUS);
	ck_assert_int_eq(owner_read(source, 100, 0, &owner), 0);
	ck_assert_uint_eq(owner->public.start_ticks, 777);
	ck_assert_str_eq(owner->public.exe, "");
	ck_assert_str_eq(owner->public.cgroup, "");
	ck_assert_str_eq(owner->public.unit, "");
	ck_assert_uint_eq(owner->public.netns_inode, 0);
	ck_assert_uint_eq(owner->public.ipcns_inode, 0);
	owner_unref(owner);
}
END_TEST

START_TEST(stat_lines)
{
	static const struct {
		const char *stat, *comm;
		uint32_t flags;
		int result;
	} rows[] = {
		{"100 (a b)" GOOD_TAIL, "a b", 0, 0},
		{"100 (a) S 1 (b)" GOOD_TAIL, "a) S 1 (b", 0, 0},
		{"100 ())" GOOD_TAIL, ")", 0, 0},
		{"100 (()" GOOD_TAIL, "(", 0, 0},
		{"100 ()" GOOD_TAIL, "", 0, 0},
		{"100 (new\nline)" GOOD_TAIL, "new\nline", 0, 0},
		{"100 (\xff\x1b[31m)" GOOD_TAIL, "\xff\x1b[31m", 0, 0},
		{"100 (kworker/u8:2-events_unbound) I 2 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 777 0 0\n",
		 "kworker/u8:2-events_unbound", GB_OWNER_KERNEL, 0},
		{"", NULL, 0, -EIO},
		{"100 nginx S 1", NULL, 0, -EIO},
		{"100 )nginx( S 1", NULL, 0, -EIO},
		{"100 (nginx)", NULL, 0, -EIO},
		{"100 (nginx) S 1 100 100 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0", NULL, 0, -EIO},
		{"100 (nginx) S 1 100 100 0 -1 x 9 0 0 0 1 2 0 0 20 0 1 0 777", NULL, 0, -EIO},
	};
	struct owner *owner = NULL;

	for (size_t i = 0; i < GB_COUNT(rows); i++) {
		make_process("100", rows[i].stat, GOOD_STATUS);
		ck_assert_msg(owner_read(source, 100, 777, &owner) == rows[i].result, "row %zu", i);
		if (rows[i].result)
			continue;
		ck_assert_str_eq(owner->public.comm, rows[i].comm);
		ck_assert_uint_eq(owner->public.flags, rows[i].flags);
		owner_unref(owner);
	}
}
END_TEST

START_TEST(status_texts)
{
	static const struct {
		const char *status, *thread;
		uint32_t uid, flags;
		int result;
	} rows[] = {
		{STATUS("S (sleeping)", "0"), STATUS("S (sleeping)", "0"), 33, 0, 0},
		{STATUS("T (stopped)", "0"), STATUS("S (sleeping)", "0"), 33, GB_OWNER_STOPPED, 0},
		{STATUS("t (tracing stop)", "9"), STATUS("S (sleeping)", "0"), 33, GB_OWNER_TRACED, 0},
		{STATUS("S (sleeping)", "9"), STATUS("S (sleeping)", "0"), 33, GB_OWNER_TRACED, 0},
		{STATUS("T (stopped)", "9"), STATUS("S (sleeping)", "0"), 33, GB_OWNER_STOPPED | GB_OWNER_TRACED, 0},
		{STATUS("S (sleeping)", "0"), STATUS("S (sleeping)", "9"), 33, GB_OWNER_TRACED, 0},
		{STATUS("Z (zombie)", "0"), STATUS("T (stopped)", "0"), 33, GB_OWNER_STOPPED, 0},
		{STATUS("S (sleeping)", "0"), "", 33, 0, 0},
		{"Name:\tx\\nUid:\\t5\nTracerPid:\t0\nUid:\t4294967294\t0\t0\t0\n", "", 4294967294, 0, 0},
		{"Name:\tx\nState:\tS\n", "", 0, 0, -EIO},
		{"", "", 0, 0, -EIO},
	};
	struct owner *owner = NULL;

	for (size_t i = 0; i < GB_COUNT(rows); i++) {
		make_process("100", "100 (x)" GOOD_TAIL, rows[i].status);
		tree_write("100/task/100/status", "%s", rows[i].status);
		tree_write("100/task/105/status", "%s", rows[i].thread);
		ck_assert_msg(owner_read(source, 100, 777, &owner) == rows[i].result, "row %zu", i);
		if (rows[i].result)
			continue;
		ck_assert_uint_eq(owner->public.uid, rows[i].uid);
		ck_assert_msg(owner->public.flags == rows[i].flags, "row %zu: flags %x", i, owner->public.flags);
		owner_unref(owner);
	}
}
END_TEST

START_TEST(main_thread_has_exited)
{
	struct owner *owner;

	make_process("100", "100 (x)" GOOD_TAIL, GOOD_STATUS);
	tree_write("100/task/100/status", "%s", GOOD_STATUS);
	tree_write("100/task/105/status", "%s", GOOD_STATUS);
	tree_link("100/task/105/exe", "/usr/bin/server");
	tree_link("100/task/105/ns/net", "/proc/self/ns/net");
	ck_assert_int_eq(owner_read(source, 100, 777, &owner), 0);
	ck_assert_str_eq(owner->public.exe, "/usr/bin/server");
	ck_assert_uint_ne(owner->public.netns_inode, 0);
	owner_unref(owner);
}
END_TEST

START_TEST(frozen)
{
	struct owner_source *with_mounts;
	struct owner *owner;

	tree_write("self/mountinfo", "30 20 0:26 / %s/cgroup rw - cgroup2 cgroup2 rw\n", tree_root);
	ck_assert_int_eq(owner_source_new(tree_root, &with_mounts), 0);
	make_process("100", "100 (x)" GOOD_TAIL, GOOD_STATUS);
	tree_write("100/cgroup", "0::/a/b\n");
	tree_write("cgroup/a/b/cgroup.events", "populated 1\nfrozen 0\n");
	ck_assert_int_eq(owner_read(with_mounts, 100, 777, &owner), 0);
	ck_assert_uint_eq(owner->public.flags, 0);
	owner_unref(owner);
	tree_write("cgroup/a/b/cgroup.events", "populated 1\nfrozen 1\n");
	ck_assert_int_eq(owner_read(with_mounts, 100, 777, &owner), 0);
	ck_assert_uint_eq(owner->public.flags, GB_OWNER_FROZEN);
	owner_unref(owner);
	owner_source_free(with_mounts);
}
END_TEST

START_TEST(gone_or_another)
{
	static const struct {
		int32_t pid;
		uint64_t start_ticks;
		int result;
	} rows[] = {
		{100, 777, 0},    {100, 0, 0},       {100, 776, -ESRCH}, {100, UINT64_MAX, -ESRCH}, {101, 777, -ESRCH},
		{101, 0, -ESRCH}, {0, 777, -EINVAL}, {-1, 0, -EINVAL},   {INT32_MIN, 0, -EINVAL},
	};
	struct owner *const untouched = (struct owner *)&rows;

	make_process("100", "100 (x)" GOOD_TAIL, GOOD_STATUS);
	for (size_t i = 0; i < GB_COUNT(rows); i++) {
		struct owner *owner = untouched;

		ck_assert_msg(owner_read(source, rows[i].pid, rows[i].start_ticks, &owner) == rows[i].result, "row %zu",
			      i);
		if (rows[i].result)
			ck_assert_ptr_eq(owner, untouched);
		else
			owner_unref(owner);
	}
}
END_TEST

static atomic_bool stop;

/* One pid goes to and fro between two processes. */
static void *swap(void *arg)
{
	char one[PATH_MAX], other[PATH_MAX];

	(void)arg;
	tree_path("100", one);
	tree_path("other", other);
	while (!stop)
		renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
	return NULL;
}

START_TEST(recycled_during_the_look_up)
{
	pthread_t thread;
	int seen = 0;

	make_process("100", "100 (one) S 1 1 1 0 -1 0 9 0 0 0 1 2 0 0 20 0 1 0 111 1\n", STATUS("S", "0"));
	tree_link("100/exe", "/bin/one");
	tree_write("100/cgroup", "0::/one.service\n");
	make_process("other", "100 (two) S 1 1 1 0 -1 0 9 0 0 0 1 2 0 0 20 0 1 0 222 1\n", STATUS("T", "0"));
	tree_link("other/exe", "/bin/two");
	tree_write("other/cgroup", "0::/two.service\n");
	stop = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 3000; i++) {
		struct owner *owner;
		int result = owner_read(source, 100, i % 2 ? 111 : 0, &owner);

		if (result == -ESRCH)
			continue;
		ck_assert_int_eq(result, 0);
		seen++;
		if (owner->public.start_ticks == 111)
			ck_assert(!strcmp(owner->public.comm, "one") && !strcmp(owner->public.exe, "/bin/one") &&
				  !strcmp(owner->public.unit, "one.service") && owner->public.flags == 0);
		else
			ck_assert(!strcmp(owner->public.comm, "two") && !strcmp(owner->public.exe, "/bin/two") &&
				  !strcmp(owner->public.unit, "two.service") &&
				  owner->public.flags == GB_OWNER_STOPPED);
		owner_unref(owner);
	}
	stop = true;
	pthread_join(thread, NULL);
	ck_assert_int_gt(seen, 0);
}
END_TEST

START_TEST(cache)
{
	struct owner_cache *cached;
	struct owner *first, *second, *kept;

	make_process("100", "100 (before)" GOOD_TAIL, GOOD_STATUS);
	ck_assert_int_eq(owner_cache_new(source, &cached), 0);
	ck_assert_int_eq(owner_cache_get(cached, 100, 777, &first), 0);
	ck_assert_int_eq(owner_cache_get(cached, 101, 0, &second), -ESRCH);
	make_process("100", "100 (after)" GOOD_TAIL, GOOD_STATUS);
	make_process("101", "101 (new)" GOOD_TAIL, GOOD_STATUS);
	ck_assert_int_eq(owner_cache_get(cached, 100, 777, &second), 0);
	ck_assert_ptr_eq(first, second);
	ck_assert_str_eq(second->public.comm, "before");
	ck_assert_int_eq(owner_cache_get(cached, 101, 0, &second), -ESRCH);
	ck_assert_int_eq(owner_cache_get(cached, 100, 778, &second), -ESRCH);

	kept = owner_ref(first);
	owner_cache_clear(cached);
	ck_assert_str_eq(kept->public.comm, "before");
	owner_unref(kept);
	ck_assert_int_eq(owner_cache_get(cached, 100, 777, &second), 0);
	ck_assert_str_eq(second->public.comm, "after");
	ck_assert_int_eq(owner_cache_get(cached, 101, 0, &second), 0);
	owner_cache_free(cached);
	owner_cache_free(NULL);
}
END_TEST

START_TEST(this_process)
{
	struct owner_source *proc;
	struct owner *owner;

	ck_assert_int_eq(owner_source_new("/proc", &proc), 0);
	ck_assert_int_eq(owner_read(proc, getpid(), 0, &owner), 0);
	ck_assert_str_eq(owner->public.comm, "check_owner");
	ck_assert_uint_eq(owner->public.uid, getuid());
	ck_assert_uint_ne(owner->public.netns_inode, 0);
	ck_assert_str_eq(strrchr(owner->public.exe, '/'), "/check_owner");
	owner_unref(owner);
	owner_source_free(proc);
	ck_assert_int_eq(owner_source_new("/nonexistent", &proc), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("owner");
	TCase *tcase = tcase_create("read");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, whole);
	tcase_add_test(tcase, little_is_known);
	tcase_add_test(tcase, stat_lines);
	tcase_add_test(tcase, status_texts);
	tcase_add_test(tcase, main_thread_has_exited);
	tcase_add_test(tcase, frozen);
	tcase_add_test(tcase, gone_or_another);
	tcase_add_test(tcase, recycled_during_the_look_up);
	tcase_add_test(tcase, cache);
	tcase_add_test(tcase, this_process);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
