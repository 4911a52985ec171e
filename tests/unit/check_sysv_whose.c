/* SPDX-License-Identifier: Apache-2.0 */
/* What sysv_ipc tells of a process that has ended, from the names that the kernel noted at its end. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "sysv_ipc/people.c" /* the very unit: a plugin has no library to link */

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "01234567-89ab-cdef-0123-456789abcdef"
#define POD_ESCAPED "01234567_89ab_cdef_0123_456789abcdef"

static struct sysv_departed noted;
static int noted_error;
static uint64_t missed;
static const struct sysv_kernel kernel = {.users = true};

int sysv_kernel_departed(const struct sysv_kernel *of, uint64_t pid, struct sysv_departed *ret_departed)
{
	(void)of;
	(void)pid;
	if (noted_error == 0)
		*ret_departed = noted;
	return noted_error;
}

uint64_t sysv_kernel_missed(const struct sysv_kernel *of)
{
	(void)of;
	return missed;
}

void sysv_kernel_departed_prune(const struct sysv_kernel *of,
				bool (*keep)(const void *pid, const void *departed, void *arg), void *arg)
{
	(void)of;
	(void)keep;
	(void)arg;
}

static struct sysv_people people;

static void setup(void)
{
	people = (struct sysv_people){0};
	noted = (struct sysv_departed){.start_ns = 5 * GB_SECOND, .tgid = 77, .uid = 1500, .comm = "crashed"};
	noted_error = 0;
	missed = 0;
}

static void teardown(void)
{
	sysv_people_fini(&people);
}

static struct sysv_person *person_seen_at(uint64_t scan_ns)
{
	struct sysv_user user = {.pid = 0x1000, .number = 77};
	struct gb_host host = {.struct_size = sizeof(host)};

	return sysv_people_see(&people, &host, &kernel, &user, scan_ns);
}

static struct sysv_person *person_seen(void)
{
	return person_seen_at(1);
}

/* From the innermost name upwards, as the kernel notes them. */
static const struct {
	const char *names[SYSV_CGROUP_PARTS + 1];
	const char *path, *unit, *container, *pod;
} cgroups[] = {
	{{NULL}, "", "", "", ""},
	{{"a.service", "system.slice", NULL}, "/system.slice/a.service", "a.service", "", ""},
	{{"payload", "a.service", "system.slice", NULL}, "/system.slice/a.service/payload", "a.service", "", ""},
	{{"app.scope", "user@1.service", "user.slice", NULL},
	 "/user.slice/user@1.service/app.scope",
	 "app.scope",
	 "",
	 ""},
	{{"system.slice", NULL}, "/system.slice", "", "", ""},
	{{".service", NULL}, "/.service", "", "", ""},
	{{ID, "docker", NULL}, "/docker/" ID, "", ID, ""},
	{{"docker-" ID ".scope", "system.slice", NULL},
	 "/system.slice/docker-" ID ".scope",
	 "docker-" ID ".scope",
	 ID,
	 ""},
	{{"conmon-" ID ".scope", NULL}, "/conmon-" ID ".scope", "conmon-" ID ".scope", "", ""},
	{{"0" ID, NULL}, "/0" ID, "", "", ""},
	{{"cri-containerd-" ID ".scope", "kubepods-pod" POD_ESCAPED ".slice", "kubepods.slice", NULL},
	 "/kubepods.slice/kubepods-pod" POD_ESCAPED ".slice/cri-containerd-" ID ".scope",
	 "cri-containerd-" ID ".scope",
	 ID,
	 POD},
	{{"kubepods-burstable-pod" POD_ESCAPED ".slice:cri-containerd:" ID, NULL},
	 "/kubepods-burstable-pod" POD_ESCAPED ".slice:cri-containerd:" ID,
	 "",
	 ID,
	 POD},
	/* cut off above: what is left is told */
	{{"6", "5", "a.service", "3", "2", "1", NULL}, ".../1/2/3/a.service/5/6", "a.service", "", ""},
	{{"6", "5", "4", "3", "2", "1", NULL}, ".../1/2/3/4/5/6", "", "", ""},
};

START_TEST(where_it_ran)
{
	struct sysv_person *person;

	for (int i = 0; cgroups[_i].names[i]; i++) {
		ck_assert_uint_lt(strlen(cgroups[_i].names[i]), SYSV_CGROUP_PART);
		strcpy(noted.cgroup[i], cgroups[_i].names[i]);
	}
	person = person_seen();
	ck_assert(person->described);
	ck_assert_str_eq(person->comm, "crashed");
	ck_assert_int_eq(person->number, 77);
	ck_assert_uint_eq(person->uid, 1500);
	ck_assert_str_eq(person->cgroup, cgroups[_i].path);
	ck_assert_str_eq(person->unit, cgroups[_i].unit);
	ck_assert_str_eq(person->container, cgroups[_i].container);
	ck_assert_str_eq(person->pod, cgroups[_i].pod);
}
END_TEST

START_TEST(its_program)
{
	strcpy(noted.exe[0], "postgres");
	ck_assert_str_eq(person_seen()->exe, "/postgres");
	sysv_people_fini(&people);
	strcpy(noted.exe[1], "bin");
	ck_assert_str_eq(person_seen()->exe, "/bin/postgres");
	sysv_people_fini(&people);
	for (int i = 0; i < SYSV_EXE_PARTS; i++)
		strcpy(noted.exe[i], "d");
	ck_assert_str_eq(person_seen()->exe, ".../d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d");
}
END_TEST

/* Nothing was noted, or of another process: nobody is blamed. */
START_TEST(who_is_not_known_is_not_named)
{
	noted_error = -ENOENT;
	ck_assert(!person_seen()->described);
	sysv_people_fini(&people);
	noted_error = 0;
	noted.tgid = 78;
	ck_assert(!person_seen()->described);
	ck_assert_str_eq(person_seen()->comm, "");
}
END_TEST

/* By the scan that first finds it dead, was it noted, were some lost, and was some other lost before the next scan? */
static const struct {
	bool noted;
	uint64_t missed, missed_later;
	bool forgotten;
} losses[] = {
	{true, 0, 0, false},  {true, 1, 2, false}, {false, 0, 0, false}, /* it ended before anybody looked */
	{false, 0, 1, false},                                            /* what was lost since is another one */
	{false, 1, 1, true},  {false, 3, 9, true},
};

START_TEST(who_may_have_been_lost)
{
	noted_error = losses[_i].noted ? 0 : -ENOENT;
	missed = losses[_i].missed;
	ck_assert_int_eq(person_seen_at(1)->forgotten, losses[_i].forgotten);
	missed = losses[_i].missed_later;
	ck_assert_int_eq(person_seen_at(2)->forgotten, losses[_i].forgotten);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_whose");
	TCase *tcase = tcase_create("whose");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, where_it_ran, 0, GB_COUNT(cgroups));
	tcase_add_test(tcase, its_program);
	tcase_add_loop_test(tcase, who_may_have_been_lost, 0, GB_COUNT(losses));
	tcase_add_test(tcase, who_is_not_known_is_not_named);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
