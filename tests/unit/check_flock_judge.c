/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a lock rightly: the judgement of flock, natively, as tables. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "flock.h"

#define S UINT64_C(1000000000)
#define NOW (1000 * S)
#define TAKEN (900 * S)
#define TIMEOUT (60 * S)

enum { TAKER = 100, PARENT = 90, SHELL = 1, FLOCK, SERVICE, UPGRADED, LINKED, ELSEWHERE };

/* What the processes run. UPGRADED is another inode under the name of the shell, LINKED the shell's under another name, and
 * ELSEWHERE has the number of the shell's inode on another file system. */
static struct fl_exe exe(int what)
{
	struct fl_exe run = {.inode = (uint64_t)what, .name = (uint64_t)what * 7, .dev = 5};

	if (what == UPGRADED)
		run.name = SHELL * 7;
	if (what == LINKED || what == ELSEWHERE)
		run.inode = SHELL;
	if (what == ELSEWHERE)
		run.dev++;
	return what ? run : (struct fl_exe){0};
}

static struct fl_slot acquisition(void)
{
	struct fl_slot slot = {.file = 0xf11e, .taken_ns = TAKEN, .kind = FL_FLOCK};

	slot.taker = (struct fl_process){.tgid = TAKER, .start_ns = 899 * S, .exec_id = 2, .exe = exe(FLOCK)};
	slot.parent = (struct fl_process){.tgid = PARENT, .start_ns = 800 * S, .exec_id = 2, .exe = exe(SHELL)};
	slot.facts = fl_slot_facts(&slot);
	slot.check = fl_slot_check(&slot);
	return slot;
}

struct holder {
	int tgid;
	int fd;        /* -1: a mapping */
	uint64_t born; /* s */
	int runs;
	uint32_t flags;
};

static struct fl_record holding(const struct holder *holder)
{
	return (struct fl_record){.tag = FL_RECORD_HOLDING,
				  .file = 0xf11e,
				  .tgid = holder->tgid,
				  .fd = holder->fd,
				  .table = (uint64_t)holder->tgid * 16 + (holder->fd < 0),
				  .start_ns = holder->born * S,
				  .born_ns = holder->born * S,
				  .exe = exe(holder->runs),
				  .flags = holder->flags};
}

#define SERVICE_FD \
	{ \
		.tgid = 200, .fd = 9, .born = 901, .runs = SERVICE \
	}

