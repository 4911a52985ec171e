/* SPDX-License-Identifier: Apache-2.0 */
#include "ns_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <eghostbuster/plugin.h>

#include "cleanup.h"
#include "namespace.h"

struct home {
	int fd;
	uint64_t inode;
};

struct job {
	int ns_fd;
	uint32_t kind;
	uint64_t inode;
	int (*fn)(void *arg);
	void *arg;
	int result;
};

struct ns_worker {
	struct home homes[GB_NS_IPC + 1];
	pthread_t thread;
	/* Not a condition variable: that of glibc before 2.41 may lose a wake-up (its bug 25847), and the daemon hangs. */
	sem_t given, done;
	struct job *job; /* what was given; NULL: to stop */
	bool running;
};

/* Where the calling thread is now; 0 when that cannot be told. */
static uint64_t here(uint32_t kind)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", namespace_kind_name(kind));
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

static void go_home(const struct ns_worker *worker, uint32_t kind)
{
	const struct home *home = &worker->homes[kind];

	if (here(kind) == home->inode)
		return;
	if (setns(home->fd, namespace_kind_flag(kind)) == 0 && here(kind) == home->inode)
		return;
	fprintf(stderr,
		"ghostbuster: cannot leave a foreign %s namespace (%s): aborting, because nothing may go on in the "
		"wrong namespace; please report this\n",
		namespace_kind_name(kind), strerror(errno));
	abort();
}

static int visit(const struct ns_worker *worker, const struct job *job)
{
	int result;

	if (setns(job->ns_fd, namespace_kind_flag(job->kind)) < 0)
		return -errno;
	if (here(job->kind) == job->inode)
		result = job->fn(job->arg);
	else
		result = -ESRCH;
	go_home(worker, job->kind);
	return result;
}

static void take(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0 && errno == EINTR)
		;
}

static void *work(void *arg)
{
	struct ns_worker *worker = arg;

	for (;;) {
		take(&worker->given);
		if (!worker->job)
			return NULL;
		worker->job->result = visit(worker, worker->job);
		sem_post(&worker->done);
	}
}

/* The new thread inherits a mask with every signal blocked: they belong to the main loop's signalfd. */
static int start(struct ns_worker *worker)
{
	sigset_t all, saved;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	error = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	worker->running = !error;
	return -error;
}

int ns_worker_new(struct ns_worker **ret_worker)
{
	struct ns_worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return -ENOMEM;
	sem_init(&worker->given, 0, 0);
	sem_init(&worker->done, 0, 0);
	for (uint32_t kind = 0; kind <= GB_NS_IPC; kind++)
		worker->homes[kind].fd = -1;
	for (uint32_t kind = GB_NS_NET; kind <= GB_NS_IPC; kind++) {
		struct home *home = &worker->homes[kind];
		char path[64];
		int result;

		snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", namespace_kind_name(kind));
		home->fd = open(path, O_RDONLY | O_CLOEXEC);
		result = home->fd < 0 ? -errno : namespace_inode(kind, home->fd, &home->inode);
		if (result < 0) {
			ns_worker_free(worker);
			return result;
		}
	}
	*ret_worker = worker;
	return 0;
}

void ns_worker_stop(struct ns_worker *worker)
{
	if (!worker->running)
		return;
	worker->job = NULL;
	sem_post(&worker->given);
	pthread_join(worker->thread, NULL);
	worker->running = false;
}

void ns_worker_free(struct ns_worker *worker)
{
	if (!worker)
		return;
	ns_worker_stop(worker);
	for (uint32_t kind = 0; kind <= GB_NS_IPC; kind++)
		cleanup_close(&worker->homes[kind].fd);
	sem_destroy(&worker->given);
	sem_destroy(&worker->done);
	free(worker);
}

int ns_worker_run(struct ns_worker *worker, int ns_fd, uint32_t kind, int (*fn)(void *arg), void *arg)
{
	struct job job = {.ns_fd = ns_fd, .kind = kind, .fn = fn, .arg = arg};
	int result = namespace_inode(kind, ns_fd, &job.inode);

	if (result < 0)
		return result;
	if (worker->running && pthread_equal(pthread_self(), worker->thread))
		return -EDEADLK;
	if (!worker->running) {
		result = start(worker);
		if (result < 0)
			return result;
	}
	worker->job = &job;
	sem_post(&worker->given);
	take(&worker->done);
	return job.result;
}
