/* SPDX-License-Identifier: Apache-2.0 */
/* The last look of sysv_ipc before a removal: whatever has changed since the judgement spares the object. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "sysv_ipc/release.c" /* the very unit: a plugin has no library to link */

/* What the kernel is to say of the one object that there is. */
static struct sysv_object there;
static struct sysv_query answer;
static int there_error, answer_error;
static int32_t blocked;
static unsigned int removals;
static bool removed;

int sysv_objects_answer(const struct sysv_kernel *kernel, uint32_t ipcns, struct sysv_object *objects, uint32_t count)
{
	(void)kernel;
	(void)ipcns;
	for (uint32_t i = 0; i < count; i++)
		objects[i].answer = answer;
	return answer_error;
}

int sysv_object_again(uint32_t kind, int32_t id, struct sysv_object *ret_object)
{
	(void)kind;
	(void)id;
	if (removed)
		return -EIDRM;
	if (there_error == 0)
		*ret_object = there;
	return there_error;
}

int sysv_object_remove(uint32_t kind, int32_t id)
{
	(void)kind;
	(void)id;
	removals++;
	removed = true;
	return 0;
}

bool sysv_object_same(const struct sysv_object *a, const struct sysv_object *b)
{
	return a->changed_s == b->changed_s && a->used_s == b->used_s && a->count == b->count;
}

int32_t sysv_tasks_blocked(const struct sysv_tasks *tasks, uint32_t ipcns, uint32_t kind, int32_t id)
{
	(void)tasks;
	(void)ipcns;
	(void)kind;
	(void)id;
	return blocked;
}

uint64_t sysv_users_digest(const struct sysv_query *query)
{
	return query->users[0].pid;
}

const char *sysv_verdict_reason(enum sysv_verdict verdict)
{
	switch (verdict) {
	case SYSV_IS_ATTACHED:
		return "attached";
	case SYSV_HAS_SLEEPER:
		return "sleeper";
	case SYSV_HAS_USER:
		return "user";
	case SYSV_NOT_VISIBLE:
		return "not-visible";
	default:
		return "another";
	}
}

void sysv_totals_read(struct sysv_totals *ret_totals)
{
	*ret_totals = (struct sysv_totals){0};
}

int sysv_tasks_begin(struct sysv_tasks *tasks, const struct sysv_kernel *kernel)
{
	(void)tasks;
	(void)kernel;
	return 0;
}

int sysv_tasks_read(struct sysv_tasks *tasks, uint64_t until_ns)
{
	(void)tasks;
	(void)until_ns;
	return 0;
}

struct sysv_known *sysv_known_find(const struct sysv_known_table *table, uint64_t key)
{
	(void)table;
	(void)key;
	return NULL;
}

void sysv_known_remove(struct sysv_known_table *table, struct sysv_known *known)
{
	(void)table;
	(void)known;
}

void sysv_numbers_tell(struct sysv *sysv)
{
	(void)sysv;
}

static const struct {
	const char *reason; /* NULL: see `outcome` */
	enum gb_outcome outcome;
	struct sysv_query answer;
	uint64_t count;
	int64_t used_s;
	int32_t blocked;
	int there_error, answer_error;
} cases[] = {
	{.outcome = GB_REAPED, .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}},
	{.reason = "not-visible", .answer = {.answer = SYSV_NOT_FOUND, .users[0].pid = 9}},
	{.reason = "not-visible", .answer = {.answer = SYSV_UNANSWERED, .users[0].pid = 9}},
	{.reason = "not-visible", .answer = {.answer = SYSV_FOUND, .flags = SYSV_TOO_MANY, .users[0].pid = 9}},
	{.reason = "sleeper", .answer = {.answer = SYSV_FOUND, .flags = SYSV_WAITED_FOR, .users[0].pid = 9}},
	{.reason = "sleeper", .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}, .blocked = 5},
	{.reason = "user", .answer = {.answer = SYSV_FOUND, .flags = SYSV_IN_USE, .users[0].pid = 9}},
	{.reason = "used-meanwhile", .answer = {.answer = SYSV_FOUND, .users[0].pid = 8}},
	{.reason = "used-meanwhile", .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}, .used_s = 1},
	{.reason = "attached", .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}, .count = 1},
	{.outcome = GB_HEALED, .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}, .there_error = -EIDRM},
	{.outcome = GB_FAILED, .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}, .there_error = -EACCES},
	{.outcome = GB_FAILED, .answer = {.answer = SYSV_FOUND, .users[0].pid = 9}, .answer_error = -ENOMEM},
};

START_TEST(the_last_look)
{
	struct sysv_proof proof = {.kind = SYSV_SHM, .id = 3, .users = 9};
	struct gb_reap_item item = {.proof = &proof, .proof_size = sizeof(proof), .outcome = GB_PENDING};
	struct removal removal = {0};

	there = (struct sysv_object){.kind = SYSV_SHM, .id = 3, .used_s = cases[_i].used_s, .count = cases[_i].count};
	answer = cases[_i].answer;
	there_error = cases[_i].there_error;
	answer_error = cases[_i].answer_error;
	blocked = cases[_i].blocked;
	removed = false;
	removals = 0;
	item_remove(&removal, &item);
	ck_assert_uint_eq(removals, !cases[_i].reason && cases[_i].outcome == GB_REAPED);
	ck_assert_uint_eq(item.outcome, cases[_i].reason ? GB_SPARED : cases[_i].outcome);
	if (cases[_i].reason)
		ck_assert_str_eq(item.detail, cases[_i].reason);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_release");
	TCase *test = tcase_create("release");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(test, the_last_look, 0, GB_COUNT(cases));
	suite_add_tcase(suite, test);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
