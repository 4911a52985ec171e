/* SPDX-License-Identifier: Apache-2.0 */
/* More locks than the kernel shows with one read: a look must not lose those that stand where one read ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_lock.h"

#define FILES 700 /* two records each; 256 of them are a read */
#define PERIOD_MS 6000

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

/* ms: asks for all of them again and again for so long: a refusal counts for as long as the timeout. -> how often too few
 * were locked by others */
static long deed_try_all_for(const long *args)
{
	uint64_t end = lab_now_ms() + (uint64_t)args[0];
	long wrong = 0;

	while (lab_now_ms() < end) {
		int refused = 0;

		for (int i = 0; i < FILES; i++) {
			int fd = file_open(i);

			if (fd < 0)
				return -errno;
			refused += flock(fd, LOCK_EX | LOCK_NB) < 0;
			close(fd);
		}
		wrong += refused != FILES;
		lab_sleep_ms(100);
	}
	return wrong;
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
	lab_start(&waiter, deed_try_all_for, PERIOD_MS);
	for (int looks = 0; looks < PERIOD_MS / 300; looks++) {
		lab_daemon_pump(&daemon_, 300);
		kill(daemon_.pid, SIGUSR1);
	}
	ck_assert_uint_eq(count("ghost.found"), FILES);
	ck_assert_uint_eq(count("ghost.healed"), 0);
	ck_assert_int_eq(lab_end(&waiter), 0);
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
