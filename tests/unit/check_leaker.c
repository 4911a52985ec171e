/* SPDX-License-Identifier: Apache-2.0 */
/* Who leaks, how much, how fast, and how long it can go on. */
#include "fake_plugin.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "leaker.h"
#include "owner.h"
#include "word.h"

#define START (1000000 * SECOND)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static struct leakers leakers;
static struct ghost_table table;
static struct ghost_ring ring;
static uint64_t files_open, files_limit, files_asked;

static int files_of(int32_t pid, uint64_t start_ticks, struct process_files *ret_files)
{
	files_asked++;
	if (pid == 13 || start_ticks != 5)
		return -ESRCH;
	*ret_files = (struct process_files){.open = files_open, .limit = files_limit};
	return 0;
}

static void make(void)
{
	now_ns = START;
	clock_override(&now_ns);
	leakers_init(&leakers, files_of, START);
	ck_assert_int_eq(ghost_table_init(&table, "tcp_close_wait", &ring), 0);
	files_open = 100;
	files_limit = 1000;
	files_asked = 0;
}

static void unmake(void)
{
	leakers_fini(&leakers);
	ghost_table_fini(&table);
	ghost_ring_fini(&ring);
	clock_override(NULL);
}

struct who {
	int32_t pid;
	const char *comm, *exe, *unit, *container, *pod;
};

static void owner_fill(struct owner *owner, const struct who *who)
{
	owner->public.pid = who->pid;
	owner->public.start_ticks = 5;
	owner->public.comm = who->comm;
	owner->public.exe = who->exe;
	owner->public.unit = who->unit;
	owner->public.container = who->container;
	owner->public.pod = who->pod;
}

/* The caller's reference is the only one that is counted: the owners live on the test's stack. */
static struct ghost *ghost_of(uint64_t key, struct owner *owner, const char *class, uint64_t age_ns)
{
	const struct gb_field evidence = {.name = "class", .type = GB_FIELD_TEXT, .text = class};
	const struct gb_ghost report = {.struct_size = sizeof(report),
					.key = key,
					.resource = "thing",
					.action = "destroy",
					.age_ns = age_ns,
					.evidence = &evidence,
					.evidence_count = class ? 1 : 0};
	struct ghost *ghost;
	bool new;

	ck_assert_int_eq(ghost_put(&table, &report, now_ns, &ghost, &new), 0);
	ghost->found = true;
	if (ghost->state == GHOST_SUSPECT)
		ghost->state = GHOST_SPARED;
	if (owner)
		ghost_set_owners(ghost, &owner, 1);
	return ghost;
}

static json_t *answer(size_t limit)
{
	json_t *json;

	leakers_present_none(&leakers);
	for (struct ghost *ghost = table.by_key; ghost; ghost = ghost->hh.next)
		leakers_present(&leakers, ghost, now_ns);
	json = leakers_json(&leakers, limit, now_ns, UINT64_MAX);
	ck_assert_ptr_nonnull(json);
	return json;
}

static long number(const json_t *list, size_t at, const char *key)
{
	const json_t *value = json_object_get(json_array_get(list, at), key);

	return value ? (long)json_integer_value(value) : -1;
}

static const char *text(const json_t *list, size_t at, const char *key)
{
	const char *value = json_string_value(json_object_get(json_array_get(list, at), key));

	return value ? value : "";
}

#define OWNERS 6
static const struct who people[OWNERS] = {
	{1, "java", "/usr/bin/java", "shop.service", NULL, NULL},
	{2, "java", "/usr/bin/java", "shop.service", "0123", NULL}, /* the same: another worker */
	{3, "java", "/usr/bin/java", "till.service", NULL, NULL},
	{4, "java", "/usr/bin/java", NULL, "0123", "pod"},
	{5, "\x1b[2Jx\xff", NULL, NULL, NULL, NULL},
	{13, "python", "/usr/bin/python3", NULL, NULL, "pod"}, /* it has gone */
};

