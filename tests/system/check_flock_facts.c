/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a lock, and the facts that a verdict stands on: who inherited, who received, who really waits. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cleanup.h"
#include "lab_check.h"
#include "lab_lock.h"

#define PATH LAB_LOCKS "/job.lock"
#define OTHER LAB_LOCKS "/other.lock"
#define CHANNEL 50 /* of a service that takes orders */
#define CROWD 66   /* more processes than the guard looks at */

static struct lab_daemon daemon_;
static struct lab_actor script, waiter, third;
static pid_t service;

/* ---- a service that takes orders ---------------------------------------------------------------------------------- */

/* "--receive": is sent the file. "--again FD": asks for the lock of what it inherited. Says when that is done. */
static void service_main(int argc, char *argv[])
{
	bool receives = argc > 1 && strcmp(argv[1], "--receive") == 0;
	bool asks = argc > 2 && strcmp(argv[1], "--again") == 0;
	char byte;
	int fd;

	if (!receives && !asks)
		return;
	alarm(lab_lock_life_s());
	if (receives)
		lab_works(lab_take(CHANNEL, &byte, 1, &fd, 1, MSG_CMSG_CLOEXEC), "recvmsg");
	else
		lab_works(flock((int)strtol(argv[2], NULL, 10), LOCK_EX | LOCK_NB) == 0, "flock");
	lab_works(write(CHANNEL, "", 1) == 1, "write");
	for (;;)
		pause();
}

/* fd, receive or not -> pid, once it has done what it was told */
static long deed_ordered_service(const long *args)
{
	int fd = (int)args[0], pair[2];
	char byte = 0, number[16];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], CHANNEL);
		snprintf(number, sizeof(number), "%ld", args[0]);
		if (args[1]) {
			close((int)args[0]);
			execl(LAB_SERVICE, "service", "--receive", NULL);
		} else {
			execl(LAB_SERVICE, "service", "--again", number, NULL);
		}
		_exit(EXIT_FAILURE);
	}
	close(pair[1]);
	if (args[1] && lab_pass(pair[0], &byte, 1, &fd, 1) < 0)
		return -EIO;
	if (read(pair[0], &byte, 1) != 1)
		return -EIO;
	close(pair[0]);
	return pid;
}

/* ---- scenes ------------------------------------------------------------------------------------------------------- */

static long script_locks(void)
{
	long fd;

	lab_actor_start(&script, NULL, "nightly");
	lab_actor_start(&waiter, NULL, "job");
	fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
	return fd;
}

static void wait_begin(const char *path)
{
	long fd = lab_must(&waiter, deed_open_lock, LAB_PATH(path));

	lab_start(&waiter, deed_flock, fd, LOCK_EX);
	lab_lock_wait_waiting(path, 1);
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	if (service > 0)
		kill(service, SIGKILL);
	lab_actor_kill(&waiter);
}

static const json_t *assert_spared(const char *reason)
{
	const json_t *event = lab_lock_expect(&daemon_, "ghost.spared", reason, PATH);

	lab_daemon_pump(&daemon_, 1500);
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	return event;
}

/* ---- what is shown ------------------------------------------------------------------------------------------------ */

static void assert_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part), "\"%s\" is not in:\n%s", part, text);
}

static void assert_shows(const char *command, const char *id, const char *const *parts)
{
	_cleanup_free_ char *out = NULL, *err = NULL;

	ck_assert_int_eq(lab_run((const char *[]){LAB_PROGRAM, "-c", daemon_.config, command, id, NULL}, &out, &err),
			 0);
	for (size_t i = 0; parts[i]; i++)
		assert_has(out, parts[i]);
}