static const struct {
	const char *name;
	struct holder holders[4];
	unsigned int holder_count;
	enum fl_verdict want;
} holder_rows[] = {
	{"a service started after", {SERVICE_FD}, 1, FL_GHOST},
	{"two services started after", {SERVICE_FD, {.tgid = 201, .fd = 3, .born = 950, .runs = SERVICE}}, 2, FL_GHOST},
	{"a service with two descriptors",
	 {SERVICE_FD, {.tgid = 200, .fd = 10, .born = 901, .runs = SERVICE}},
	 2,
	 FL_GHOST},
	{"a service that also maps it: no exec leaves a mapping",
	 {{.tgid = 200, .fd = -1, .born = 901, .runs = SERVICE}, SERVICE_FD},
	 2,
	 FL_HOLDER_USES},
	{"a service whose descriptor no exec would have left",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = SERVICE, .flags = FL_CLOSES_ON_EXEC}},
	 1,
	 FL_HOLDER_USES},
	{"one that kept a second descriptor for itself",
	 {SERVICE_FD, {.tgid = 200, .fd = 10, .born = 901, .runs = SERVICE, .flags = FL_CLOSES_ON_EXEC}},
	 2,
	 FL_HOLDER_USES},
	{"a subshell, close-on-exec",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = SHELL, .flags = FL_CLOSES_ON_EXEC}},
	 1,
	 FL_SAME_PROGRAM},
	{"nobody", {{0}}, 0, FL_NO_HOLDER},
	{"mapped only", {{.tgid = 200, .fd = -1, .born = 901, .runs = SERVICE}}, 1, FL_MAPPED_ONLY},
	{"( flock 9; sleep ) 9>f",
	 {{.tgid = PARENT, .fd = 9, .born = 800, .runs = SHELL}, SERVICE_FD},
	 2,
	 FL_PARENT_HOLDS},
	{"the parent, which became the service",
	 {{.tgid = PARENT, .fd = 9, .born = 800, .runs = SERVICE}},
	 1,
	 FL_PARENT_HOLDS},
	{"another process with the parent's pid",
	 {{.tgid = PARENT, .fd = 9, .born = 901, .runs = SERVICE}},
	 1,
	 FL_GHOST},
	{"the taker", {{.tgid = TAKER, .fd = 9, .born = 899, .runs = FLOCK}}, 1, FL_TAKER_HOLDS},
	{"another process with the taker's pid", {{.tgid = TAKER, .fd = 9, .born = 901, .runs = SERVICE}}, 1, FL_GHOST},
	{"one who was there before", {{.tgid = 50, .fd = 9, .born = 700, .runs = SERVICE}}, 1, FL_HOLDER_OLDER},
	{"a leak and one who was there before",
	 {SERVICE_FD, {.tgid = 50, .fd = 9, .born = 700, .runs = SERVICE}},
	 2,
	 FL_HOLDER_OLDER},
	{"born in the same moment", {{.tgid = 200, .fd = 9, .born = 900, .runs = SERVICE}}, 1, FL_HOLDER_OLDER},
	{"into the background, by a fork", {{.tgid = 200, .fd = 9, .born = 901, .runs = FLOCK}}, 1, FL_SAME_PROGRAM},
	{"a subshell", {{.tgid = 200, .fd = 9, .born = 901, .runs = SHELL}}, 1, FL_SAME_PROGRAM},
	{"a re-exec of what was upgraded meanwhile",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = UPGRADED}},
	 1,
	 FL_SAME_PROGRAM},
	{"the shell by another name", {{.tgid = 200, .fd = 9, .born = 901, .runs = LINKED}}, 1, FL_SAME_PROGRAM},
	{"another program with the inode's number",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = ELSEWHERE}},
	 1,
	 FL_GHOST},
	{"born in the moment of the parent", {{.tgid = 50, .fd = 9, .born = 800, .runs = SERVICE}}, 1, FL_HOLDER_OLDER},
	{"one that runs nobody knows what", {{.tgid = 200, .fd = 9, .born = 901}}, 1, FL_HOLDER_UNKNOWN},
	{"one of which the birth is not known", {{.tgid = 200, .fd = 9, .runs = SERVICE}}, 1, FL_HOLDER_UNKNOWN},
	{"a leak and a mapping of the parent",
	 {{.tgid = PARENT, .fd = -1, .born = 800, .runs = SHELL}, SERVICE_FD},
	 2,
	 FL_PARENT_HOLDS},
	{"a stopped one",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = SERVICE, .flags = FL_HOLDER_STOPPED}},
	 1,
	 FL_HOLDER_STOPPED_NOW},
	{"a traced one",
	 {SERVICE_FD, {.tgid = 201, .fd = 9, .born = 901, .runs = SERVICE, .flags = FL_HOLDER_TRACED}},
	 2,
	 FL_HOLDER_TRACED_NOW},
	{"one stopped by a signal, which counts as frozen",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = SERVICE, .flags = FL_HOLDER_STOPPED | FL_HOLDER_FROZEN}},
	 1,
	 FL_HOLDER_STOPPED_NOW},
	{"a frozen one",
	 {{.tgid = 200, .fd = 9, .born = 901, .runs = SERVICE, .flags = FL_HOLDER_FROZEN}},
	 1,
	 FL_HOLDER_FROZEN_NOW},
};

static struct fl_facts facts_of(const struct fl_slot *slot, const struct fl_record *records, uint32_t count)
{
	return (struct fl_facts){.age_ns = NOW - TAKEN,
				 .timeout_ns = TIMEOUT,
				 .contended = true,
				 .mappings_known = true,
				 .refs_known = true,
				 .refs = fl_refs_found(records, count),
				 .acquisition = slot,
				 .holdings = records,
				 .holding_count = count};
}

START_TEST(every_holder_is_looked_at)
{
	const struct fl_slot slot = acquisition();
	struct fl_record records[4];
	struct fl_facts facts;

	for (unsigned int i = 0; i < holder_rows[_i].holder_count; i++)
		records[i] = holding(&holder_rows[_i].holders[i]);
	facts = facts_of(&slot, records, holder_rows[_i].holder_count);
	ck_assert_msg(fl_judge(&facts) == holder_rows[_i].want, "%s: verdict %d, want %d", holder_rows[_i].name,
		      fl_judge(&facts), holder_rows[_i].want);
}
END_TEST