START_TEST(by_owner_and_ranked)
{
	/* By owner: found, how many of those reaped. */
	static const uint32_t found[OWNERS] = {3, 2, 9, 1, 1, 1}, reaped[OWNERS] = {1, 0, 9, 0, 0, 1};
	static struct owner owners[OWNERS];
	uint64_t key = 1;
	json_t *json, *list;

	for (int i = 0; i < OWNERS; i++) {
		owners[i].references = 1;
		owner_fill(&owners[i], &people[i]);
		for (uint32_t j = 0; j < found[i]; j++) {
			struct ghost *ghost =
				ghost_of(key++, &owners[i], j ? "never-looked" : "stuck-reader", SECOND * j);

			leakers_count(&leakers, ghost, GHOST_EVENT_FOUND, now_ns);
			leakers_count(&leakers, ghost, j < reaped[i] ? GHOST_EVENT_REAPED : GHOST_EVENT_SPARED, now_ns);
			if (j < reaped[i])
				ghost_finish(&table, ghost, GHOST_REAPED);
		}
	}
	leakers_count(&leakers, ghost_of(key++, NULL, NULL, 0), GHOST_EVENT_FOUND, now_ns);
	now_ns += 10 * SECOND;
	json = answer(3);
	list = json_object_get(json, "leakers");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "total")), 5);
	ck_assert_uint_eq(json_array_size(list), 3);
	ck_assert_str_eq(text(list, 0, "unit"), "shop.service");
	ck_assert_int_eq(number(list, 0, "ghosts"), 4);
	ck_assert_int_eq(number(list, 0, "found"), 5);
	ck_assert_int_eq(number(list, 0, "reaped"), 1);
	ck_assert_int_eq(number(list, 0, "spared"), 4);
	ck_assert_int_eq(number(list, 0, "oldest_ms"), 12000);
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(list, 0), "pids")), 2);
	ck_assert_int_eq(json_integer_value(
				 json_object_get(json_object_get(json_array_get(list, 0), "classes"), "never-looked")),
			 3);
	ck_assert_int_eq(number(list, 1, "ghosts"), 1);
	json_decref(json);
	json = answer(100);
	list = json_object_get(json, "leakers");
	ck_assert_uint_eq(json_array_size(list), 5);
	ck_assert_str_eq(text(list, 3, "unit"), "till.service");
	ck_assert_int_eq(number(list, 3, "reaped"), 9);
	ck_assert_int_eq(number(list, 3, "files_open"), 100);
	ck_assert_str_eq(text(list, 4, "comm"), "python");
	ck_assert_int_eq(number(list, 4, "files_open"), -1);
	ck_assert_int_eq(number(list, 4, "oldest_ms"), -1);
	json_decref(json);
	/* No time is left: of the worst it is told all the same, for who asks means that one. */
	json = leakers_json(&leakers, 100, now_ns, now_ns);
	list = json_object_get(json, "leakers");
	ck_assert_int_eq(number(list, 0, "files_open"), 100);
	for (size_t i = 1; i < json_array_size(list); i++)
		ck_assert_int_eq(number(list, i, "files_open"), -1);
	json_decref(json);
	ghost_table_fini(&table);
	ghost_ring_fini(&ring);
	leakers_fini(&leakers);
	for (int i = 0; i < OWNERS; i++)
		ck_assert_uint_eq(owners[i].references, 1);
}
END_TEST

START_TEST(spared_alone_is_no_leak)
{
	struct owner owner = {.references = 1};
	struct ghost *ghost;

	owner_fill(&owner, &people[0]);
	ghost = ghost_of(1, &owner, NULL, 0);
	leakers_count(&leakers, ghost, GHOST_EVENT_SPARED, now_ns);
	leakers_count(&leakers, ghost, GHOST_EVENT_HEALED, now_ns);
	ck_assert_uint_eq(HASH_COUNT(leakers.by_key), 0);
	leakers_count(&leakers, ghost, GHOST_EVENT_FOUND, now_ns);
	ck_assert_uint_eq(HASH_COUNT(leakers.by_key), 1);
	ghost_table_fini(&table);
	leakers_fini(&leakers);
}
END_TEST

