/* SPDX-License-Identifier: Apache-2.0 */
#include "ghost.h"

#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "word.h"

static struct ghost_table table;
static struct ghost_ring ring;

static const struct gb_field evidence[] = {
	{.name = "silence", .type = GB_FIELD_DURATION, .value = 5},
	{.name = "class", .type = GB_FIELD_TEXT, .text = "never-looked"},
	{.name = "gone", .type = GB_FIELD_TEXT},
};
static const struct gb_holder holders[] = {{.pid = 7, .fd = 3, .start_ticks = 9}};

static const struct gb_owner creator = {.struct_size = sizeof(creator),
					.pid = 8,
					.start_ticks = 5,
					.uid = 1000,
					.comm = "crashed",
					.exe = "/usr/bin/crashed",
					.cgroup = "/a",
					.unit = "a.service",
					.container = "",
					.pod = ""};
static const struct gb_owner *const former[] = {&creator};

static struct gb_ghost report(uint64_t key)
{
	return (struct gb_ghost){
		.struct_size = sizeof(struct gb_ghost),
		.port = 80,
		.key = key,
		.resource = "tcp 127.0.0.1:80 -> 127.0.0.1:4711",
		.action = "destroy",
		.age_ns = 100,
		.evidence = evidence,
		.evidence_count = 3,
		.holders = holders,
		.holder_count = 1,
		.proof = "proof",
		.proof_size = 5,
		.former = former,
		.former_count = 1,
	};
}

static struct ghost *put(uint64_t key, uint64_t now_ns)
{
	struct gb_ghost one = report(key);
	struct ghost *ghost = NULL;
	bool new;

	ck_assert_int_eq(ghost_put(&table, &one, now_ns, &ghost, &new), 0);
	return ghost;
}

static void setup(void)
{
	ck_assert_int_eq(ghost_table_init(&table, "fake", &ring), 0);
}

static void teardown(void)
{
	ghost_table_fini(&table);
	ghost_ring_fini(&ring);
}

START_TEST(a_report_is_copied)
{
	struct gb_field fields[GB_EVIDENCE_MAX];
	struct ghost *ghost = put(0xabc, 1000);
	char id[GHOST_ID_MAX];

	ck_assert_str_eq(ghost_id(ghost, id), "fake-abc");
	ck_assert_str_eq(ghost_resource(ghost), "tcp 127.0.0.1:80 -> 127.0.0.1:4711");
	ck_assert_uint_eq(ghost_evidence(ghost, fields), 3);
	ck_assert_str_eq(fields[0].name, "silence");
	ck_assert_uint_eq(fields[0].value, 5);
	ck_assert_str_eq(fields[1].text, "never-looked");
	ck_assert_ptr_null(fields[2].text);
	ck_assert_int_eq(ghost->record->holders[0].pid, 7);
	ck_assert_mem_eq(ghost->record->proof, "proof", 5);
	ck_assert_ptr_null(ghost->record->path);
	ck_assert_uint_eq(ghost_age_ns(ghost, 1500), 600);
	ck_assert_int_eq(ghost->record->report_only, false);
	ck_assert_uint_eq(ghost->record->former_count, 1);
	ck_assert_int_eq(ghost->record->former[0].pid, 8);
	ck_assert_uint_eq(ghost->record->former[0].flags, GB_OWNER_ENDED);
	ck_assert_str_eq(ghost->record->former[0].exe, "/usr/bin/crashed");
	ck_assert_str_eq(ghost->record->former[0].unit, "a.service");
	ck_assert_ptr_ne(ghost->record->former[0].unit, creator.unit);
	ck_assert_str_eq(ghost->record->former[0].pod, "");
}
END_TEST

/* A plugin of ABI 1.0 says nothing of former owners: what stands behind its report is not read. */
START_TEST(a_report_of_abi_1_0)
{
	struct gb_ghost old = report(1);
	struct ghost *ghost;
	bool new;

	old.struct_size = offsetof(struct gb_ghost, former);
	old.former = (const struct gb_owner *const *)1;
	old.former_count = UINT32_MAX;
	ck_assert_int_eq(ghost_put(&table, &old, 1, &ghost, &new), 0);
	ck_assert_uint_eq(ghost->record->former_count, 0);
	ck_assert_mem_eq(ghost->record->proof, "proof", 5);
}
END_TEST

