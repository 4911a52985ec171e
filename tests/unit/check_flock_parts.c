/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of flock that need no kernel: what is never touched, chains of waiters, whether a process runs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "flock.h"
#include "flock/chain.c"
#include "flock/never.c"
#include "flock/process.c"

static const struct {
	const char *path, *want;
} path_rows[] = {
	{"/run/backup/nightly.lock", NULL},
	{"/tmp/x", NULL},
	{"/home/dev/job.lock", NULL},
	{"/srv/app/var/lib/app/lock", NULL},
	{"", "path-unknown"},
	{NULL, "path-unknown"},
	{"socket:[12]", "path-unknown"},
	{"/var/lib/dpkg/lock", "protected-path"},
	{"/var/lib/dpkg/lock-frontend", "protected-path"},
	{"/var/lib/apt/lists/lock", "protected-path"},
	{"/var/cache/apt/archives/lock", "protected-path"},
	{"/var/lib/rpm/.rpm.lock", "protected-path"},
	{"/usr/lib/sysimage/rpm/rpmdb.sqlite", "protected-path"},
	{"/srv/chroot/var/lib/dpkg/lock", "protected-path"},
	{"/home/me/app.sqlite3", "protected-path"},
	{"/home/me/app.sqlite3-wal", "protected-path"},
	{"/var/mail/root", "protected-path"},
	{"/var/spool/postfix/pid/master.pid", "protected-path"},
	{"/run/lock/lvm/V_data", "protected-path"},
	{"/dev/sda", "protected-path"},
	{"/var/lib/libvirt/images/a", "protected-path"},
	{"/srv/vm/disk.qcow2", "protected-path"},
	{"/var/lib/postgresql/15/main/postmaster.pid", "protected-path"},
	{"/srv/db/LOCK", "protected-path"},
	{"/etc/.pwd.lock", "protected-path"},
};

static const char *text(const char *value)
{
	return value ? value : "(none)";
}

START_TEST(paths)
{
	ck_assert_msg(fl_never_path(path_rows[_i].path) == path_rows[_i].want ||
			      strcmp(text(fl_never_path(path_rows[_i].path)), text(path_rows[_i].want)) == 0,
		      "%s: %s, want %s", text(path_rows[_i].path), text(fl_never_path(path_rows[_i].path)),
		      text(path_rows[_i].want));
}
END_TEST

static const struct {
	uint64_t magic;
	const char *want;
} magic_rows[] = {
	{0xef53, "(none)"},
	{0x01021994, "(none)"},
	{0x794c7630, "(none)"},
	{0x6969, "network-file-system"},
	{0xff534d42, "network-file-system"},
	{0xffffffffff534d42, "network-file-system"}, /* as a signed long shows it */
	{0x65735546, "network-file-system"},
	{0x00c36400, "network-file-system"},
	{0x01021997, "network-file-system"},
	{0, "unknown-file-system"},
	{0x12345678, "unknown-file-system"},
};

/* The same few inode numbers in each of many file systems, as where every container has its own /run. */
START_TEST(locks_of_many_small_file_systems_find_room)
{
	enum { BUCKETS = 4096, FILE_SYSTEMS = 256, FILES = 10 };
	unsigned int used[BUCKETS] = {0}, most = 0;

	for (uint32_t dev = 40; dev < 40 + FILE_SYSTEMS; dev++)
		for (uint64_t inode = 2; inode < 2 + FILES; inode++) {
			unsigned int now = ++used[fl_bucket_of(inode, dev, BUCKETS - 1)];

			most = now > most ? now : most;
		}
	ck_assert_uint_le(most, FL_WAYS);
}
END_TEST

START_TEST(file_systems_by_magic)
{
	ck_assert_str_eq(text(fl_never_file_system(magic_rows[_i].magic)), magic_rows[_i].want);
}
END_TEST

static const struct {
	const char *name;
	struct fl_edge edges[4];
	size_t edge_count, want;
	bool cycle;
} chain_rows[] = {
	{"one waits", {{.waiter = 1, .holder = 2}}, 1, 1, false},
	{"a chain of three", {{.waiter = 1, .holder = 2}, {.waiter = 2, .holder = 3}}, 2, 2, false},
	{"each for the other", {{.waiter = 1, .holder = 2}, {.waiter = 2, .holder = 1}}, 2, 2, true},
	{"for itself", {{.waiter = 1, .holder = 1}}, 1, 1, true},
	{"into a cycle",
	 {{.waiter = 1, .holder = 2}, {.waiter = 2, .holder = 3}, {.waiter = 3, .holder = 2}},
	 3,
	 3,
	 true},
	{"a stranger's cycle",
	 {{.waiter = 1, .holder = 2}, {.waiter = 8, .holder = 9}, {.waiter = 9, .holder = 8}},
	 3,
	 1,
	 false},
};

