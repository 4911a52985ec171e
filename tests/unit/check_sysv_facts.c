/* SPDX-License-Identifier: Apache-2.0 */
/* Which facts sysv_ipc takes from what was seen of an object: each of them alone may save it. */
#include <check.h>
#include <errno.h>

#include "sysv_ipc/judge.c" /* the very unit: a plugin has no library to link */

#define UID 1500 /* of a user who is nobody in particular */

static uint64_t missed, elder_ns;
static bool has_elder;
static int32_t blocked;

int32_t sysv_tasks_blocked(const struct sysv_tasks *tasks, uint32_t ipcns, uint32_t kind, int32_t id)
{
	(void)tasks;
	(void)ipcns;
	(void)kind;
	(void)id;
	return blocked;
}

bool sysv_kernel_elder(const struct sysv_kernel *kernel, uint32_t ipcns, uint32_t uid, uint64_t *ret_start_ns)
{
	(void)kernel;
	(void)ipcns;
	(void)uid;
	*ret_start_ns = elder_ns;
	return has_elder;
}

uint64_t sysv_known_made_ns(const struct sysv_known *known, const struct sysv_object *object,
			    const struct sysv_clocks *clocks, const struct sysv_moment *moment)
{
	(void)known;
	(void)object;
	(void)clocks;
	(void)moment;
	return 100;
}

uint64_t sysv_kernel_missed(const struct sysv_kernel *kernel)
{
	(void)kernel;
	return missed;
}

const char *sysv_kept_by(uint32_t kind, uint32_t key)
{
	return kind == SYSV_SHM && key == 0xae001000 ? "kept" : NULL;
}

/* The rest of what the unit refers to is not for facts. */
int sysv_kernel_creator_take(const struct sysv_kernel *kernel, const struct sysv_creator_key *key,
			     struct sysv_creator *ret_creator)
{
	(void)kernel;
	(void)key;
	(void)ret_creator;
	return -ENOENT;
}

struct sysv_person *sysv_person_new(const struct sysv_departed *gone)
{
	(void)gone;
	return NULL;
}

bool sysv_person_is(const struct sysv_person *person, const struct sysv_departed *gone)
{
	(void)person;
	(void)gone;
	return false;
}

struct gb_owner sysv_person_owner(const struct sysv_person *person)
{
	(void)person;
	return (struct gb_owner){0};
}

struct sysv_person *sysv_people_see(struct sysv_people *people, const struct gb_host *host,
				    const struct sysv_kernel *kernel, const struct sysv_user *user, uint64_t now_ns)
{
	(void)people;
	(void)host;
	(void)kernel;
	(void)user;
	(void)now_ns;
	return NULL;
}

struct sysv_policy sysv_policy_of(const struct sysv_config *config, const struct gb_host *host,
				  const struct sysv_subject *subject, const struct gb_owner *owners, size_t count)
{
	(void)config;
	(void)host;
	(void)subject;
	(void)owners;
	(void)count;
	return (struct sysv_policy){0};
}

struct sysv_known *sysv_known_see(struct sysv_known_table *table, uint32_t ipcns, const struct sysv_object *object,
				  const struct sysv_moment *moment)
{
	(void)table;
	(void)ipcns;
	(void)object;
	(void)moment;
	return NULL;
}

uint64_t sysv_known_unused_ns(const struct sysv_known *known, const struct sysv_moment *moment)
{
	(void)known;
	(void)moment;
	return 0;
}

void sysv_report(struct sysv *sysv, const struct sysv_finding *finding)
{
	(void)sysv;
	(void)finding;
}

#define SEEN .uid = UID, .creator_uid = UID, .answer.answer = SYSV_FOUND

