/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File locks in the laboratory: a folder of its own, which is the daemon's whole scope; what actors do with locks; a
 * program that runs something else than the test; and the truth from /proc/locks, which to ask for keeps nobody out.
 */
#ifndef TESTS_SYSTEM_LAB_LOCK_H
#define TESTS_SYSTEM_LAB_LOCK_H

#include "lab.h"

/* Of the program's name: a scope of paths means the same path in every mount namespace. */
#define LAB_LOCKS LAB_DIR "/locks-of-" LAB_NAME
#define LAB_SERVICE LAB_DIR "/service" /* a copy of the test's program: called with --service it only waits */

struct lab_lock_setup {
	const char *name;    /* of the daemon's folder; "daemon" when NULL */
	const char *action;  /* "unlock" when NULL */
	const char *options; /* more options of the plugin: rules */
	const char *guard;
	const char *more; /* more options of ghostbuster */
	bool anew;        /* see lab_daemon_begin() */
};

/* Once in each test, after lab_open(). */
void lab_lock_open(void);

/* The first thing in main(): does not return when the program was called as the service. */
void lab_lock_service(int argc, char *argv[]);

/* How long a process may live that nobody ends: as long as Check gives its test, and so never shorter than that. */
unsigned int lab_lock_life_s(void);

/* Whether it is a service of this test, and runs: else there is nothing to learn from what it holds. */
bool lab_lock_service_runs(pid_t pid);

/* With a timeout of 1 s; until daemon.ready. */
void lab_lock_daemon(struct lab_daemon *daemon, const struct lab_lock_setup *setup);

/* Paths are addresses of strings that were there before the actor was. */
#define LAB_PATH(path) ((long)(intptr_t)(path))
long deed_open_lock(const long *args);      /* path -> fd, which survives an exec */
long deed_flock(const long *args);          /* fd, operation */
long deed_flock_by_child(const long *args); /* fd, operation: as flock(1) does it for a shell */
long deed_ofd(const long *args);            /* fd, type, start, length, wait or not */
long deed_posix(const long *args);          /* the same */
long deed_service(const long *args);        /* uid -> pid of a service that holds all that the actor holds */
long deed_exec_service(const long *args);   /* the actor becomes the service, and answers no more */
long deed_background(
	const long *
		args); /* forks so many times: the last child's pid; it only waits, or becomes the service when asked */
long deed_map(const long *args);       /* fd: mapped, then closed */
long deed_new_pidns(const long *args); /* the next children live in a pid namespace of their own */

/* Whether this kernel can release locks, or only tell of them: where mappings cannot be looked at, before 5.13. */
bool lab_lock_may_release(const struct lab_daemon *daemon);
bool lab_lock_releases(
	struct lab_daemon *daemon); /* says "not on this kernel", and stops it, for a test that ends upon it */

/* Whether a lock on the file belongs to an open file of the process: told of the very descriptors, so never in doubt. */
bool lab_lock_has(pid_t pid, const char *path);

/* The locks on the file, from /proc/locks, which may miss one while others on the machine lock and unlock all the time.
 * The waiting ones are not counted. */
unsigned int lab_lock_count(const char *path);
unsigned int lab_lock_waiting(const char *path);
void lab_lock_wait_count(const char *path, unsigned int count);
void lab_lock_wait_waiting(const char *path, unsigned int count);

/* Events of the journal about the file. NULL is not asked. */
unsigned int lab_lock_events(const struct lab_daemon *daemon, const char *event, const char *reason, const char *path);
json_t *lab_lock_expect(struct lab_daemon *daemon, const char *event, const char *reason, const char *path);

/* A text of the event's evidence; "" when there is none. */
const char *lab_lock_evidence(const json_t *event, const char *name);

#endif
