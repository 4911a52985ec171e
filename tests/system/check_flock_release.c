/* SPDX-License-Identifier: Apache-2.0 */
/* Locks that leaked, on the real kernel: released by rule or told of, and nothing else with them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_lock.h"

#define PATH LAB_LOCKS "/job.lock"
#define OTHER LAB_LOCKS "/other.lock"

static struct lab_daemon daemon_;
static struct lab_actor script, waiter;
static pid_t service;

static void actors_start(void)
{
	lab_actor_start(&script, NULL, "nightly");
	lab_actor_start(&waiter, NULL, "job");
}

/* A script that had the lock taken, started a service that inherited it, and has ended. */
static void leak(uid_t uid)
{
	long fd;

	actors_start();
	fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
	service = (pid_t)lab_must(&script, deed_service, uid);
	lab_actor_end(&script);
}

static void wait_begin(void)
{
	long fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));

	lab_start(&waiter, deed_flock, fd, LOCK_EX);
	lab_lock_wait_waiting(PATH, 1);
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	kill(service, SIGKILL);
	lab_actor_end(&waiter);
}

START_TEST(a_leak_is_released_and_the_waiter_proceeds)
{
	const json_t *event;
	char wanted[64];

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	leak(_i ? 65534 : 0);
	wait_begin();
	event = lab_lock_expect(&daemon_, "ghost.reaped", NULL, PATH);
	ck_assert_int_eq(lab_end(&waiter), 0);
	ck_assert_int_eq(kill(service, 0), 0);
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), "unlock");
	event = lab_lock_expect(&daemon_, "ghost.found", NULL, PATH);
	snprintf(wanted, sizeof(wanted), "service[%d] fd ", service);
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "held_by"), wanted));
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "held_by"), "(exec'ed, or received)"));
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "taken_by"), "(gone)"));
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "taken_for"), "nightly["));
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "kept_out"), "job["));
	end();
}
END_TEST

START_TEST(a_leak_that_keeps_nobody_out_is_not_touched)
{
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	leak(0);
	lab_daemon_pump(&daemon_, 3500);
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, NULL, NULL, PATH), 0);
	end();
}
END_TEST

/* Somebody who does not wait but was refused counts for a timeout. */
START_TEST(a_refusal_is_as_good_as_a_waiter)
{
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	leak(0);
	fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_sleep_ms(1200);
	while (lab_do(&waiter, deed_flock, fd, LOCK_EX | LOCK_NB) == -EWOULDBLOCK)
		lab_daemon_pump(&daemon_, 100);
	lab_lock_expect(&daemon_, "ghost.reaped", NULL, PATH);
	end();
}
END_TEST

START_TEST(by_default_it_is_only_told_of)
{
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.action = "report"});
	leak(0);
	wait_begin();
	lab_lock_expect(&daemon_, "ghost.found", NULL, PATH); /* also on a kernel that can do no more */
	lab_daemon_pump(&daemon_, 2500);
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_waiting(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.found", NULL, PATH), 1);
	kill(service, SIGKILL);
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_lock_expect(&daemon_, "ghost.healed", NULL, PATH);
	end();
}
END_TEST

START_TEST(in_observe_mode_nothing_is_released)
{
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.more = "mode = \"observe\";"});
	if (!lab_lock_releases(&daemon_))
		return;
	leak(0);
	wait_begin();
	lab_lock_expect(&daemon_, "ghost.spared", "observe", PATH);
	lab_daemon_pump(&daemon_, 1500);
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	end();
}
END_TEST

