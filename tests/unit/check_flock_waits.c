/* SPDX-License-Identifier: Apache-2.0 */
/* Who is kept out, and who only seems to be: the waiters of flock with a map and threads that are made up. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "flock/waits.c"

#define S UINT64_C(1000000000)
#define NOW (1000 * S)
#define MEMORY (60 * S)
#define INODE 7
#define DEV 3

/* ---- what is made up ---------------------------------------------------------------------------------------------- */

static struct fl_wait_entry map[8];
static size_t map_count, forgotten;
static enum fl_thread_state thread_now, thread_after; /* before and after the map has forgotten it */
static bool process_runs;

int fl_kernel_waits(const struct fl_kernel *kernel, int (*fn)(const struct fl_wait_entry *entry, void *arg), void *arg)
{
	int r = 0;

	(void)kernel;
	for (size_t i = 0; i < map_count && r == 0; i++)
		r = fn(&map[i], arg);
	return r;
}

void fl_kernel_wait_forget(const struct fl_kernel *kernel, const struct fl_wait_entry *entry)
{
	(void)kernel;
	(void)entry;
	forgotten++;
}

int fl_process_runs(int32_t tgid, uint64_t start_ns)
{
	(void)tgid;
	(void)start_ns;
	return process_runs;
}

enum fl_thread_state fl_thread_state(int32_t tid)
{
	(void)tid;
	return forgotten ? thread_after : thread_now;
}

bool fl_any_thread_waits(int32_t tgid)
{
	(void)tgid;
	return thread_now == FL_THREAD_WAITS;
}

static struct fl_wait_entry entry(uint64_t inode, int tid)
{
	struct fl_wait_entry made = {.key = {.inode = inode, .dev = DEV, .tid = (uint32_t)tid}};

	made.wait = (struct fl_wait){.since_ns = NOW - 10 * S,
				     .last_ns = NOW - S,
				     .tgid = tid ? tid : 50,
				     .type = FL_WRITE,
				     .end = FL_END_OF_FILE,
				     .file = 0xa};
	return made;
}

static void begin(void)
{
	map_count = forgotten = 0;
	thread_now = thread_after = FL_THREAD_WAITS;
	process_runs = true;
}

/* ---- what becomes of an entry ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool runs;
	enum fl_thread_state now, after;
	size_t counted, forgotten;
	bool lost;
} state_rows[] = {
	{"asleep for the lock", true, FL_THREAD_WAITS, FL_THREAD_WAITS, 1, 0, false},
	{"on its way to sleep", true, FL_THREAD_UNKNOWN, FL_THREAD_UNKNOWN, 0, 0, false},
	{"interrupted, and asleep elsewhere", true, FL_THREAD_ELSEWHERE, FL_THREAD_ELSEWHERE, 0, 1, false},
	{"gone, its process lives", true, FL_THREAD_GONE, FL_THREAD_GONE, 0, 1, false},
	{"its process is gone", false, FL_THREAD_WAITS, FL_THREAD_WAITS, 0, 1, false},
	{"back at the lock while it is forgotten", true, FL_THREAD_ELSEWHERE, FL_THREAD_WAITS, 0, 1, true},
	{"perhaps on its way back", true, FL_THREAD_ELSEWHERE, FL_THREAD_UNKNOWN, 0, 1, true},
};

START_TEST(no_waiter_is_forgotten_that_may_still_wait)
{
	struct fl_waits waits = {0};

	begin();
	map[map_count++] = entry(INODE, 100);
	process_runs = state_rows[_i].runs;
	thread_now = state_rows[_i].now;
	thread_after = state_rows[_i].after;
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW, MEMORY), 0);
	ck_assert_msg(waits.count == state_rows[_i].counted && forgotten == state_rows[_i].forgotten &&
			      waits.lost == state_rows[_i].lost,
		      "%s: %zu, forgotten %zu, lost %d", state_rows[_i].name, waits.count, forgotten, waits.lost);
	fl_waits_fini(&waits);
}
END_TEST

START_TEST(a_refusal_is_remembered_for_so_long)
{
	struct fl_waits waits = {0};

	begin();
	map[map_count++] = entry(INODE, FL_REFUSED);
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW, MEMORY), 0);
	ck_assert_uint_eq(waits.count, 1);
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW - S + MEMORY, MEMORY), 0);
	ck_assert_uint_eq(waits.count, 0);
	ck_assert_uint_eq(forgotten, 1);
	fl_waits_fini(&waits);
}
END_TEST

START_TEST(each_counts_once_and_is_found_by_its_inode)
{
	struct fl_waits waits = {0};
	size_t count;

	begin();
	map[map_count++] = entry(INODE + 1, 101);
	map[map_count++] = entry(INODE, 100);
	map[map_count++] = entry(INODE, FL_REFUSED);
	map[map_count++] = entry(INODE - 1, 100);
	map[map_count++] = entry(INODE, 100); /* the walk began again */
	map[map_count++] = entry(INODE, 102);
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW, MEMORY), 0);
	ck_assert_uint_eq(waits.count, 5);
	fl_waits_of(&waits, INODE, DEV, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(fl_waits_of(&waits, INODE + 1, DEV, &count)->tid, 101);
	ck_assert_uint_eq(count, 1);
	fl_waits_of(&waits, INODE + 1, DEV + 1, &count);
	ck_assert_uint_eq(count, 0);
	fl_waits_fini(&waits);
}
END_TEST

