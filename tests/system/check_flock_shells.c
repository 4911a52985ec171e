/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people write in shells, with bash and flock(1): locks that are held rightly and never released, though the process
 * that took them is gone; and the one that leaks.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_lock.h"

#define PATH LAB_LOCKS "/job.lock"

static struct lab_daemon daemon_;
static struct lab_actor waiter;

static bool machine_has_shells(void)
{
	if (access("/bin/bash", X_OK) == 0 && access("/usr/bin/flock", X_OK) == 0)
		return true;
	printf("not on this kernel: bash and flock(1)\n");
	return false;
}

static void begin(void)
{
	lab_lock_daemon(&daemon_,
			&(struct lab_lock_setup){.options = "rules = ( { path = \"/*\"; action = \"unlock\"; } );"});
	lab_actor_start(&waiter, NULL, "job");
	lab_write_file(PATH, 0666, "");
}

static void wait_begin(void)
{
	long fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));

	lab_start(&waiter, deed_flock, fd, LOCK_EX);
	lab_lock_wait_waiting(PATH, 1);
}

static const struct {
	const char *script, *reason, *way;
} shell_rows[] = {
	{"( flock 9; sleep 30 ) 9>" PATH, "parent-holds", "(had it taken)"},
	{"( flock 9; sleep 30; true ) 9>" PATH, "parent-holds", "(had it taken)"},
	{"( flock 9; exec sleep 30 ) 9>" PATH, "parent-holds", "(had it taken)"},
	{"exec 9>" PATH "; flock -n 9 || exit 1; exec " LAB_SERVICE " --service", "parent-holds", "(had it taken)"},
	{"exec 9>" PATH "; flock -n 9 || exit 1; " LAB_SERVICE " --service; true", "parent-holds", "(had it taken)"},
	{"flock " PATH " " LAB_SERVICE " --service; true", "taker-alive", "(took it)"},
	{"flock -F " PATH " " LAB_SERVICE " --service; true", "taker-alive", "(took it)"},
	{"exec 9>" PATH "; flock 9; ( sleep 30; true ) & exit", "same-program", "(forked, or received)"},
	{"exec 9>" PATH "; sleep 30 & flock 9; exit", "holder-older", "(had it before, or received)"},
};

static pid_t shell_start(const char *script)
{
	pid_t pid = lab_fork();

	if (pid == 0) {
		execl("/bin/bash", "bash", "-c", script, NULL);
		_exit(127);
	}
	return pid;
}

START_TEST(what_shells_do_is_rightful)
{
	const json_t *event;
	pid_t shell;

	if (!machine_has_shells())
		return;
	begin();
	shell = shell_start(shell_rows[_i].script);
	lab_lock_wait_count(PATH, 1);
	wait_begin();
	event = lab_lock_expect(&daemon_, "ghost.spared", shell_rows[_i].reason, PATH);
	lab_daemon_pump(&daemon_, 1500);
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_waiting(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	ck_assert_msg(strstr(lab_lock_evidence(event, "held_by"), shell_rows[_i].way), "%s: %s", shell_rows[_i].script,
		      lab_lock_evidence(event, "held_by"));
	kill(shell, SIGKILL);
	lab_daemon_stop(&daemon_);
	lab_actor_kill(&waiter);
}
END_TEST

/* And this is what leaks: the script has ended, its service has not. */
START_TEST(a_service_that_outlives_its_script_is_no_rightful_holder)
{
	pid_t shell;

	if (!machine_has_shells())
		return;
	begin();
	shell = shell_start("exec 9>" PATH "; flock 9; " LAB_SERVICE " --service & exit");
	ck_assert_int_eq(lab_wait_exit(shell), 0);
	wait_begin();
	lab_lock_expect(&daemon_, "ghost.reaped", NULL, PATH);
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_daemon_stop(&daemon_);
	lab_actor_kill(&waiter);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_shells");
	TCase *tcase;

	lab_lock_service(argc, argv);
	tcase = lab_tcase(suite, "shells", 120);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_loop_test(tcase, what_shells_do_is_rightful, 0, (int)(sizeof(shell_rows) / sizeof(shell_rows[0])));
	tcase_add_test(tcase, a_service_that_outlives_its_script_is_no_rightful_holder);
	return lab_main(suite);
}