enum change {
	NOTHING,
	UNCONTENDED,
	YOUNG,
	JUST_OLD_ENOUGH,
	TAKEN_BEFORE_START,
	TAKER_LIVES,
	SEVERAL,
	NO_PARENT,
	NO_PARENT_START,
	TAKER_RUNS_UNKNOWN,
	PARENT_RUNS_UNKNOWN,
	MAPPINGS_UNKNOWN,
	REFS_UNKNOWN,
	IN_FLIGHT,
	IN_FLIGHT_AND_MAPPINGS_UNKNOWN,
	FEWER_REFS,
};

static const struct {
	enum change change;
	enum fl_verdict want;
} fact_rows[] = {
	{NOTHING, FL_GHOST},
	{UNCONTENDED, FL_NOT_CONTENDED},
	{YOUNG, FL_TOO_YOUNG},
	{JUST_OLD_ENOUGH, FL_GHOST},
	{TAKEN_BEFORE_START, FL_ACQUISITION_UNKNOWN},
	{TAKER_LIVES, FL_TAKER_ALIVE},
	{SEVERAL, FL_SEVERAL_TAKERS},
	{NO_PARENT, FL_PARENT_UNKNOWN},
	{NO_PARENT_START, FL_PARENT_UNKNOWN},
	{TAKER_RUNS_UNKNOWN, FL_HOLDER_UNKNOWN},
	{PARENT_RUNS_UNKNOWN, FL_HOLDER_UNKNOWN},
	{MAPPINGS_UNKNOWN, FL_MAPPINGS_UNKNOWN},
	{REFS_UNKNOWN, FL_HELD_ELSEWHERE},
	{IN_FLIGHT, FL_HELD_ELSEWHERE},
	{IN_FLIGHT_AND_MAPPINGS_UNKNOWN, FL_HELD_ELSEWHERE}, /* that is not even told of as leaked */
	{FEWER_REFS, FL_HELD_ELSEWHERE},
};

static void change_apply(enum change change, struct fl_facts *facts, struct fl_slot *slot)
{
	switch (change) {
	case NOTHING:
		break;
	case UNCONTENDED:
		facts->contended = false;
		break;
	case YOUNG:
		facts->age_ns = TIMEOUT - 1;
		break;
	case JUST_OLD_ENOUGH:
		facts->age_ns = TIMEOUT;
		break;
	case TAKEN_BEFORE_START:
		facts->acquisition = NULL;
		break;
	case TAKER_LIVES:
		facts->taker_alive = true;
		break;
	case SEVERAL:
		slot->several = 1;
		break;
	case NO_PARENT:
		slot->parent.tgid = 0;
		break;
	case NO_PARENT_START:
		slot->parent.start_ns = 0;
		break;
	case TAKER_RUNS_UNKNOWN:
		slot->taker.exe.inode = 0;
		break;
	case PARENT_RUNS_UNKNOWN:
		slot->parent.exe.name = 0;
		break;
	case MAPPINGS_UNKNOWN:
		facts->mappings_known = false;
		break;
	case REFS_UNKNOWN:
		facts->refs_known = false;
		break;
	case IN_FLIGHT_AND_MAPPINGS_UNKNOWN:
		facts->mappings_known = false;
		facts->refs++;
		break;
	case IN_FLIGHT:
		facts->refs++;
		break;
	case FEWER_REFS:
		facts->refs--;
		break;
	}
}

START_TEST(every_missing_fact_spares)
{
	struct fl_slot slot = acquisition();
	struct fl_record record = holding(&(struct holder)SERVICE_FD);
	struct fl_facts facts = facts_of(&slot, &record, 1);

	change_apply(fact_rows[_i].change, &facts, &slot);
	ck_assert_msg(fl_judge(&facts) == fact_rows[_i].want, "change %d: verdict %d, want %d", fact_rows[_i].change,
		      fl_judge(&facts), fact_rows[_i].want);
}
END_TEST

