/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_HZ 100 /* of every value in /proc, whatever CONFIG_HZ is */

uint64_t fl_start_ticks(uint64_t start_ns)
{
	return start_ns / (1000000000U / USER_HZ);
}

static int text_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int r;

	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	r = got < 0 ? -errno : 0;
	close(fd);
	if (r == 0)
		text[got] = 0;
	return r;
}

int fl_stat_runs(const char *stat, uint64_t start_ns)
{
	const char *after = strrchr(stat, ')'); /* a name may hold anything */
	unsigned long long started;
	long threads;
	char state;

	if (!after ||
	    sscanf(after + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
		   &state, &threads, &started) != 3)
		return -EPROTO;
	if (started != fl_start_ticks(start_ns))
		return 0;
	/* The first thread may have ended before the others. */
	return (state != 'Z' && state != 'X') || threads > 1;
}

int fl_process_runs(int32_t tgid, uint64_t start_ns)
{
	char path[32], text[1024];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", tgid);
	r = text_read(path, text, sizeof(text));
	if (r == -ENOENT || r == -ESRCH)
		return 0;
	return r < 0 ? r : fl_stat_runs(text, start_ns);
}

static bool call_takes_a_lock(long number)
{
	/* Also of 32-bit programs, whose numbers stand for calls here that never sleep. */
	static const long calls[] = {SYS_flock, SYS_fcntl, 143, 55, 221};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (number == calls[i])
			return true;
	return false;
}

enum fl_thread_state fl_syscall_state(const char *text)
{
	long number;

	if (sscanf(text, "%ld", &number) != 1) /* "running" */
		return FL_THREAD_UNKNOWN;
	return call_takes_a_lock(number) ? FL_THREAD_WAITS : FL_THREAD_ELSEWHERE;
}

enum fl_thread_state fl_thread_state(int32_t tid)
{
	char path[32], text[256];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	r = text_read(path, text, sizeof(text));
	if (r == -ENOENT || r == -ESRCH)
		return FL_THREAD_GONE;
	return r < 0 ? FL_THREAD_UNKNOWN : fl_syscall_state(text);
}

bool fl_any_thread_waits(int32_t tgid)
{
	const struct dirent *entry;
	bool waits = false;
	char path[32];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	tasks = opendir(path);
	while (tasks && !waits && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			waits = fl_thread_state(atoi(entry->d_name)) == FL_THREAD_WAITS;
	if (tasks)
		closedir(tasks);
	return waits;
}

static int link_read(const char *link, char *ret_path, size_t size)
{
	ssize_t length = readlink(link, ret_path, size);

	if (length < 0)
		return -errno;
	if ((size_t)length >= size)
		return -ENAMETOOLONG;
	ret_path[length] = 0;
	return 0;
}

int fl_descriptor_path(int32_t tgid, int32_t fd, char *ret_path, size_t size)
{
	char link[48];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", tgid, fd);
	return link_read(link, ret_path, size);
}

int fl_mapping_path(int32_t tgid, uint64_t start, char *ret_path, size_t size)
{
	char path[48], link[320], wanted[32];
	const struct dirent *entry;
	int r = -ENOENT;
	DIR *files;

	snprintf(path, sizeof(path), "/proc/%d/map_files", tgid);
	snprintf(wanted, sizeof(wanted), "%llx-", (unsigned long long)start);
	files = opendir(path);
	while (files && r == -ENOENT && (entry = readdir(files))) {
		if (strncmp(entry->d_name, wanted, strlen(wanted)) != 0)
			continue;
		snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		r = link_read(link, ret_path, size);
	}
	if (files)
		closedir(files);
	return r;
}
