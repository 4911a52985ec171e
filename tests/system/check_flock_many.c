/* SPDX-License-Identifier: Apache-2.0 */
/* More locks than the kernel shows with one read: a look must not lose those that stand where one read ends. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_lock.h"

/* A descriptor, the lock, who waits: three records each, and 255 of them are a read. That would be even, were it not for a
 * second descriptor here and there. */
#define FILES 300
#define A_SECOND 100

static struct lab_daemon daemon_;
static struct lab_actor script, waiter;

static int file_open(int i)
{
	char path[sizeof(LAB_LOCKS) + 16];

	snprintf(path, sizeof(path), LAB_LOCKS "/%d.lock", i);
	return open(path, O_RDWR | O_CREAT, 0600);
}

static long deed_lock_all(const long *args)
{
	(void)args;
	for (int i = 0; i < FILES; i++) {
		int fd = file_open(i);

		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			return -errno;
	}
	return 0;
}

static void *file_wait(void *file)
{
	int i = (int)(intptr_t)file, fd = file_open(i);

	if (i % A_SECOND == 0)
		lab_works(dup(fd) >= 0, "dup");
	flock(fd, LOCK_EX);
	return NULL;
}

/* One thread waits for each. */
static long deed_wait_for_all(const long *args)
{
	pthread_t thread;

	(void)args;
	for (int i = 0; i < FILES; i++)
		if (pthread_create(&thread, NULL, file_wait, (void *)(intptr_t)i) != 0)
			return -EAGAIN;
	return 0;
}

static unsigned int count(const char *event)
{
	return lab_lock_events(&daemon_, event, NULL, NULL);
}

START_TEST(none_is_lost_between_two_reads)
{
	pid_t service;

	lab_actor_start(&script, NULL, "nightly");
	lab_actor_start(&waiter, NULL, "job");
	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){.action = "report"});
	if (!lab_lock_releases(&daemon_)) /* it lists no locks, or is sure of nothing */
		return;
	lab_must(&script, deed_lock_all, 0);
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	lab_must(&waiter, deed_wait_for_all, 0);
	lab_daemon_wait(&daemon_, FILES, LAB_MATCH(.event = "ghost.found"));
	for (int looks = 0; looks < 10; looks++) {
		kill(daemon_.pid, SIGUSR1);
		lab_daemon_pump(&daemon_, 300);
	}
	ck_assert_msg(lab_lock_service_runs(service), "the service has ended, and its locks with it");
	ck_assert_uint_eq(count("ghost.found"), FILES);
	ck_assert_uint_eq(count("ghost.healed"), 0);
	lab_actor_kill(&waiter);
	kill(service, SIGKILL);
	lab_daemon_stop(&daemon_);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_many");
	TCase *tcase;

	lab_lock_service(argc, argv);
	tcase = lab_tcase(suite, "many", 120);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_test(tcase, none_is_lost_between_two_reads);
	return lab_main(suite);
}
