/* SPDX-License-Identifier: Apache-2.0 */
/* Many ghosts at once: how they come to be, what the daemon answers meanwhile, and what it weighs. */
#ifndef TESTS_SYSTEM_LAB_STORM_H
#define TESTS_SYSTEM_LAB_STORM_H

#include <stdint.h>
#include <sys/types.h>

#include "lab.h"

/* Clients take their ports from here on, each once: a SYN from the port of a leaked connection would end that one. */
#define LAB_FARM_SOURCE_PORT 10000

/* port, count: as deed_leak_many(), but quickly, and of the clients nothing is left. At most one for a port and namespace. */
long deed_farm(const long *args);

/* No TIME_WAIT in the caller's network namespace: who makes many connections needs the ports, and not their cost. */
void lab_no_time_wait(void);

/* What is to come. */
struct lab_storm {
	long ghosts;      /* all that are to be reaped */
	long rate, burst; /* of the guard, since `begun_ns`: never more than that; rate 0 is not looked at */
	uint64_t begun_ns;
};

/* What came. */
struct lab_answers {
	unsigned int count, amid; /* answers; those that came while some were reaped and others were not */
	uint64_t longest_ns;      /* that one took */
	uint64_t took_ns;         /* from the beginning to the last reaping, as far as the answers tell */
};

/*
 * Asks for the status, again and again, until all are reaped; more than the rate allows fails the test. A process of its own
 * asks, on the control socket itself: this one reads the journal, for which the daemon waits.
 */
void lab_storm_watch(struct lab_daemon *daemon, const struct lab_storm *storm, struct lab_answers *ret_answers);

/* A field of /proc/PID/status: "VmHWM". */
long lab_status_kb(pid_t pid, const char *field);

#endif