START_TEST(seen_again_it_is_the_same)
{
	struct ghost *ghost = put(1, 1000);
	struct gb_ghost newer = report(1);
	struct ghost *again;
	bool new;

	newer.age_ns = 999;
	newer.path = "/a/b";
	newer.action = "report";
	ck_assert_int_eq(ghost_put(&table, &newer, 2000, &again, &new), 0);
	ck_assert_ptr_eq(again, ghost);
	ck_assert(!new);
	ck_assert_uint_eq(ghost->found_ns, 1000);
	ck_assert_uint_eq(ghost_age_ns(ghost, 2000), 999);
	ck_assert_str_eq(ghost->record->path, "/a/b");
	ck_assert(ghost->record->report_only);
	ck_assert_uint_eq(ghost_count(&table), 1);
}
END_TEST

START_TEST(bounds)
{
	static char long_text[GHOST_TEXT_MAX + 2];
	static const struct gb_field bad_name = {.name = "No", .type = GB_FIELD_BOOL};
	static const struct gb_field bad_type = {.name = "x", .type = 9};
	const struct gb_field long_field = {.name = "x", .type = GB_FIELD_TEXT, .text = long_text};
	const struct gb_owner *const nobody[] = {NULL};
	struct gb_owner short_owner = creator, mute_owner = creator, long_owner = creator;
	const struct gb_owner *const short_former[] = {&short_owner}, *const mute_former[] = {&mute_owner},
				     *const long_former[] = {&long_owner};
	struct gb_ghost bad[22];
	struct ghost *ghost;
	bool new;

	memset(long_text, 'a', sizeof(long_text) - 1);
	for (int i = 0; i < 22; i++)
		bad[i] = report(1);
	bad[0].struct_size = 8;
	bad[1].resource = NULL;
	bad[2].resource = "";
	bad[3].resource = long_text;
	bad[4].action = NULL;
	bad[5].action = "two words";
	bad[6].path = long_text;
	bad[7].evidence_count = GB_EVIDENCE_MAX + 1;
	bad[8].evidence = NULL;
	bad[9].evidence = &bad_name;
	bad[9].evidence_count = 1;
	bad[10].evidence = &bad_type;
	bad[10].evidence_count = 1;
	bad[11].evidence = &long_field;
	bad[11].evidence_count = 1;
	bad[12].holder_count = GB_HOLDERS_MAX + 1;
	bad[13].holders = NULL;
	bad[14].proof_size = GB_PROOF_MAX + 1;
	bad[15].port = 65536;
	short_owner.struct_size = 16;
	mute_owner.unit = NULL;
	long_owner.exe = long_text;
	bad[16].former_count = GB_FORMER_MAX + 1;
	bad[17].former = NULL;
	bad[18].former = nobody;
	bad[19].former = short_former;
	bad[20].former = mute_former;
	bad[21].former = long_former;
	for (int i = 0; i < 22; i++)
		ck_assert_msg(ghost_put(&table, &bad[i], 1, &ghost, &new) == -EINVAL, "case %d was taken", i);
	ck_assert_uint_eq(ghost_count(&table), 0);
}
END_TEST

START_TEST(the_queue_is_fifo_and_holds_each_once)
{
	struct ghost *first = put(1, 1), *second = put(2, 1), *third = put(3, 1);

	ghost_enqueue(&table, first);
	ghost_enqueue(&table, second);
	ghost_enqueue(&table, first);
	ghost_enqueue(&table, third);
	ck_assert_uint_eq(table.queued, 3);
	ck_assert_ptr_eq(TAILQ_FIRST(&table.queue), first);
	ghost_set_state(&table, first, GHOST_SPARED);
	ck_assert_ptr_eq(TAILQ_FIRST(&table.queue), second);
	ghost_finish(&table, second, GHOST_HEALED);
	ck_assert_uint_eq(table.queued, 1);
	ck_assert_ptr_eq(TAILQ_FIRST(&table.queue), third);
	ck_assert_ptr_null(ghost_find(&table, 2));
}
END_TEST

START_TEST(once_for_each_reason)
{
	struct ghost *ghost = put(1, 1);
	uint16_t words[GHOST_REASONS_MAX + 1];
	char text[16];

	for (int i = 0; i <= GHOST_REASONS_MAX; i++) {
		snprintf(text, sizeof(text), "reason-%d", i);
		ck_assert_int_eq(word_id(text, &words[i]), 0);
	}
	for (int i = 0; i < GHOST_REASONS_MAX; i++)
		ck_assert(ghost_spared_anew(ghost, words[i]));
	for (int i = 0; i < GHOST_REASONS_MAX; i++)
		ck_assert(!ghost_spared_anew(ghost, words[i]));
	ck_assert(ghost_spared_anew(ghost, words[GHOST_REASONS_MAX]));
	ck_assert(!ghost_spared_anew(ghost, words[GHOST_REASONS_MAX]));
}
END_TEST