START_TEST(bounded)
{
	struct owner owner[2] = {{.references = 1}, {.references = 1}};
	char unit[2][32], class[32];

	for (uint32_t i = 0; i < LEAKERS_MAX + 100; i++) {
		struct who who = {(int32_t)i + 1, "a", "/a", unit[i & 1], NULL, NULL};
		struct ghost *ghost;

		now_ns += SECOND;
		snprintf(unit[i & 1], sizeof(unit[0]), "u%u.service", i);
		owner_fill(&owner[i & 1], &who);
		ghost = ghost_of(1, &owner[i & 1], "never-looked", 0);
		leakers_count(&leakers, ghost, GHOST_EVENT_FOUND, now_ns);
		ck_assert_str_eq(word_text(leakers.latest->plugin), "tcp_close_wait");
	}
	ck_assert_uint_eq(HASH_COUNT(leakers.by_key), LEAKERS_MAX);
	for (int32_t i = 0; i < 100; i++) {
		struct who who = {i + 1, "a", "/a", "one.service", NULL, NULL};

		now_ns += SECOND;
		snprintf(class, sizeof(class), "class-%d", i);
		owner_fill(&owner[0], &who);
		leakers_count(&leakers, ghost_of(1, &owner[0], class, 0), GHOST_EVENT_FOUND, now_ns);
	}
	ck_assert_uint_eq(leakers.latest->process_count, LEAKER_PROCESSES_MAX);
	ck_assert_uint_eq(leakers.latest->class_count, LEAKER_CLASSES_MAX);
	ck_assert_uint_eq(leakers.latest->found, 100);
	for (int32_t pid = 85; pid <= 100; pid++) {
		bool known = false;

		for (int i = 0; i < LEAKER_PROCESSES_MAX; i++)
			known |= leakers.latest->processes[i].pid == pid;
		ck_assert_msg(known, "pid %d, heard of lately, was dropped", pid);
	}
	ghost_table_fini(&table);
	leakers_fini(&leakers);
}
END_TEST

/* What is found after so long, so often at such a distance; and the rate then, after a rest. */
static const struct {
	uint64_t after_ns, gap_ns, age_ns, rest_ns;
	uint32_t count;
	uint64_t rate;
} rates[] = {
	{HOUR, MINUTE, MINUTE, 0, 60, 62},                /* 58 to 62: by whole buckets */
	{10 * HOUR, MINUTE, MINUTE, 0, 600, 61},          /* only the last hour counts */
	{10 * HOUR, MINUTE, MINUTE, 61 * MINUTE, 600, 0}, /* it is over */
	{10 * HOUR, MINUTE, MINUTE, 1000 * HOUR, 600, 0}, /* and long over */
	{10 * HOUR, 0, MINUTE, 0, 10, 11},                /* a burst in a long life */
	{10 * SECOND, 0, SECOND, 0, 10, 120},             /* no less than 5 min are taken for the life */
	{10 * SECOND, 0, HOUR, 0, 10, 0},                 /* there before the daemon */
	{HOUR, SECOND, HOUR / 2, 0, 100, 100},
};

START_TEST(rate)
{
	struct owner owner = {.references = 1};
	uint64_t got;

	owner_fill(&owner, &people[0]);
	now_ns = START + rates[_i].after_ns;
	for (uint32_t i = 0; i < rates[_i].count; i++) {
		leakers_count(&leakers, ghost_of(1, &owner, NULL, rates[_i].age_ns), GHOST_EVENT_FOUND, now_ns);
		now_ns += rates[_i].gap_ns;
	}
	now_ns += rates[_i].rest_ns;
	got = leaker_rate_hour(&leakers, leakers.latest, now_ns);
	ck_assert_msg(got + 4 >= rates[_i].rate && got <= rates[_i].rate + 4, "rate %lu, wanted %lu",
		      (unsigned long)got, (unsigned long)rates[_i].rate);
	ghost_table_fini(&table);
	leakers_fini(&leakers);
}
END_TEST

