/* SPDX-License-Identifier: Apache-2.0 */
/* What sysv_ipc remembers of objects: which is which, and since when each is proven to be unused, whatever the clocks do. */
#include <check.h>
#include <stdlib.h>

#include "sysv_ipc/known.c" /* the very unit: a plugin has no library to link */

#define S ((uint64_t)GB_SECOND)
#define H (3600 * S)
#define EPOCH UINT64_C(1700000000) /* wall clock of the boot, seconds */

static struct sysv_known_table table;
static struct sysv_clocks clocks;
static uint64_t complete_ns;

/* The machine has been up for `up_s`, and its wall clock is `set_s` ahead of what it was at the boot. */
static struct sysv_moment moment_at(uint64_t up_s, int64_t set_s)
{
	struct sysv_moment moment = {.now_ns = up_s * S,
				     .boot_ns = up_s * S,
				     .wall_ns = (EPOCH + up_s + (uint64_t)set_s) * S,
				     .complete_ns = complete_ns};

	sysv_clocks_see(&clocks, &moment);
	complete_ns = moment.now_ns;
	return moment;
}

/* Last used when the machine had been up for `up_s`; the wall clock was `set_s` ahead then. */
static struct sysv_object object_used(uint64_t up_s, int64_t set_s)
{
	return (struct sysv_object){.kind = SYSV_MSG,
				    .id = 7,
				    .creator_uid = 1000,
				    .size = 16384,
				    .changed_s = (int64_t)EPOCH,
				    .used_s = (int64_t)(EPOCH + up_s) + set_s};
}

static void setup(void)
{
	table = (struct sysv_known_table){0};
	clocks = (struct sysv_clocks){0};
	complete_ns = 0;
}

static void teardown(void)
{
	sysv_known_fini(&table);
}

/* Two scans, and what the second says. Hours; the wall clock stands at `set` then, and was at `set_then` when it was used. */
static const struct {
	uint64_t first_scan, used, second_scan;
	int64_t set_at_first, set_then, set_at_second;
	uint64_t least, most; /* hours that it is unused at the second scan */
} cases[] = {
	{100, 50, 124, 0, 0, 0, 73, 74},   /* from before the daemon: the wall clock is all there is */
	{100, 110, 124, 0, 0, 0, 13, 14},  /* used between the scans */
	{100, 110, 124, 0, 30, 30, 0, 0},  /* the clock was set forward since the first: nothing is proven */
	{100, 110, 124, 0, 0, 30, 0, 0},   /* the same, after the use */
	{100, 99, 102, 0, 0, 30, 2, 2},    /* not used since the first: the two hours between are sure, no more */
	{100, 50, 124, 0, 0, -30, 24, 24}, /* set back */
	{100, 120, 124, 0, 30, 0, 0, 0},   /* used in what is the future now */
	{100, 1, 101, 200, 0, 200, 1,
	 1}, /* set forward before the daemon came: the use seems to be from before the boot */
};

START_TEST(unused)
{
	struct sysv_moment moment = moment_at(cases[_i].first_scan * 3600, cases[_i].set_at_first * 3600);
	bool used_between = cases[_i].used > cases[_i].first_scan;
	struct sysv_object before = object_used(used_between ? 10 * 3600 : cases[_i].used * 3600,
						used_between ? 0 : cases[_i].set_then * 3600),
			   after = object_used(cases[_i].used * 3600, cases[_i].set_then * 3600);
	struct sysv_known *known;
	uint64_t unused_ns;

	ck_assert_ptr_nonnull(sysv_known_see(&table, 1, &before, &moment));
	moment = moment_at(cases[_i].second_scan * 3600, cases[_i].set_at_second * 3600);
	known = sysv_known_see(&table, 1, &after, &moment);
	ck_assert_uint_eq(HASH_COUNT(table.head), 1);
	unused_ns = sysv_known_unused_ns(known, &moment);
	ck_assert_uint_le(unused_ns, cases[_i].most * H);
	ck_assert_uint_ge(unused_ns, cases[_i].least ? cases[_i].least * H - 5 * S : 0);
}
END_TEST

