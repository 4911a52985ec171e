/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"

#define EVENTS_MAX 32
#define SECOND_NS UINT64_C(1000000000)

struct watch {
	int fd;
	bool dead; /* unwatched in this round: freed at its end, an event that epoll has returned may point here */
	loop_fd_fn *fn;
	void *arg;
	struct watch *next;
};

struct loop {
	int epoll, timer, signals;
	bool stopped;
	uint64_t armed_ns; /* what the timer is set to; CLOCK_NEVER: off */
	uint64_t wakeups, round;
	struct watch *watches;
	struct loop_deadline *deadlines;
	loop_signal_fn *signal_fn;
	void *signal_arg;
	sigset_t old_mask;
};

static void timer_ready(int fd, uint32_t events, void *arg)
{
	struct loop *loop = arg;
	uint64_t expirations;

	(void)events;
	if (read(fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		loop->armed_ns = CLOCK_NEVER;
}

static void signal_ready(int fd, uint32_t events, void *arg)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == sizeof(info))
		loop->signal_fn((int)info.ssi_signo, loop->signal_arg);
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->armed_ns = CLOCK_NEVER;
	loop->signals = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	r = loop->epoll < 0 || loop->timer < 0 ? -errno : loop_watch(loop, loop->timer, EPOLLIN, timer_ready, loop);
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

static void free_watches(struct loop *loop, bool all)
{
	struct watch **link = &loop->watches;

	while (*link) {
		struct watch *watch = *link;

		if (!all && !watch->dead) {
			link = &watch->next;
			continue;
		}
		*link = watch->next;
		free(watch);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free_watches(loop, true);
	if (loop->signals >= 0) {
		close(loop->signals);
		sigprocmask(SIG_SETMASK, &loop->old_mask, NULL);
	}
	if (loop->timer >= 0)
		close(loop->timer);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop);
}

int loop_signals(struct loop *loop, loop_signal_fn *fn, void *arg)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &mask, &loop->old_mask) < 0)
		return -errno;
	loop->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signals < 0)
		return -errno;
	loop->signal_fn = fn;
	loop->signal_arg = arg;
	return loop_watch(loop, loop->signals, EPOLLIN, signal_ready, loop);
}

static struct watch *find_watch(struct loop *loop, int fd)
{
	for (struct watch *watch = loop->watches; watch; watch = watch->next)
		if (watch->fd == fd && !watch->dead)
			return watch;
	return NULL;
}

int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	_cleanup_free_ struct watch *watch = NULL;

	if (find_watch(loop, fd))
		return -EEXIST;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){.fd = fd, .fn = fn, .arg = arg, .next = loop->watches};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = events, .data.ptr = watch}) < 0)
		return -errno;
	loop->watches = steal_pointer(watch);
	return 0;
}

int loop_unwatch(struct loop *loop, int fd)
{
	struct watch *watch = find_watch(loop, fd);

	if (!watch)
		return -ENOENT;
	watch->dead = true;
	/* Closed before it was unwatched: epoll has dropped it by itself. */
	if (epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL) < 0 && errno != EBADF && errno != ENOENT)
		return -errno;
	return 0;
}

void loop_deadline_add(struct loop *loop, struct loop_deadline *deadline)
{
	deadline->when_ns = CLOCK_NEVER;
	deadline->next = loop->deadlines;
	loop->deadlines = deadline;
}

void loop_deadline_remove(struct loop *loop, struct loop_deadline *deadline)
{
	for (struct loop_deadline **link = &loop->deadlines; *link; link = &(*link)->next)
		if (*link == deadline) {
			*link = deadline->next;
			deadline->when_ns = CLOCK_NEVER;
			return;
		}
}

/* The earliest armed one that was not served in round `round`; NULL when there is none. */
static struct loop_deadline *earliest(struct loop *loop, uint64_t round)
{
	struct loop_deadline *first = NULL;

	for (struct loop_deadline *deadline = loop->deadlines; deadline; deadline = deadline->next)
		if (deadline->when_ns != CLOCK_NEVER && (!round || deadline->served != round) &&
		    (!first || deadline->when_ns < first->when_ns))
			first = deadline;
	return first;
}

static int arm(struct loop *loop, uint64_t when_ns)
{
	struct itimerspec at = {0};

	if (when_ns == loop->armed_ns)
		return 0;
	if (when_ns != CLOCK_NEVER) {
		at.it_value.tv_sec = (time_t)(when_ns / SECOND_NS);
		at.it_value.tv_nsec = (long)(when_ns % SECOND_NS);
	}
	if (timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		return -errno;
	loop->armed_ns = when_ns;
	return 0;
}

/* Each deadline that is due, once: what re-arms itself with 0 waits for the next round. */
static void serve_deadlines(struct loop *loop)
{
	uint64_t now_ns = clock_now_ns();
	struct loop_deadline *due;

	loop->round++;
	while ((due = earliest(loop, loop->round)) && due->when_ns <= now_ns) {
		due->served = loop->round;
		due->when_ns = CLOCK_NEVER;
		due->fn(due->arg);
	}
}

int loop_round(struct loop *loop)
{
	struct loop_deadline *first = earliest(loop, 0);
	struct epoll_event events[EVENTS_MAX];
	bool due = first && first->when_ns <= clock_now_ns();
	int count, r;

	if (!due) {
		r = arm(loop, first ? first->when_ns : CLOCK_NEVER);
		if (r < 0)
			return r;
	}
	count = epoll_wait(loop->epoll, events, EVENTS_MAX, due ? 0 : -1);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	loop->wakeups += !due;
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		if (!watch->dead)
			watch->fn(watch->fd, events[i].events, watch->arg);
	}
	free_watches(loop, false);
	serve_deadlines(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int r = 0;

	while (!loop->stopped && r == 0)
		r = loop_round(loop);
	return r;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

bool loop_stopped(const struct loop *loop)
{
	return loop->stopped;
}

uint64_t loop_wakeups(const struct loop *loop)
{
	return loop->wakeups;
}