/* ---- those from before the start ---------------------------------------------------------------------------------- */

static struct fl_records waiters_of(struct fl_record *record, uint64_t inode, int tgid)
{
	*record = (struct fl_record){.tag = FL_RECORD_WAITER,
				     .inode = inode,
				     .dev = DEV,
				     .tgid = tgid,
				     .end = FL_END_OF_FILE,
				     .type = FL_WRITE};
	return (struct fl_records){.items = record, .count = 1};
}

START_TEST(one_from_before_the_start_counts_while_it_is_met)
{
	struct fl_waits waits = {0};
	struct fl_record record;
	struct fl_records waiters = waiters_of(&record, INODE, 100);

	begin();
	ck_assert_int_eq(fl_waits_add_standing(&waits, &waiters, NOW), 0);
	ck_assert_int_eq(fl_waits_add_standing(&waits, &waiters, NOW), 0);
	ck_assert_uint_eq(waits.count, 1);
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW, MEMORY), 0);
	fl_waits_confirm(&waits, &waiters);
	ck_assert_uint_eq(waits.count, 1);
	map[map_count++] = entry(INODE, 100); /* it was woken for nothing, and has told of itself since */
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW, MEMORY), 0);
	ck_assert_uint_eq(waits.count, 1);
	ck_assert(!waits.items[0].standing);
	fl_waits_fini(&waits);
}
END_TEST

START_TEST(one_that_waits_for_another_lock_by_now_does_not)
{
	struct fl_waits waits = {0};
	struct fl_record record;
	struct fl_records waiters = waiters_of(&record, INODE, 100);

	begin();
	ck_assert_int_eq(fl_waits_add_standing(&waits, &waiters, NOW), 0);
	ck_assert_int_eq(fl_waits_read(&waits, NULL, NOW, MEMORY), 0);
	record.inode = INODE + 1;
	fl_waits_confirm(&waits, &waiters);
	ck_assert_uint_eq(waits.count, 0);
	fl_waits_fini(&waits);
}
END_TEST

/* ---- whom a lock keeps out ---------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t asks, holds;
	int asker, holder;
	uint64_t asks_by, held_by; /* open file */
	bool want;
} own_rows[] = {
	{"flock() by another open file", FL_FLOCK, FL_FLOCK, 100, 100, 0xa, 0xb, true},
	{"flock() by the same open file", FL_FLOCK, FL_FLOCK, 100, 101, 0xa, 0xa, false},
	{"a POSIX lock of another", FL_POSIX, FL_POSIX, 100, 101, 0xa, 0xa, true},
	{"more of its own POSIX lock", FL_POSIX, FL_POSIX, 100, 100, 0xa, 0xb, false},
	{"an OFD lock of another open file", FL_OFD, FL_OFD, 100, 100, 0xa, 0xb, true},
	{"more of its own OFD lock", FL_OFD, FL_OFD, 100, 101, 0xa, 0xa, false},
	{"OFD behind the process's own POSIX lock", FL_OFD, FL_POSIX, 100, 100, 0xa, 0xa, true},
	{"POSIX behind an OFD lock of the same open file", FL_POSIX, FL_OFD, 100, 100, 0xa, 0xa, true},
	{"POSIX behind flock()", FL_POSIX, FL_FLOCK, 100, 101, 0xa, 0xb, false},
};

START_TEST(nobody_keeps_himself_out)
{
	struct fl_waiting waiting = {.inode = {.inode = INODE, .dev = DEV},
				     .tid = 100,
				     .wait = entry(INODE, 100).wait,
				     .posix = own_rows[_i].asks != FL_FLOCK};
	struct fl_record lock = {.inode = INODE,
				 .dev = DEV,
				 .end = FL_END_OF_FILE,
				 .type = FL_READ,
				 .kind = own_rows[_i].holds,
				 .tgid = own_rows[_i].holder,
				 .file = own_rows[_i].held_by};

	waiting.wait.kind = own_rows[_i].asks;
	waiting.wait.tgid = own_rows[_i].asker;
	waiting.wait.file = own_rows[_i].asks_by;
	ck_assert_msg(fl_waiting_counts(&waiting, &lock, NOW, MEMORY) == own_rows[_i].want, "%s", own_rows[_i].name);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("flock_waits");
	TCase *tcase = tcase_create("waits");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, no_waiter_is_forgotten_that_may_still_wait, 0, ROWS(state_rows));
	tcase_add_test(tcase, a_refusal_is_remembered_for_so_long);
	tcase_add_test(tcase, each_counts_once_and_is_found_by_its_inode);
	tcase_add_test(tcase, one_from_before_the_start_counts_while_it_is_met);
	tcase_add_test(tcase, one_that_waits_for_another_lock_by_now_does_not);
	tcase_add_loop_test(tcase, nobody_keeps_himself_out, 0, ROWS(own_rows));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