START_TEST(history_keeps_the_first_and_the_latest)
{
	struct ghost *ghost = put(1, 1);
	uint16_t words[20];
	char text[16];

	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "step-%d", i);
		ck_assert_int_eq(word_id(text, &words[i]), 0);
		ghost_step_add(ghost, i ? GHOST_EVENT_SPARED : GHOST_EVENT_FOUND, words[i]);
	}
	ck_assert_int_eq(ghost->history_count, GHOST_HISTORY_MAX);
	ck_assert_str_eq(word_text(ghost->history[0].reason), "step-0");
	ck_assert_str_eq(word_text(ghost->history[1].reason), "step-13");
	ck_assert_str_eq(word_text(ghost->history[7].reason), "step-19");
}
END_TEST

START_TEST(the_finished_can_be_found)
{
	uint16_t plugin = table.plugin;

	for (uint64_t key = 1; key <= GHOST_FINISHED_MAX + 5; key++)
		ghost_finish(&table, put(key, 1), GHOST_REAPED);
	ck_assert_uint_eq(ghost_count(&table), 0);
	ck_assert_ptr_null(ghost_ring_find(&ring, plugin, 5));
	ck_assert_ptr_nonnull(ghost_ring_find(&ring, plugin, 6));
	ck_assert_ptr_nonnull(ghost_ring_find(&ring, plugin, GHOST_FINISHED_MAX + 5));
	ck_assert_ptr_null(ghost_ring_find(&ring, (uint16_t)(plugin + 1), 6));
}
END_TEST

START_TEST(ids)
{
	static const char *const bad[] = {
		"", "fake", "fake-", "-12", "fake-xyz", "fake-1 ", "fa/-", "fake-12345678901234567", "fake-0x1"};
	char plugin[GHOST_ID_MAX], long_id[200];
	uint64_t key = 0;

	ck_assert_int_eq(ghost_id_parse("tcp_close_wait-ffffffffffffffff", plugin, &key), 0);
	ck_assert_str_eq(plugin, "tcp_close_wait");
	ck_assert_uint_eq(key, UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(ghost_id_parse(bad[i], plugin, &key) == -EINVAL, "\"%s\" was taken", bad[i]);
	memset(long_id, 'a', sizeof(long_id));
	strcpy(long_id + 100, "-1");
	ck_assert_int_eq(ghost_id_parse(long_id, plugin, &key), -EINVAL);
}
END_TEST

START_TEST(words)
{
	static const char *const bad[] = {"", "A", "a b", "a\n",
					  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	uint16_t one, same;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(word_id(bad[i], &one), -EINVAL);
	ck_assert_int_eq(word_id(NULL, &one), -EINVAL);
	ck_assert_int_eq(word_id("holder-stopped", &one), 0);
	ck_assert_int_eq(word_id("holder-stopped", &same), 0);
	ck_assert_uint_eq(one, same);
	ck_assert_str_eq(word_text(one), "holder-stopped");
	ck_assert_str_eq(word_text(0), "");
	ck_assert_str_eq(word_text(UINT16_MAX), "");
}
END_TEST

/* What a ghost costs is promised: 100,000 of them stay well below 100 MB. */
START_TEST(lean)
{
	struct mallinfo2 before, after;
	const int count = 10000;

	if (getenv("ASAN_OPTIONS") || mallinfo2().uordblks == 0)
		return; /* the sanitizers' allocator does not count */
	before = mallinfo2();
	for (int i = 0; i < count; i++)
		ghost_step_add(put((uint64_t)i + 1, 1), GHOST_EVENT_FOUND, 0);
	after = mallinfo2();
	ck_assert_uint_lt((after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / (size_t)count, 600);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ghost");
	TCase *tests = tcase_create("ghost");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_report_is_copied);
	tcase_add_test(tests, a_report_of_abi_1_0);
	tcase_add_test(tests, seen_again_it_is_the_same);
	tcase_add_test(tests, bounds);
	tcase_add_test(tests, the_queue_is_fifo_and_holds_each_once);
	tcase_add_test(tests, once_for_each_reason);
	tcase_add_test(tests, history_keeps_the_first_and_the_latest);
	tcase_add_test(tests, the_finished_can_be_found);
	tcase_add_test(tests, ids);
	tcase_add_test(tests, words);
	tcase_add_test(tests, lean);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
