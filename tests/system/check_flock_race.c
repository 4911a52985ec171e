/* SPDX-License-Identifier: Apache-2.0 */
/* What happens in the moment of the release: the holder closes, reopens, takes the lock itself. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_lock.h"

#define PATH LAB_LOCKS "/job.lock"
#define PRECIOUS LAB_LOCKS "/precious.lock"
#define DESCRIPTOR 50 /* where the leaked file and the precious one take turns */
#define ROUNDS 6      /* half of them where EGHOSTBUSTER_TEST_RACE_MS asks for shorter races */
#define HOLDERS 4

static struct lab_daemon daemon_;
static struct lab_actor waiter;

/*
 * A service that inherited the leaked lock on DESCRIPTOR. At a moment near that of the release it puts another file there,
 * with a lock of its own on it, which it must still have at the end; and begins anew with what it kept of the first.
 */
static void juggle(unsigned int after_ms)
{
	int precious = open(PRECIOUS, O_RDWR | O_CREAT | O_CLOEXEC, 0666), kept = dup(DESCRIPTOR);
	uint64_t end;

	lab_works(precious >= 0 && kept >= 0, "files");
	lab_works(flock(precious, LOCK_SH) == 0, "a lock of its own");
	lab_sleep_ms(after_ms);
	for (end = lab_now_ms() + 1500; lab_now_ms() < end;) {
		dup2(precious, DESCRIPTOR);
		dup2(kept, DESCRIPTOR);
	}
	pause();
}

/* The service of this program: juggles when it has DESCRIPTOR. */
static void service_main(int argc, char *argv[])
{
	if (argc < 3 || strcmp(argv[1], "--juggle") != 0)
		return;
	alarm(lab_lock_life_s());
	juggle((unsigned int)strtoul(argv[2], NULL, 10));
	_exit(EXIT_SUCCESS);
}

static long deed_juggler(const long *args)
{
	pid_t pid = fork();
	char after[16];

	if (pid == 0) {
		dup2((int)args[0], DESCRIPTOR);
		close((int)args[0]);
		snprintf(after, sizeof(after), "%ld", args[1]);
		execl(LAB_SERVICE, "service", "--juggle", after, NULL);
		_exit(EXIT_FAILURE);
	}
	return pid;
}

/* Only who has it can lose it. */
static void wait_for_its_own(pid_t service)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (!lab_lock_has(service, PRECIOUS)) {
		lab_require(lab_now_ms() < end, "service %d does not take its lock", service);
		lab_sleep_ms(5);
	}
}

static void assert_keeps_its_own(pid_t service)
{
	if (lab_lock_has(service, PRECIOUS))
		return;
	ck_assert_msg(lab_lock_service_runs(service), "service %d has ended: it says nothing any more", service);
	ck_abort_msg("service %d runs, and has lost a lock of its own", service);
}

/* A kernel may leave out an event where several lock at once: then a lock is told of, and not released. */
static unsigned int told_of(void)
{
	unsigned int count = 0;
	const json_t *event;
	size_t i;

	json_array_foreach(daemon_.events, i, event)
	{
		count += strcmp(json_string_value(json_object_get(event, "event")), "ghost.spared") == 0 &&
			 strcmp(lab_lock_evidence(event, "finding"), "acquisition-unknown") == 0;
	}
	return count;
}

/* Returns false where the lock was only told of since there were so many, and ended with its holders. */
static bool waiter_is_let_in(const pid_t *holders, unsigned int told_before)
{
	struct pollfd answer = {.fd = waiter.control, .events = POLLIN};
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	bool told = false;

	while (poll(&answer, 1, 0) == 0) {
		if (!told && told_of() > told_before) {
			told = true;
			for (int i = 0; i < HOLDERS; i++)
				kill(holders[i], SIGKILL);
		}
		if (lab_now_ms() > end)
			lab_daemon_give_up(&daemon_, "the end of the lock", 1, 0);
		lab_daemon_pump(&daemon_, 100);
	}
	ck_assert_int_eq(lab_end(&waiter), 0);
	return !told;
}

START_TEST(a_descriptor_that_changes_hands_unlocks_nothing_else)
{
	const int rounds = getenv("EGHOSTBUSTER_TEST_RACE_MS") ? ROUNDS / 2 : ROUNDS;
	pid_t services[ROUNDS * HOLDERS];
	size_t count = 0;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	lab_actor_start(&waiter, NULL, "job");
	lab_write_file(PRECIOUS, 0666, "");
	for (int round = 0; round < rounds; round++) {
		unsigned int told_before = told_of();
		struct lab_actor script;
		long fd;

		lab_actor_start(&script, NULL, "nightly");
		fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
		lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
		for (int i = 0; i < HOLDERS; i++)
			services[count++] = (pid_t)lab_must(&script, deed_juggler, fd, 700 + 40 * round);
		for (size_t i = count - HOLDERS; i < count; i++)
			wait_for_its_own(services[i]);
		lab_actor_end(&script);
		fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
		lab_start(&waiter, deed_flock, fd, LOCK_EX);
		lab_daemon_pump(&daemon_, 3200);
		/* Released or spared: nobody but the leak may have lost anything. */
		for (size_t i = 0; i < count; i++)
			assert_keeps_its_own(services[i]);
		lab_daemon_pump(&daemon_, 1500);
		if (!waiter_is_let_in(&services[count - HOLDERS], told_before))
			count -= HOLDERS;
		lab_must(&waiter, deed_close, fd);
	}
	printf("%u of %d rounds ended by a release\n", lab_lock_events(&daemon_, "ghost.reaped", NULL, PATH), rounds);
	fflush(stdout);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.failed", NULL, NULL), 0);
	ck_assert_uint_ge(lab_lock_events(&daemon_, "ghost.reaped", NULL, PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, PRECIOUS), 0);
	for (size_t i = 0; i < count; i++)
		kill(services[i], SIGKILL);
	lab_daemon_stop(&daemon_);
	lab_actor_end(&waiter);
}
END_TEST

/* In a loop, the holder takes the lock itself: from then on it is its own. */
START_TEST(who_takes_the_lock_anew_has_it)
{
	struct lab_actor script;
	long fd;

	lab_lock_daemon(&daemon_, &(struct lab_lock_setup){0});
	if (!lab_lock_releases(&daemon_))
		return;
	lab_actor_start(&waiter, NULL, "job");
	lab_actor_start(&script, NULL, "nightly");
	fd = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	lab_must(&script, deed_flock_by_child, fd, LOCK_EX);
	lab_must(&script, deed_flock, fd, LOCK_EX); /* nothing changes but who asked last */
	lab_start(&waiter, deed_flock, lab_must(&waiter, deed_open_lock, LAB_PATH(PATH)), LOCK_EX);
	lab_lock_expect(&daemon_, "ghost.spared", NULL, PATH);
	lab_daemon_pump(&daemon_, 1500);
	ck_assert_uint_eq(lab_lock_count(PATH), 1);
	ck_assert_uint_eq(lab_lock_events(&daemon_, "ghost.reaped", NULL, NULL), 0);
	lab_actor_end(&script);
	ck_assert_int_eq(lab_end(&waiter), 0);
	lab_daemon_stop(&daemon_);
	lab_actor_end(&waiter);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_race");
	TCase *tcase;

	lab_lock_service(argc, argv);
	service_main(argc, argv);
	tcase = lab_tcase(suite, "race", 120);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_test(tcase, a_descriptor_that_changes_hands_unlocks_nothing_else);
	tcase_add_test(tcase, who_takes_the_lock_anew_has_it);
	return lab_main(suite);
}