START_TEST(chains)
{
	struct fl_chain chain;

	fl_chain_follow(chain_rows[_i].edges, chain_rows[_i].edge_count, &chain_rows[_i].edges[0], &chain);
	ck_assert_msg(chain.count == chain_rows[_i].want && chain.cycle == chain_rows[_i].cycle && !chain.cut,
		      "%s: %zu steps, cycle %d", chain_rows[_i].name, chain.count, chain.cycle);
}
END_TEST

START_TEST(a_long_chain_is_cut)
{
	struct fl_edge edges[FL_CHAIN_MAX + 5];
	struct fl_chain chain;

	for (int i = 0; i < FL_CHAIN_MAX + 5; i++)
		edges[i] = (struct fl_edge){.waiter = i, .holder = i + 1};
	fl_chain_follow(edges, FL_CHAIN_MAX + 5, edges, &chain);
	ck_assert_uint_eq(chain.count, FL_CHAIN_MAX);
	ck_assert(chain.cut && !chain.cycle);
}
END_TEST

START_TEST(the_longest_wait_leads_on)
{
	const struct fl_edge edges[] = {{.waiter = 1, .holder = 2},
					{.waiter = 2, .holder = 3, .since_ns = 20},
					{.waiter = 2, .holder = 4, .since_ns = 10}};
	struct fl_chain chain;

	fl_chain_follow(edges, 3, edges, &chain);
	ck_assert_uint_eq(chain.count, 2);
	ck_assert_int_eq(chain.steps[1]->holder, 4);
}
END_TEST

static const struct {
	const char *comm;
	char state;
	long threads;
	uint64_t ticks;
	int want;
} stat_rows[] = {
	{"sleep", 'S', 1, 500, 1}, {"a) R 1 (b", 'S', 1, 500, 1}, {"sleep", 'Z', 1, 500, 0},
	{"sleep", 'X', 1, 500, 0}, {"sleep", 'Z', 3, 500, 1}, /* its first thread has ended, the others go on */
	{"sleep", 'S', 1, 501, 0},                            /* another, with its pid */
	{"sleep", 'T', 1, 500, 1},
};

START_TEST(a_process_by_its_start)
{
	char stat[256];

	snprintf(stat, sizeof(stat), "42 (%s) %c 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 %ld 0 %llu 1 2 3",
		 stat_rows[_i].comm, stat_rows[_i].state, stat_rows[_i].threads,
		 (unsigned long long)stat_rows[_i].ticks);
	ck_assert_int_eq(fl_stat_runs(stat, 5000000000 + 9999999), stat_rows[_i].want);
}
END_TEST

START_TEST(what_is_no_stat_line)
{
	ck_assert_int_eq(fl_stat_runs("", 1), -EPROTO);
	ck_assert_int_eq(fl_stat_runs("42 sleep S 1", 1), -EPROTO);
	ck_assert_int_eq(fl_stat_runs("42 (sleep) S 1", 1), -EPROTO);
}
END_TEST

static const struct {
	const char *text;
	enum fl_thread_state want;
} syscall_rows[] = {
	{"73 0x3 0x2 0x0 0x0 0x0 0x0 0x7ffd 0x7f00\n", FL_THREAD_WAITS},         /* flock() */
	{"72 0x3 0x7 0x7ffc 0x0 0x0 0x0 0x7ffd 0x7f00\n", FL_THREAD_WAITS},      /* fcntl() */
	{"0 0x3 0x7ffc 0x100 0x0 0x0 0x0 0x7ffd 0x7f00\n", FL_THREAD_ELSEWHERE}, /* read() */
	{"-1 0x7ffd 0x7f00\n", FL_THREAD_ELSEWHERE},
	{"running\n", FL_THREAD_UNKNOWN},
	{"", FL_THREAD_UNKNOWN},
};

START_TEST(a_thread_by_its_call)
{
#ifdef __x86_64__
	ck_assert_msg(fl_syscall_state(syscall_rows[_i].text) == syscall_rows[_i].want, "%s", syscall_rows[_i].text);
#endif
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("flock_parts");
	TCase *tcase = tcase_create("parts");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, paths, 0, ROWS(path_rows));
	tcase_add_test(tcase, locks_of_many_small_file_systems_find_room);
	tcase_add_loop_test(tcase, file_systems_by_magic, 0, ROWS(magic_rows));
	tcase_add_loop_test(tcase, chains, 0, ROWS(chain_rows));
	tcase_add_test(tcase, a_long_chain_is_cut);
	tcase_add_test(tcase, the_longest_wait_leads_on);
	tcase_add_loop_test(tcase, a_process_by_its_start, 0, ROWS(stat_rows));
	tcase_add_test(tcase, what_is_no_stat_line);
	tcase_add_loop_test(tcase, a_thread_by_its_call, 0, ROWS(syscall_rows));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