/* Path, kind, holders with their descriptors and how each came to it, the dead taker, who is kept out and for how long. */
START_TEST(ghosts_and_explain_show_all_of_it)
{
	char fd[48], owner[32], waits[32], taker[64];
	json_t *answer, *ghost;
	const char *held;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.action = "report"});
	snprintf(fd, sizeof(fd), " fd %ld (exec'ed, or received)", script_locks());
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	wait_begin(PATH);
	lab_lock_expect(&daemon_, "ghost.found", NULL, PATH);
	lab_daemon_pump(&daemon_, 1500);
	answer = lab_daemon_ask(&daemon_, "ghosts", NULL);
	ghost = json_array_get(json_object_get(answer, "ghosts"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(ghost, "resource")), "flock " PATH);
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_array_get(json_object_get(ghost, "owners"), 0), "pid")),
		service);
	ck_assert_str_eq(lab_lock_evidence(ghost, "kind"), "flock");
	ck_assert_str_eq(lab_lock_evidence(ghost, "mode"), "exclusive");
	held = lab_lock_evidence(ghost, "held_by");
	snprintf(owner, sizeof(owner), "service[%d]", service);
	assert_has(held, owner);
	assert_has(held, fd);
	assert_has(lab_lock_evidence(ghost, "taken_by"), "(gone)");
	assert_has(lab_lock_evidence(ghost, "taken_for"), "nightly[");
	snprintf(waits, sizeof(waits), "job[%d] waits ", waiter.pid);
	assert_has(lab_lock_evidence(ghost, "kept_out"), waits);
	ck_assert_int_ge(json_integer_value(json_object_get(json_object_get(ghost, "evidence"), "kept_out_for_ms")),
			 900);
	snprintf(taker, sizeof(taker), "taken by: %s", lab_lock_evidence(ghost, "taken_by"));
	assert_shows("ghosts", NULL,
		     (const char *[]){"flock " PATH, "report", "kind flock, mode exclusive", "held by: service[", owner,
				      fd, taker, "(gone)", "taken for nightly[", "kept out: job[", waits,
				      "kept out for ", NULL});
	assert_shows("explain", json_string_value(json_object_get(ghost, "id")),
		     (const char *[]){"flock " PATH, owner, fd, "(gone)", waits, NULL});
	json_decref(answer);
	end();
}
END_TEST

/* The tier is said at the start and by `status`, and it is what is done. */
START_TEST(what_this_kernel_allows_is_said)
{
	int major = 0, minor = 0;
	struct utsname name;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.anew = true});
	uname(&name);
	ck_assert_int_eq(sscanf(name.release, "%d.%d", &major, &minor), 2);
	if (major > 5 || (major == 5 && minor >= 13))
		ck_assert(lab_lock_may_release(&daemon_));
	else
		assert_has(daemon_.said,
			   "this kernel has no iterator of mappings (Linux 5.13): a mapping may hold a lock, "
			   "so locks are reported, not released");
	script_locks();
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	wait_begin(PATH);
	lab_lock_expect(&daemon_, lab_lock_may_release(&daemon_) ? "ghost.reaped" : "ghost.found", NULL, PATH);
	if (!lab_lock_may_release(&daemon_)) {
		lab_daemon_pump(&daemon_, 1500);
		ck_assert_uint_eq(lab_lock_count(PATH), 1);
		ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	}
	end();
}
END_TEST

/* ---- who holds it ------------------------------------------------------------------------------------------------- */

/* Born after the lock was taken, and running something else, but it was given the file: no leak. */
START_TEST(who_was_sent_the_file_holds_it_rightly)
{
	const json_t *event;
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	fd = script_locks();
	service = (pid_t)lab_must(&script, deed_ordered_service, fd, 1);
	lab_actor_end(&script);
	wait_begin(PATH);
	event = assert_spared("holder-uses-it");
	assert_has(lab_lock_evidence(event, "held_by"), "(received, or marked close-on-exec)");
	end();
}
END_TEST

/* It inherited the lock, and asked for it: from then on it is its own. */
START_TEST(a_service_that_asks_for_what_it_inherited)
{
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	fd = script_locks();
	service = (pid_t)lab_must(&script, deed_ordered_service, fd, 0);
	lab_actor_end(&script);
	wait_begin(PATH);
	assert_spared("taker-alive");
	end();
}
END_TEST

/* The guard looks at 64 holders: an exempt one may be among the others. */
START_TEST(more_holders_than_the_guard_looks_at)
{
	pid_t services[CROWD];

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	script_locks();
	for (int i = 0; i < CROWD; i++)
		services[i] = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	wait_begin(PATH);
	assert_spared("too-many-holders");
	for (int i = 0; i < CROWD; i++)
		kill(services[i], SIGKILL);
	ck_assert_int_eq(lab_end(&waiter), 0);
	end();
}
END_TEST

/* ---- who took it -------------------------------------------------------------------------------------------------- */