/* Steps that are too small to be seen one by one are seen when they add up. */
START_TEST(small_steps_add_up)
{
	moment_at(100, 0);
	ck_assert(!moment_at(200, 1).set);
	ck_assert(!moment_at(300, 2).set);
	ck_assert(moment_at(400, 3).set);
	ck_assert(!moment_at(500, 3).set);
	ck_assert(clocks.ever_set);
}
END_TEST

/* The latest moment at which it may have been made: no process that is younger can have made it. */
static const struct {
	uint64_t made_s, seen_s; /* since the boot */
	int64_t set_then, set_s; /* the wall clock, when it was made and when it was seen */
	int64_t set_later;       /* and at another scan after that */
	uint64_t least_s, most_s;
} births[] = {
	{1000, 5000, 0, 0, 0, 1000, 1006},         {1000, 1000, 0, 0, 0, 1000, 1006},
	{1000, 5000, 0, 1, 1, 1000, 1006},         /* a second's adjustment is no matter */
	{30, 5000, 0, 100000, 100000, 5000, 5006}, /* a machine without a clock: set after the boot, before the daemon */
	{1000, 5000, 0, 0, 3600, 5000, 5006},      /* set while the daemon ran */
	{1000, 5000, 3600, 0, 0, 4600, 5006},      /* set back: it seems to be younger than it is */
};

START_TEST(made)
{
	struct sysv_moment moment = moment_at(births[_i].seen_s, births[_i].set_s);
	struct sysv_object object = object_used(births[_i].made_s, births[_i].set_then);
	struct sysv_known *known;
	uint64_t made_ns;

	object.changed_s = object.used_s;
	ck_assert_ptr_nonnull(sysv_known_see(&table, 1, &object, &moment));
	moment = moment_at(births[_i].seen_s + 100, births[_i].set_later);
	known = sysv_known_see(&table, 1, &object, &moment);
	made_ns = sysv_known_made_ns(known, &object, &clocks, &moment);
	ck_assert_uint_ge(made_ns, births[_i].least_s * S);
	ck_assert_uint_le(made_ns, births[_i].most_s * S);
}
END_TEST

/* The first id of each namespace is 0, and the number of a namespace is used again. */
START_TEST(another_object_with_the_same_id)
{
	struct sysv_object object = object_used(100, 0), others[] = {object, object, object, object, object};
	uint64_t key = sysv_known_key(1, &object);

	others[0].changed_s++;
	others[1].size++;
	others[2].creator_uid++;
	others[3].kind = SYSV_SEM;
	others[4].id++;
	for (size_t i = 0; i < GB_COUNT(others); i++)
		ck_assert_uint_ne(sysv_known_key(1, &others[i]), key);
	ck_assert_uint_ne(sysv_known_key(2, &object), key);
	others[0] = object;
	others[0].used_s++;
	others[0].count++;
	ck_assert_uint_eq(sysv_known_key(1, &others[0]), key);
}
END_TEST

/* It was not there when everything was looked at: it is no older, whatever the clock says. */
START_TEST(new_since_the_last_look)
{
	struct sysv_moment moment = moment_at(1000, 0);
	struct sysv_object object = object_used(100, 0);

	moment = moment_at(2000, 0);
	ck_assert_uint_eq(sysv_known_unused_ns(sysv_known_see(&table, 1, &object, &moment), &moment), 1000 * S);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_known");
	TCase *test = tcase_create("known");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, test);
	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_loop_test(test, unused, 0, GB_COUNT(cases));
	tcase_add_test(test, small_steps_add_up);
	tcase_add_loop_test(test, made, 0, GB_COUNT(births));
	tcase_add_test(test, another_object_with_the_same_id);
	tcase_add_test(test, new_since_the_last_look);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
