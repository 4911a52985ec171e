/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The circuit breaker of one plugin. It trips when reaping does harm or does not work: too many failures within a window,
 * or an owner that dies within the grace period after one of its resources was reaped (a write to a reset socket raises
 * SIGPIPE). It decides only; who trips it, tells it and watches the owners' pidfds.
 */
#ifndef CORE_BREAKER_H
#define CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_OWNERS_MAX 64     /* owners under watch at a time; the ones reaped from last */
#define BREAKER_FAILURES_MAX 1000 /* bound of the setting */

struct breaker_owner {
	int fd; /* the process's pidfd, the breaker's to close; -1: the place is free */
	int32_t pid;
	uint64_t start_ticks;
	uint64_t reaped_ns; /* the latest reaping; 0: none yet */
	char name[32];      /* for the message; bytes of the process's choice */
};

struct breaker {
	bool tripped;
	char reason[256];
	uint32_t failures_max; /* 0: failures never trip it */
	uint64_t window_ns, grace_ns;
	uint64_t failures[BREAKER_FAILURES_MAX]; /* when, a ring */
	uint32_t failure_next, failure_count;
	struct breaker_owner owners[BREAKER_OWNERS_MAX];
};

/* How a process ended, as far as the kernel tells a stranger. */
struct breaker_end {
	bool known;
	int status; /* as waitpid(2) gives it; only when known */
};

void breaker_init(struct breaker *breaker, uint32_t failures_max, uint64_t window_ns, uint64_t grace_ns);
void breaker_set(struct breaker *breaker, uint32_t failures_max, uint64_t window_ns, uint64_t grace_ns);

/* Closes the pidfds. NULL is no error. */
void breaker_fini(struct breaker *breaker);

/* One reaping failed. True when that trips it; `reason` then says why. */
bool breaker_failed(struct breaker *breaker, uint64_t now_ns);

/* Whether the process is under watch. */
bool breaker_owner_watched(const struct breaker *breaker, int32_t pid, uint64_t start_ticks);

/* One of its resources was reaped: the grace period begins (anew). Nothing happens when it is not under watch. */
void breaker_owner_reaped(struct breaker *breaker, int32_t pid, uint64_t start_ticks, uint64_t now_ns);

/*
 * Watches the process behind `fd` until the grace period is over. To be called before the reaping, or a quick death is
 * missed; with reaped_ns 0 nothing was reaped yet. Takes the pidfd. Returns the pidfd that had to give way (the caller
 * forgets and closes it), or -1.
 */
int breaker_owner_add(struct breaker *breaker, int fd, const struct breaker_owner *owner);

/*
 * The process behind `fd` ended. True when that trips it. The pidfd is no longer under watch and the caller's to close.
 * An orderly end (exit status 0) is no harm and does not trip.
 */
bool breaker_owner_died(struct breaker *breaker, int fd, struct breaker_end end, uint64_t now_ns);

/* Takes one pidfd whose grace is over out of the watch, for the caller to close; -1: none is left. */
int breaker_expired(struct breaker *breaker, uint64_t now_ns);

/* When the next grace period is over; CLOCK_NEVER when no owner is under watch. */
uint64_t breaker_next(const struct breaker *breaker);

/* Back to work: nothing counted. Owners stay under watch. */
void breaker_resume(struct breaker *breaker);

#endif