/* path, how many times: it is opened, locked and closed again, at another address */
static long deed_ofd_and_close(const long *args)
{
	for (long i = 0; i < args[1]; i++) {
		int fd = open((const char *)(intptr_t)args[0], O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

		if (fd < 0 || fcntl(fd, F_OFD_SETLK, &range) < 0)
			return -errno;
		close(fd);
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) /* has the address now */
			return -errno;
	}
	return 0;
}

/* Else the room for who took what would be full after a while. */
START_TEST(the_locks_of_closed_files_are_forgotten)
{
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	lab_actor_start(&script, NULL, "nightly");
	lab_actor_start(&waiter, NULL, "job");
	lab_actor_start(&third, NULL, "churn");
	lab_must(&third, deed_ofd_and_close, LAB_PATH(PATH), 64);
	fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	lab_must(&script, deed_ofd, fd, F_WRLCK, 0, 0, 0);
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	lab_start(&waiter, deed_ofd, lab_must(&waiter, deed_open_lock, LAB_PATH(PATH)), F_WRLCK, 0, 0, 1);
	lab_lock_expect(&daemon_, "ghost.reaped", NULL, "ofd " PATH);
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_actor_end(&third);
	end();
}
END_TEST

/* ---- who waits ---------------------------------------------------------------------------------------------------- */

/* Who waited when the daemon came, and has long had the lock, waits for another one now: of the first nobody is kept out. */
START_TEST(a_waiter_from_before_the_start_that_went_on)
{
	long fd, next, mine;

	lab_actor_start(&third, NULL, "before");
	fd = script_locks();
	mine = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_start(&waiter, deed_flock, mine, LOCK_EX);
	lab_lock_wait_waiting(PATH, 1);
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.anew = true});
	next = lab_must(&third, deed_open_lock, LAB_PATH(OTHER));
	lab_must(&third, deed_flock, next, LOCK_EX);
	lab_must(&script, deed_flock, fd, LOCK_UN);
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_must(&waiter, deed_close, mine);
	wait_begin(OTHER);
	lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	lab_lock_expect(&daemon_, "ghost.spared", "taker-alive", OTHER);
	lab_daemon_pump(&daemon_, 2500);
	ck_assert_msg(lab_lock_service_runs(service), "the service has ended, and its lock with it");
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	lab_actor_kill(&third);
	end();
}
END_TEST

/* Two read, one of them wants to write: it waits for the other, not for itself. */
START_TEST(who_asks_for_more_does_not_wait_for_himself)
{
	char other[48];
	const json_t *event;
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	lab_actor_start(&third, NULL, "reader");
	lab_actor_start(&waiter, NULL, "job");
	fd = lab_must(&third, deed_open_lock, LAB_PATH(PATH));
	lab_must(&third, deed_posix, fd, F_RDLCK, 0, 0, 0);
	fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_must(&waiter, deed_posix, fd, F_RDLCK, 0, 0, 0);
	lab_start(&waiter, deed_posix, fd, F_WRLCK, 0, 0, 1);
	lab_lock_wait_waiting(PATH, 1);
	event = lab_lock_expect(&daemon_, "ghost.found", NULL, PATH);
	lab_daemon_pump(&daemon_, 2500);
	snprintf(other, sizeof(other), "for reader[%d]", third.pid);
	assert_has(lab_lock_evidence(event, "chain"), other);
	ck_assert_ptr_null(strstr(lab_lock_evidence(event, "chain"), "cycle"));
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.found", NULL, PATH), 1);
	lab_actor_kill(&third);
	end();
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_facts");
	TCase *tcase;

	lab_lock_service(argc, argv);
	service_main(argc, argv);
	tcase = lab_tcase(suite, "facts", 120);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_test(tcase, ghosts_and_explain_show_all_of_it);
	tcase_add_test(tcase, what_this_kernel_allows_is_said);
	tcase_add_test(tcase, who_was_sent_the_file_holds_it_rightly);
	tcase_add_test(tcase, a_service_that_asks_for_what_it_inherited);
	tcase_add_test(tcase, more_holders_than_the_guard_looks_at);
	tcase_add_test(tcase, the_locks_of_closed_files_are_forgotten);
	tcase_add_test(tcase, a_waiter_from_before_the_start_that_went_on);
	tcase_add_test(tcase, who_asks_for_more_does_not_wait_for_himself);
	return lab_main_shared(suite);
}