static const struct {
	struct sysv_object object;
	int32_t blocked;
	bool has_elder;
	uint64_t elder_ns, missed;
	uint32_t facts;
} cases[] = {
	{.object = {.kind = SYSV_SHM, SEEN}},
	{.object = {.kind = SYSV_SEM, SEEN}},
	{.object = {.kind = SYSV_MSG, SEEN}},
	{.object = {.kind = SYSV_SHM, SEEN, .count = 1}, .facts = SYSV_ATTACHED},
	{.object = {.kind = SYSV_SHM, SEEN, .count = 1, .mode = 01600}, .facts = SYSV_ATTACHED}, /* SHM_DEST */
	{.object = {.kind = SYSV_MSG, SEEN, .count = 1}, .facts = SYSV_MESSAGES},
	{.object = {.kind = SYSV_MSG, SEEN, .answer.flags = SYSV_WAITED_FOR}, .facts = SYSV_SLEEPER},
	{.object = {.kind = SYSV_SEM, SEEN}, .blocked = 7, .facts = SYSV_SLEEPER},
	{.object = {.kind = SYSV_SEM, SEEN, .answer.flags = SYSV_IN_USE}, .facts = SYSV_USER_ALIVE},
	{.object = {.kind = SYSV_SEM, SEEN, .answer.flags = SYSV_TOO_MANY}, .facts = SYSV_USER_UNKNOWN},
	{.object = {.kind = SYSV_SHM, SEEN, .hidden_user = true}, .facts = SYSV_USER_UNKNOWN}, /* pid 0 */
	{.object = {.kind = SYSV_SHM, .uid = UID, .creator_uid = UID}, .facts = SYSV_USER_UNKNOWN},
	{.object = {.kind = SYSV_SHM, .uid = UID, .creator_uid = UID, .answer.answer = SYSV_NOT_FOUND},
	 .facts = SYSV_USER_UNKNOWN},
	{.object = {.kind = SYSV_SHM, SEEN, .key = 5}, .facts = SYSV_KEYED},
	{.object = {.kind = SYSV_SHM, SEEN, .key = 0xae001000}, .facts = SYSV_KEYED | SYSV_ON_PURPOSE},
	{.object = {.kind = SYSV_SHM, .uid = 0, .creator_uid = UID, .answer.answer = SYSV_FOUND},
	 .facts = SYSV_SYSTEM_USER},
	{.object = {.kind = SYSV_SHM, .uid = UID, .creator_uid = 0, .answer.answer = SYSV_FOUND},
	 .facts = SYSV_SYSTEM_USER},
	/* somebody of the creator's user, older than the object and younger */
	{.object = {.kind = SYSV_SEM, SEEN}, .has_elder = true, .elder_ns = 100, .facts = SYSV_CREATOR_UNKNOWN},
	{.object = {.kind = SYSV_MSG, SEEN}, .has_elder = true, .elder_ns = 99, .facts = SYSV_CREATOR_UNKNOWN},
	{.object = {.kind = SYSV_MSG, SEEN}, .has_elder = true, .elder_ns = 101},
	{.object = {.kind = SYSV_SHM, SEEN}, .has_elder = true, .elder_ns = 99}, /* the kernel keeps its creator */
	/* some were not noted: of a segment the kernel keeps who it was, and that one is known or not for itself */
	{.object = {.kind = SYSV_SEM, SEEN}, .missed = 1, .facts = SYSV_USER_FORGOTTEN},
	{.object = {.kind = SYSV_SHM, SEEN}, .missed = 1},
};

START_TEST(facts)
{
	static struct sysv sysv;
	struct sysv_known known = {.kind = cases[_i].object.kind};
	struct sysv_finding finding = {.object = &cases[_i].object, .known = &known};

	blocked = cases[_i].blocked;
	has_elder = cases[_i].has_elder;
	elder_ns = cases[_i].elder_ns;
	missed = cases[_i].missed;
	orphan_see(&sysv, &cases[_i].object, &known);
	ck_assert_uint_eq(facts_of(&sysv, &finding), cases[_i].facts);
}
END_TEST

/* Of its users, of whom there is no room to remember one, or one was lost. */
START_TEST(facts_of_the_users)
{
	static struct sysv sysv;
	struct sysv_object object = {.kind = SYSV_SHM, SEEN};
	struct sysv_known known = {.kind = SYSV_SHM};
	struct sysv_person named = {.described = true}, lost = {.forgotten = true};
	struct sysv_finding finding = {
		.object = &object, .known = &known, .people = {&named, &named}, .people_count = 2};

	blocked = 0;
	ck_assert_uint_eq(facts_of(&sysv, &finding), 0);
	finding.people[1] = &lost;
	ck_assert_uint_eq(facts_of(&sysv, &finding), SYSV_USER_FORGOTTEN);
	finding.people[1] = NULL;
	ck_assert_uint_eq(facts_of(&sysv, &finding), SYSV_USER_FORGOTTEN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_facts");
	TCase *test = tcase_create("facts");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(test, facts, 0, GB_COUNT(cases));
	tcase_add_test(test, facts_of_the_users);
	suite_add_tcase(suite, test);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
