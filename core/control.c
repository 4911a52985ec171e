/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "control_client.h"

#define NO_DESCRIPTOR_PAUSE_NS UINT64_C(1000000000)

struct control {
	char *path;
	control_answer answer;
	void *arg;
	int lock_fd, listen_fd, epoll_fd;
	bool bound;
	uint64_t paused_until_ns; /* not 0: accept() found no free descriptor, and the listener is not watched */
	struct control_client *clients[CONTROL_CLIENTS_MAX];
};

/* Makes the folder when it is missing. In one that others may write to, they could put a socket of their own. */
static int prepare_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == path ? 1 : (size_t)(slash - path);
	_cleanup_free_ char *folder = strndup(path, length);
	struct stat st;

	if (!folder)
		return -ENOMEM;
	if (mkdir(folder, 0755) && errno != EEXIST)
		return -errno;
	if (stat(folder, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
		return -EPERM;
	return st.st_uid == 0 || st.st_uid == geteuid() ? 0 : -EPERM;
}

/* Held for life and never removed: whoever removes a lock file lets two in. */
static int take_lock(const char *path, int *ret_fd)
{
	_cleanup_free_ char *lock_path = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (asprintf(&lock_path, "%s.lock", path) < 0) {
		lock_path = NULL;
		return -ENOMEM;
	}
	fd = open(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EEXIST;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Under the lock, a socket that stands there is left from a daemon that was killed. */
static int remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(path) ? -errno : 0;
}

static int listen_at(struct control *control)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int error;

	if (strlen(control->path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, control->path);
	error = remove_stale(control->path);
	if (error)
		return error;
	control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (control->listen_fd < 0)
		return -errno;
	/* The socket is born closed to others: a chmod() afterwards would leave a gap. */
	mask = umask(0177);
	error = bind(control->listen_fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (error)
		return error;
	control->bound = true;
	return listen(control->listen_fd, CONTROL_CLIENTS_MAX) ? -errno : 0;
}

static int watch_listener(struct control *control)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

	return epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, control->listen_fd, &event) ? -errno : 0;
}

static int start(struct control *control)
{
	int error = prepare_folder(control->path);

	if (!error)
		error = take_lock(control->path, &control->lock_fd);
	if (!error)
		error = listen_at(control);
	if (error)
		return error;
	control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return control->epoll_fd < 0 ? -errno : watch_listener(control);
}

int control_open(const char *path, control_answer answer, void *arg, struct control **ret_control)
{
	struct control *control;
	int error;

	if (path[0] != '/')
		return -EINVAL;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	control->lock_fd = control->listen_fd = control->epoll_fd = -1;
	control->answer = answer;
	control->arg = arg;
	control->path = strdup(path);
	error = control->path ? start(control) : -ENOMEM;
	if (error) {
		control_close(control);
		return error;
	}
	*ret_control = control;
	return 0;
}

static void drop_client(struct control *control, size_t i)
{
	control_client_free(control->clients[i]);
	control->clients[i] = NULL;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		drop_client(control, i);
	if (control->bound)
		unlink(control->path);
	cleanup_close(&control->epoll_fd);
	cleanup_close(&control->listen_fd);
	cleanup_close(&control->lock_fd);
	free(control->path);
	free(control);
}

int control_fd(const struct control *control)
{
	return control->epoll_fd;
}

uint64_t control_deadline_ns(const struct control *control)
{
	uint64_t earliest = control->paused_until_ns ? control->paused_until_ns : UINT64_MAX;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		uint64_t deadline = control->clients[i] ? control_client_deadline_ns(control->clients[i]) : UINT64_MAX;

		if (deadline < earliest)
			earliest = deadline;
	}
	return earliest;
}

/* A free place; when there is none, that of the client that is quiet for longest. */
static size_t make_place(struct control *control)
{
	size_t quietest = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (!control->clients[i])
			return i;
		if (control->clients[i]->progress_ns < control->clients[quietest]->progress_ns)
			quietest = i;
	}
	drop_client(control, quietest);
	return quietest;
}

static void watch_client(struct control *control, size_t i, int operation)
{
	struct control_client *client = control->clients[i];
	struct epoll_event event = {.events = control_client_events(client), .data.ptr = client};

	if (epoll_ctl(control->epoll_fd, operation, client->fd, &event))
		drop_client(control, i);
}

static void serve(struct control *control, size_t i, uint64_t now_ns)
{
	uint32_t events = control_client_events(control->clients[i]);

	if (control_client_serve(control->clients[i], control->answer, control->arg, now_ns))
		drop_client(control, i);
	else if (control_client_events(control->clients[i]) != events)
		watch_client(control, i, EPOLL_CTL_MOD);
}

/* No descriptor is free: an epoll that goes on reporting the listener would spin. */
static void pause_listener(struct control *control, uint64_t now_ns)
{
	epoll_ctl(control->epoll_fd, EPOLL_CTL_DEL, control->listen_fd, NULL);
	control->paused_until_ns = now_ns + NO_DESCRIPTOR_PAUSE_NS;
}

/* As many as there are places: whoever floods the socket does not keep the daemon from its work. */
static void accept_clients(struct control *control, uint64_t now_ns)
{
	for (int count = 0; count < CONTROL_CLIENTS_MAX; count++) {
		int fd = accept4(control->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		size_t i;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
				pause_listener(control, now_ns);
			return;
		}
		i = make_place(control);
		if (control_client_new(fd, now_ns, &control->clients[i])) {
			close(fd);
			return;
		}
		watch_client(control, i, EPOLL_CTL_ADD);
		/* Its request is there already when the daemon was busy: it need not wait for another turn. */
		if (control->clients[i])
			serve(control, i, now_ns);
	}
}

static void serve_ready(struct control *control, const struct control_client *client, uint64_t now_ns)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i] == client) {
			serve(control, i, now_ns);
			return;
		}
	}
}

void control_dispatch(struct control *control, uint64_t now_ns)
{
	struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
	int count = epoll_wait(control->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);
	bool accepting = false;

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			serve_ready(control, events[i].data.ptr, now_ns);
		else
			accepting = true;
	}
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i] && control_client_deadline_ns(control->clients[i]) <= now_ns)
			drop_client(control, i);
	}
	/* Last, so that no client that is reported above has got a new one's place and address meanwhile. */
	if (accepting)
		accept_clients(control, now_ns);
	if (control->paused_until_ns && control->paused_until_ns <= now_ns) {
		control->paused_until_ns = 0;
		watch_listener(control);
	}
}