START_TEST(sampled_once_a_minute)
{
	struct owner owner = {.references = 1};
	json_t *json, *list;

	owner_fill(&owner, &people[0]);
	for (int i = 0; i < 600; i++, now_ns += SECOND, files_open++)
		leakers_count(&leakers, ghost_of(1, &owner, NULL, SECOND), GHOST_EVENT_FOUND, now_ns);
	ck_assert_uint_eq(files_asked, 10);
	/* One a second, 300 are left. */
	json = answer(1);
	list = json_object_get(json, "leakers");
	ck_assert_int_eq(number(list, 0, "files_open"), 700);
	ck_assert_int_eq(number(list, 0, "files_limit"), 1000);
	ck_assert_int_eq(number(list, 0, "files_percent"), 70);
	ck_assert_int_eq(number(list, 0, "runs_out_ms"), 300000);
	json_decref(json);
	ghost_table_fini(&table);
	leakers_fini(&leakers);
}
END_TEST

static const struct {
	struct leaker_sample samples[2];
	struct process_files files;
	uint64_t left_ns;
} growths[] = {
	{{{0, 0}, {0, 0}}, {500, 1000}, UINT64_MAX},
	{{{0, 0}, {START - MINUTE, 400}}, {500, 1000}, 5 * MINUTE},
	{{{START - 2 * MINUTE, 300}, {START - MINUTE, 499}}, {500, 1000}, 5 * MINUTE},
	{{{0, 0}, {START - MINUTE, 500}}, {500, 1000}, UINT64_MAX},
	{{{0, 0}, {START - MINUTE, 600}}, {500, 1000}, UINT64_MAX},
	{{{0, 0}, {START - 29 * SECOND, 400}}, {500, 1000}, UINT64_MAX},
	{{{0, 0}, {START - MINUTE, 400}}, {500, UINT64_MAX}, UINT64_MAX},
	{{{0, 0}, {START - MINUTE, 400}}, {1000, 1000}, 0},
	{{{0, 0}, {START - MINUTE, 400}}, {1001, 1000}, 0},
	{{{0, 0}, {SECOND, 1}}, {2, UINT64_MAX - 1}, UINT64_MAX},
};

START_TEST(runs_out)
{
	struct leaker_process process = {.pid = 1};

	memcpy(process.samples, growths[_i].samples, sizeof(process.samples));
	ck_assert_uint_eq(leaker_runs_out_ns(&process, &growths[_i].files, START), growths[_i].left_ns);
}
END_TEST

START_TEST(descriptors_of_a_process)
{
	struct process_files before, after;
	struct rlimit limit;
	int fds[10];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(process_files_read("/proc", getpid(), 0, &before), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_ge(fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	ck_assert_int_eq(process_files_read("/proc", getpid(), 0, &after), 0);
	ck_assert_uint_eq(after.open, before.open + 10);
	ck_assert_uint_eq(after.limit, limit.rlim_cur);
	ck_assert_int_eq(process_files_read("/proc", getpid(), 1, &after), -ESRCH);
	ck_assert_int_eq(process_files_read("/nonexistent", getpid(), 0, &after), -ESRCH);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
}
END_TEST

/* As the plugins feed it. */
START_TEST(through_a_plugin)
{
	const struct leaker *leaker;

	setup();
	start(5);
	leaker = engine.leakers.latest;
	ck_assert_ptr_nonnull(leaker);
	ck_assert_uint_eq(leaker->found, 5);
	ck_assert_uint_eq(leaker->reaped, 5);
	ck_assert_int_eq(leaker->processes[0].pid, getpid());
	teardown();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("leaker");
	TCase *tcase = tcase_create("leaker"), *real = tcase_create("real");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, make, unmake);
	tcase_add_test(tcase, by_owner_and_ranked);
	tcase_add_test(tcase, spared_alone_is_no_leak);
	tcase_add_test(tcase, bounded);
	tcase_add_loop_test(tcase, rate, 0, GB_COUNT(rates));
	tcase_add_test(tcase, sampled_once_a_minute);
	tcase_add_loop_test(tcase, runs_out, 0, GB_COUNT(growths));
	tcase_add_test(real, descriptors_of_a_process);
	tcase_add_test(real, through_a_plugin);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, real);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
