/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks that are held rightly, or might be: never released, under action = "unlock" for everything, with somebody waiting
 * all the time. Beside each a leak that must go, so the daemon is known to have looked.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_lock.h"

#define PATH LAB_LOCKS "/job.lock"
#define LEAK LAB_LOCKS "/leak.lock"
#define UNLOCK_ALL "rules = ( { path = \"/*\"; action = \"unlock\"; } );"

static struct lab_daemon daemon_;
static struct lab_actor holder, waiter;

static void actors_start(void)
{
	lab_actor_start(&holder, NULL, "holder");
	lab_actor_start(&waiter, NULL, "job");
}

static void wait_begin(const char *path)
{
	long fd = lab_must(&waiter, deed_open_lock, LAB_PATH(path));

	lab_start(&waiter, deed_flock, fd, LOCK_EX);
	lab_lock_wait_waiting(path, 1);
}

static struct lab_actor leak_waiter;
static pid_t leak_service;

/* Beside what is spared. */
static void leak_begin(void)
{
	struct lab_actor script;
	long fd;

	lab_actor_start(&script, NULL, "nightly");
	lab_actor_start(&leak_waiter, NULL, "other");
	fd = lab_must(&script, deed_open_lock, LAB_PATH(LEAK));
	lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
	leak_service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	fd = lab_must(&leak_waiter, deed_open_lock, LAB_PATH(LEAK));
	lab_start(&leak_waiter, deed_flock, fd, LOCK_EX);
}

/* It is found, and all is looked at once more after that. */
static void leak_end(void)
{
	lab_lock_expect(&daemon_, "ghost.found", NULL, LEAK);
	lab_daemon_pump(&daemon_, 1200);
	kill(leak_service, SIGKILL);
	ck_assert_int_eq(lab_end(&leak_waiter), 0);
	lab_actor_end(&leak_waiter);
}

static void begin(bool anew)
{
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.options = UNLOCK_ALL, .anew = anew});
	leak_begin();
}

static const json_t *assert_spared(const char *path, const char *reason)
{
	const json_t *event = lab_lock_expect(&daemon_, "ghost.spared", reason, path);

	leak_end();
	ck_assert_uint_eq(lab_lock_count(path), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, path), 0);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.failed", NULL, NULL), 0);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.spared", reason, path), 1);
	return event;
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	lab_actor_end(&waiter);
	lab_actor_end(&holder);
}

/* ---- daemons ------------------------------------------------------------------------------------------------------ */

/* Locks, goes into the background by one fork or two, perhaps as a re-exec of itself. */
START_TEST(a_daemon_that_locks_before_it_forks)
{
	pid_t background;
	long fd;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_flock, fd, LOCK_EX);
	background = (pid_t)lab_must(&holder, deed_background, 1 + _i % 2, _i / 2);
	lab_actor_end(&holder);
	wait_begin(PATH);
	assert_spared(PATH, "same-program");
	kill(background, SIGKILL);
	ck_assert_int_eq(lab_end(&waiter), 0);
	end();
}
END_TEST

/* ---- no descriptor ------------------------------------------------------------------------------------------------ */

START_TEST(a_mapping_alone_is_named)
{
	const json_t *event;
	long fd;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_flock_by_child, fd, LOCK_EX);
	lab_must(&holder, deed_map, fd);
	wait_begin(PATH);
	event = assert_spared(PATH, lab_lock_may_release(&daemon_) ? "mapped-only" : "no-holder");
	if (!lab_lock_may_release(&daemon_)) {
		end();
		return;
	}
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "held_by"), "holder["));
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "held_by"), " mapped ("));
	end();
}
END_TEST

START_TEST(in_flight_alone_is_told_of)
{
	long fd;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_flock, fd, LOCK_EX);
	lab_must(&holder, deed_stash, fd);
	wait_begin(PATH);
	assert_spared(PATH, "no-holder");
	end();
}
END_TEST

/* A leak, and beside it somebody for whom it may be in flight, or who maps it: the right one may be that. */
START_TEST(a_leak_that_is_also_in_flight)
{
	pid_t service;
	long fd, copy;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_flock_by_child, fd, LOCK_EX);
	service = (pid_t)lab_must(&holder, deed_service, 0);
	copy = fd;
	lab_must(&holder, deed_stash, copy);
	wait_begin(PATH);
	assert_spared(PATH, "held-elsewhere");
	kill(service, SIGKILL);
	end();
}
END_TEST

/* ---- what is never touched ---------------------------------------------------------------------------------------- */

START_TEST(a_package_managers_lock_is_sacred)
{
	static const char path[] = LAB_LOCKS "/var/lib/dpkg/lock-frontend";
	pid_t service;
	long fd;

	begin(false);
	mkdir(LAB_LOCKS "/var", 0755);
	mkdir(LAB_LOCKS "/var/lib", 0755);
	mkdir(LAB_LOCKS "/var/lib/dpkg", 0755);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(path));
	lab_must(&holder, deed_flock_by_child, fd, LOCK_EX);
	service = (pid_t)lab_must(&holder, deed_service, 0);
	lab_actor_end(&holder);
	wait_begin(path);
	assert_spared(path, "protected-path");
	kill(service, SIGKILL);
	end();
}
END_TEST