static const struct {
	const char *rules;
	bool released;
} rule_rows[] = {
	{"rules = ( { path = \"" LAB_LOCKS "/job*\"; action = \"unlock\"; } );", true},
	{"rules = ( { path = \"*/elsewhere\"; action = \"unlock\"; } );", false},
	{"rules = ( { kind = \"ofd\"; action = \"unlock\"; } );", false},
	{"rules = ( { exe = \"" LAB_SERVICE "\"; action = \"unlock\"; } );", true},
	{"rules = ( { exe = \"/usr/*\"; action = \"unlock\"; } );", false},
	{"rules = ( { comm = \"service\"; action = \"report\"; }, { path = \"*\"; action = \"unlock\"; } );", false},
	{"rules = ( { uid = 65534; action = \"unlock\"; } );", false},
};

START_TEST(the_first_rule_that_matches_decides)
{
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.action = "report", .options = rule_rows[_i].rules});
	if (!lab_lock_releases(&daemon_))
		return;
	leak(0);
	wait_begin();
	lab_lock_expect(&daemon_, "ghost.found", NULL, PATH);
	if (rule_rows[_i].released) {
		lab_lock_expect(&daemon_, "ghost.reaped", NULL, PATH);
		ck_assert_int_eq(lab_end(&waiter), 0);
	} else {
		lab_daemon_pump(&daemon_, 1500);
		ck_assert_uint_eq(lab_lock_count(PATH), 1);
		ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	}
	end();
}
END_TEST

START_TEST(a_signal_ends_the_holder)
{
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.action = "signal", .options = "signal = \"TERM\";"});
	if (!lab_lock_releases(&daemon_))
		return;
	leak(0);
	wait_begin();
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_daemon_pump(&daemon_, 1500);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.failed", NULL, NULL), 0);
	end();
}
END_TEST

/* Only the range that keeps somebody out; the others of the same open file, and of other files, stay. */
START_TEST(one_range_of_an_open_file)
{
	long fd, other;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	actors_start();
	fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	lab_must(&script, deed_ofd, fd, F_WRLCK, 0, 10, 0);
	lab_must(&script, deed_ofd, fd, F_WRLCK, 100, 10, 0);
	lab_must(&script, deed_ofd, fd, F_RDLCK, 200, 0, 0);
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	other = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_must(&waiter, deed_ofd, other, F_WRLCK, 50, 10, 0);
	ck_assert_uint_eq(lab_lock_count(PATH), 4);
	lab_start(&waiter, deed_ofd, other, F_WRLCK, 105, 1, 1);
	lab_lock_expect(&daemon_, "ghost.reaped", NULL, PATH " [100-109]");
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_daemon_pump(&daemon_, 1500);
	ck_assert_uint_eq(lab_lock_count(PATH), 4); /* the waiter has 105 now */
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 1);
	end();
}
END_TEST

/* flock(1) in a pid namespace of its own, as in a container. */
START_TEST(a_leak_in_a_child_pid_namespace)
{
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	actors_start();
	fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
	lab_must(&script, deed_new_pidns, 0);
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	wait_begin();
	lab_lock_expect(&daemon_, "ghost.reaped", NULL, PATH);
	ck_assert_int_eq(lab_end(&waiter), 0);
	ck_assert_int_eq(kill(service, 0), 0);
	end();
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_release");
	TCase *tcase;

	lab_lock_service(argc, argv);
	tcase = lab_tcase(suite, "release", 120);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_loop_test(tcase, a_leak_is_released_and_the_waiter_proceeds, 0, 2);
	tcase_add_test(tcase, a_leak_that_keeps_nobody_out_is_not_touched);
	tcase_add_test(tcase, a_refusal_is_as_good_as_a_waiter);
	tcase_add_test(tcase, by_default_it_is_only_told_of);
	tcase_add_test(tcase, in_observe_mode_nothing_is_released);
	tcase_add_loop_test(tcase, the_first_rule_that_matches_decides, 0,
			    (int)(sizeof(rule_rows) / sizeof(rule_rows[0])));
	tcase_add_test(tcase, a_signal_ends_the_holder);
	tcase_add_test(tcase, one_range_of_an_open_file);
	tcase_add_test(tcase, a_leak_in_a_child_pid_namespace);
	return lab_main_shared(suite);
}
