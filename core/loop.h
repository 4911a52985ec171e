/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one loop: epoll for descriptors, one timerfd for the earliest deadline, one signalfd. There is no polling
 * interval: with nothing ready and no deadline due, the process sleeps.
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void loop_fd_fn(int fd, uint32_t events, void *arg);
typedef void loop_signal_fn(int signal, void *arg);
typedef void loop_deadline_fn(void *arg);

/*
 * A moment at which something is due. The caller's memory; set `fn` and `arg`, then loop_deadline_add(). At the moment
 * (CLOCK_MONOTONIC) it is disarmed and fn(arg) called. A moment in the past, such as 0, is due in the next round, after
 * the descriptors that are ready: work in slices re-arms itself with 0 and starves nobody.
 */
struct loop_deadline {
	loop_deadline_fn *fn;
	void *arg;
	uint64_t
		when_ns; /* CLOCK_NEVER: not armed. Read it freely; it may be written at any time, from any callback. */
	uint64_t served; /* the loop's */
	struct loop_deadline *next;
};

int loop_new(struct loop **ret_loop);

/* Restores the signal mask. Watched descriptors stay the caller's. NULL is no error. */
void loop_free(struct loop *loop);

/* Blocks SIGHUP, SIGTERM, SIGINT and SIGUSR1 and hands them to `fn`, in the loop. Before any thread is started. */
int loop_signals(struct loop *loop, loop_signal_fn *fn, void *arg);

/* -EEXIST when it is watched already, else as epoll_ctl(2). */
int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *arg);

/* -ENOENT when it is not watched. No event of it is delivered afterwards, not even one that epoll has returned. */
int loop_unwatch(struct loop *loop, int fd);

void loop_deadline_add(struct loop *loop, struct loop_deadline *deadline);
void loop_deadline_remove(struct loop *loop, struct loop_deadline *deadline);

/* One round: sleeps until something is ready or due, serves it. -errno only when the loop itself is broken. */
int loop_round(struct loop *loop);

/* Rounds until loop_stop(). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
bool loop_stopped(const struct loop *loop);

/* How often the loop was woken up since it was made. */
uint64_t loop_wakeups(const struct loop *loop);

#endif