START_TEST(outside_of_the_scope_nothing_is_even_told)
{
	static const char path[] = LAB_DIR "/outside.lock";
	pid_t service;
	long fd;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(path));
	lab_must(&holder, deed_flock_by_child, fd, LOCK_EX);
	service = (pid_t)lab_must(&holder, deed_service, 0);
	lab_actor_end(&holder);
	wait_begin(path);
	leak_end();
	ck_assert_uint_eq(lab_lock_count(path), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, NULL, NULL, path), 0);
	kill(service, SIGKILL);
	end();
}
END_TEST

/* Who took it, and when, nobody saw: told of, not released. The waiter was there before as well. */
START_TEST(a_lock_from_before_the_start_is_told_of)
{
	const json_t *event;
	pid_t service;
	long fd;

	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_flock_by_child, fd, LOCK_EX);
	service = (pid_t)lab_must(&holder, deed_service, 0);
	lab_actor_end(&holder);
	wait_begin(PATH);
	begin(true);
	event = lab_lock_expect(&daemon_, "ghost.found", NULL, PATH);
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), "report");
	ck_assert_str_eq(lab_lock_evidence(event, "finding"), "acquisition-unknown");
	leak_end();
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, PATH), 0);
	kill(service, SIGKILL);
	end();
}
END_TEST

/* ---- POSIX locks -------------------------------------------------------------------------------------------------- */

START_TEST(a_posix_lock_is_told_of_with_both_names)
{
	const json_t *event;
	char chain[64], wanted[64];
	long fd;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_posix, fd, F_WRLCK, 0, 0, 0);
	fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_start(&waiter, deed_posix, fd, F_WRLCK, 5, 1, 1);
	event = lab_lock_expect(&daemon_, "ghost.found", NULL, "posix " PATH);
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), "report");
	snprintf(wanted, sizeof(wanted), "holder[%d] fd ", holder.pid);
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "held_by"), wanted));
	snprintf(chain, sizeof(chain), "job[%d] waits", waiter.pid);
	ck_assert_ptr_nonnull(strstr(lab_lock_evidence(event, "chain"), chain));
	leak_end();
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, PATH), 0);
	lab_must(&holder, deed_posix, lab_must(&holder, deed_open_lock, LAB_PATH(PATH)), F_UNLCK, 0, 0, 0);
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_lock_expect(&daemon_, "ghost.healed", NULL, PATH);
	end();
}
END_TEST

/* Each waits for the other, through a POSIX lock and an flock(), which the kernel does not see as a deadlock. */
START_TEST(a_cycle_is_named)
{
	static const char other[] = LAB_LOCKS "/second.lock";
	const json_t *event;
	long fd;

	begin(false);
	actors_start();
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(PATH));
	lab_must(&holder, deed_posix, fd, F_WRLCK, 0, 0, 0);
	fd = lab_must(&waiter, deed_open_lock, LAB_PATH(other));
	lab_must(&waiter, deed_flock, fd, LOCK_EX);
	fd = lab_must(&holder, deed_open_lock, LAB_PATH(other));
	lab_start(&holder, deed_flock, fd, LOCK_EX);
	fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_start(&waiter, deed_posix, fd, F_WRLCK, 0, 0, 1);
	event = lab_lock_expect(&daemon_, "ghost.found", NULL, "posix " PATH);
	ck_assert_msg(strstr(lab_lock_evidence(event, "chain"), ": a cycle"), "%s", lab_lock_evidence(event, "chain"));
	event = lab_lock_expect(&daemon_, "ghost.spared", "taker-alive", other);
	ck_assert_msg(strstr(lab_lock_evidence(event, "chain"), ": a cycle"), "%s", lab_lock_evidence(event, "chain"));
	leak_end();
	lab_daemon_stop(&daemon_);
	lab_actor_kill(&holder);
	lab_actor_kill(&waiter);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_spare");
	TCase *tcase;

	lab_lock_service(argc, argv);
	tcase = lab_tcase(suite, "spare", 120);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_loop_test(tcase, a_daemon_that_locks_before_it_forks, 0, 4);
	tcase_add_test(tcase, a_mapping_alone_is_named);
	tcase_add_test(tcase, in_flight_alone_is_told_of);
	tcase_add_test(tcase, a_leak_that_is_also_in_flight);
	tcase_add_test(tcase, a_package_managers_lock_is_sacred);
	tcase_add_test(tcase, outside_of_the_scope_nothing_is_even_told);
	tcase_add_test(tcase, a_lock_from_before_the_start_is_told_of);
	tcase_add_test(tcase, a_posix_lock_is_told_of_with_both_names);
	tcase_add_test(tcase, a_cycle_is_named);
	return lab_main_shared(suite);
}