START_TEST(a_birth_half_known_is_not_known)
{
	const struct fl_slot slot = acquisition();
	struct fl_record record = holding(&(struct holder)SERVICE_FD);

	record.start_ns = 0;
	ck_assert_int_eq(fl_way_of(&record, &slot), FL_WAY_UNKNOWN);
	record = holding(&(struct holder)SERVICE_FD);
	record.born_ns = 0;
	ck_assert_int_eq(fl_way_of(&record, &slot), FL_WAY_UNKNOWN);
	ck_assert_int_eq(fl_way_of(&record, NULL), FL_WAY_UNKNOWN);
}
END_TEST

START_TEST(a_shared_table_counts_once)
{
	struct fl_record records[] = {holding(&(struct holder)SERVICE_FD), holding(&(struct holder)SERVICE_FD),
				      holding(&(struct holder)SERVICE_FD)};

	records[1].tgid = 201; /* the same table of another process */
	records[2].fd = 10;    /* another descriptor in it */
	ck_assert_uint_eq(fl_refs_found(records, 3), 2);
	records[1].table++;
	ck_assert_uint_eq(fl_refs_found(records, 3), 3);
	for (int i = 0; i < 3; i++)
		records[i] = holding(&(struct holder){.tgid = 200, .fd = -1, .born = 901, .runs = SERVICE});
	records[1].tgid = 201;     /* the same mapping, of a process that shares the memory */
	records[2].start = 0x1000; /* another mapping of the file */
	ck_assert_uint_eq(fl_refs_found(records, 3), 2);
}
END_TEST

/* Two writers at one slot leave a mixture; so does a reader who comes in between. */
START_TEST(a_torn_record_is_no_record)
{
	struct fl_slot one = acquisition(), other = acquisition(), mixed;

	other.file = 0xf12e;
	other.taken_ns++;
	other.taker.tgid++;
	other.parent.start_ns++;
	other.facts = fl_slot_facts(&other);
	other.check = fl_slot_check(&other);
	ck_assert(fl_slot_whole(&one) && fl_slot_whole(&other));
	for (size_t cut = 8; cut < sizeof(one); cut += 8) {
		memcpy(&mixed, &other, sizeof(mixed));
		memcpy(&mixed, &one, cut);
		if (memcmp(&mixed, &one, sizeof(mixed)) != 0 && memcmp(&mixed, &other, sizeof(mixed)) != 0)
			ck_assert_msg(!fl_slot_whole(&mixed), "cut at %zu", cut);
	}
	one.taken_ns = 0;
	ck_assert(!fl_slot_whole(&one));
	one.check = fl_slot_check(&one);
	ck_assert(!fl_slot_whole(&one));
}
END_TEST

static const struct {
	uint8_t type;
	int64_t start, end;
	uint8_t asked;
	int64_t asked_start, asked_end;
	bool want;
} conflict_rows[] = {
	{FL_WRITE, 0, FL_END_OF_FILE, FL_WRITE, 0, FL_END_OF_FILE, true},
	{FL_READ, 0, FL_END_OF_FILE, FL_READ, 0, FL_END_OF_FILE, false},
	{FL_READ, 0, FL_END_OF_FILE, FL_WRITE, 0, FL_END_OF_FILE, true},
	{FL_WRITE, 0, FL_END_OF_FILE, FL_READ, 0, FL_END_OF_FILE, true},
	{FL_WRITE, 0, 9, FL_WRITE, 10, 19, false},
	{FL_WRITE, 10, 19, FL_WRITE, 0, 9, false},
	{FL_WRITE, 0, 10, FL_WRITE, 10, 19, true},
	{FL_WRITE, 5, 6, FL_WRITE, 0, FL_END_OF_FILE, true},
};

START_TEST(ranges_and_modes_conflict)
{
	ck_assert_int_eq(fl_conflicts(conflict_rows[_i].type, conflict_rows[_i].start, conflict_rows[_i].end,
				      conflict_rows[_i].asked, conflict_rows[_i].asked_start,
				      conflict_rows[_i].asked_end),
			 conflict_rows[_i].want);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("flock_judge");
	TCase *tcase = tcase_create("judge");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, every_holder_is_looked_at, 0, ROWS(holder_rows));
	tcase_add_loop_test(tcase, every_missing_fact_spares, 0, ROWS(fact_rows));
	tcase_add_test(tcase, a_birth_half_known_is_not_known);
	tcase_add_test(tcase, a_shared_table_counts_once);
	tcase_add_test(tcase, a_torn_record_is_no_record);
	tcase_add_loop_test(tcase, ranges_and_modes_conflict, 0, ROWS(conflict_rows));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
