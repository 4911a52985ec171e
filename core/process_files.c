/* SPDX-License-Identifier: Apache-2.0 */
#include "process_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "cleanup.h"
#include "procfs.h"

#define STAT_START_FIELD 20 /* behind the command's name, which may hold anything */

static int check_start(int dir_fd, uint64_t start_ticks)
{
	char text[1024];
	const char *at;
	int r = procfs_read(dir_fd, "stat", text, sizeof(text));

	if (r < 0)
		return r;
	at = strrchr(text, ')');
	for (int field = 0; at && field < STAT_START_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EIO;
	return start_ticks && strtoull(at + 1, NULL, 10) != start_ticks ? -ESRCH : 0;
}

static int read_limit(int dir_fd, uint64_t *ret_limit)
{
	static const char name[] = "\nMax open files";
	char text[4096];
	const char *at;
	char *end;
	int r = procfs_read(dir_fd, "limits", text, sizeof(text));

	if (r < 0)
		return r;
	at = strstr(text, name);
	if (!at)
		return -EIO;
	at += strlen(name);
	at += strspn(at, " ");
	if (strncmp(at, "unlimited", strlen("unlimited")) == 0) {
		*ret_limit = UINT64_MAX;
		return 0;
	}
	*ret_limit = strtoull(at, &end, 10);
	return end == at ? -EIO : 0;
}

static int count_one(int32_t number, void *arg)
{
	uint64_t *count = arg;

	(void)number;
	return ++*count == PROCESS_FILES_COUNT_MAX;
}

static int read_open(int dir_fd, uint64_t *ret_open)
{
	struct statfs system;
	struct stat status;
	uint64_t count = 0;
	int r;

	if (fstatat(dir_fd, "fd", &status, 0) < 0 || fstatfs(dir_fd, &system) < 0)
		return -errno;
	if (system.f_type == PROC_SUPER_MAGIC && status.st_size > 0) {
		*ret_open = (uint64_t)status.st_size;
		return 0;
	}
	r = procfs_each_number(dir_fd, "fd", count_one, &count); /* all but 0, which is open nearly always */
	if (r < 0)
		return r;
	*ret_open = count + (faccessat(dir_fd, "fd/0", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	return 0;
}

int process_files_read(const char *proc_path, int32_t pid, uint64_t start_ticks, struct process_files *ret_files)
{
	_cleanup_close_ int dir_fd = -1;
	struct process_files files;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%d", proc_path, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	/* The folder stays the process's: if it ends, what is read below fails, whoever gets the pid. */
	r = procfs_open(path, &dir_fd);
	if (r == 0)
		r = check_start(dir_fd, start_ticks);
	if (r == 0)
		r = read_limit(dir_fd, &files.limit);
	if (r == 0)
		r = read_open(dir_fd, &files.open);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	*ret_files = files;
	return 0;
}
