/* SPDX-License-Identifier: Apache-2.0 */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "units.h"

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "of an unknown kind";
	}
}

int config_file_judge(const char *path, const struct stat *stat, uid_t euid, struct problems *problems)
{
	char size[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];

	if (!S_ISREG(stat->st_mode))
		problems_add(problems, path, 0, "is %s, want a regular file", kind_of(stat->st_mode));
	else if (stat->st_uid != 0 && stat->st_uid != euid)
		problems_add(problems, path, 0, "belongs to uid %u, want root: chown root %s", stat->st_uid, path);
	else if (stat->st_mode & (S_IWGRP | S_IWOTH))
		problems_add(problems, path, 0, "may be written by others than its owner (mode %04o): chmod go-w %s",
			     stat->st_mode & 07777, path);
	else if (stat->st_size > CONFIG_FILE_MAX)
		problems_add(problems, path, 0, "is %s large, want at most %s",
			     size_format((uint64_t)stat->st_size, size, sizeof(size)),
			     size_format(CONFIG_FILE_MAX, max, sizeof(max)));
	else
		return 0;
	return -EINVAL;
}

/* At most `max` bytes, to the end of the file: it may have grown since stat(2). */
static ssize_t read_whole(int fd, char *buf, size_t max)
{
	size_t used = 0;

	while (used < max) {
		ssize_t got = read(fd, buf + used, max - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

int config_file_read(const char *path, struct problems *problems, char **ret_text, size_t *ret_size)
{
	/* O_NONBLOCK: a FIFO without a writer would keep open(2) waiting for ever. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat stat;
	ssize_t size;
	int rc;

	if (fd < 0) {
		problems_add(problems, path, 0,
			     errno == ENOENT ? "%s: create it, or name another file with -c FILE" : "cannot open: %s",
			     strerror(errno));
		return -EINVAL;
	}
	if (fstat(fd, &stat) < 0) {
		problems_add(problems, path, 0, "cannot stat: %s", strerror(errno));
		return -EINVAL;
	}
	rc = config_file_judge(path, &stat, geteuid(), problems);
	if (rc < 0)
		return rc;
	text = malloc(CONFIG_FILE_MAX + 2);
	if (!text)
		return -ENOMEM;
	size = read_whole(fd, text, CONFIG_FILE_MAX + 1);
	if (size < 0 || size > CONFIG_FILE_MAX) {
		problems_add(problems, path, 0, "cannot read: %s",
			     size < 0 ? strerror((int)-size) : "it grew beyond 1M meanwhile");
		return -EINVAL;
	}
	text[size] = '\0';
	*ret_text = steal_pointer(text);
	*ret_size = (size_t)size;
	return 0;
}
