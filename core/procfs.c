/* SPDX-License-Identifier: Apache-2.0 */
#include "procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"

#define NS_THREADS_MAX 16

int procfs_open(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int procfs_read(int dir_fd, const char *name, char *buffer, size_t size)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = 0;

	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		ssize_t got = read(fd, buffer + length, size - 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	buffer[length] = '\0';
	return (int)length;
}

static bool parse_number(const char *name, int32_t *ret_number)
{
	char *end;
	long number;

	if (name[0] < '1' || name[0] > '9')
		return false;
	errno = 0;
	number = strtol(name, &end, 10);
	if (errno || *end || number > INT32_MAX)
		return false;
	*ret_number = (int32_t)number;
	return true;
}

static void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int procfs_each_number(int dir_fd, const char *name, int (*fn)(int32_t number, void *arg), void *arg)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	steal_fd(&fd);
	while (errno = 0, (entry = readdir(dir))) {
		int32_t number;
		int result;

		if (!parse_number(entry->d_name, &number))
			continue;
		result = fn(number, arg);
		if (result)
			return result;
	}
	return -errno;
}

struct ns_search {
	int proc_fd;
	int32_t pid;
	const char *kind;
	char *path;
	struct stat *status;
	unsigned int tried;
};

static int try_thread(int32_t thread, void *arg)
{
	struct ns_search *search = arg;

	if (search->tried++ == NS_THREADS_MAX)
		return -ESRCH;
	snprintf(search->path, PROCFS_NS_PATH_SIZE, "%d/task/%d/ns/%s", search->pid, thread, search->kind);
	return fstatat(search->proc_fd, search->path, search->status, 0) == 0;
}

int procfs_ns(int proc_fd, int32_t pid, const char *kind, char ret_path[PROCFS_NS_PATH_SIZE], struct stat *ret_status)
{
	char path[PROCFS_NS_PATH_SIZE], folder[32];
	struct stat status;
	struct ns_search search = {proc_fd, pid, kind, path, &status, 0};
	int result;

	snprintf(path, sizeof(path), "%d/ns/%s", pid, kind);
	if (fstatat(proc_fd, path, &status, 0) < 0) {
		if (errno == EACCES || errno == EPERM)
			return -EACCES;
		snprintf(folder, sizeof(folder), "%d/task", pid);
		result = procfs_each_number(proc_fd, folder, try_thread, &search);
		if (result != 1)
			return -ESRCH;
	}
	snprintf(ret_path, PROCFS_NS_PATH_SIZE, "%s", path);
	*ret_status = status;
	return 0;
}
