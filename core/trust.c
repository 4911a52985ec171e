/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "refusal.h"

#define LINKS_MAX 40 /* as the kernel */
#define PART_SIZE (NAME_MAX + 2)

struct walk {
	uid_t owner;
	int folder_fd;
	char reached[PATH_MAX]; /* the path of folder_fd, free of links; "" is the root */
	char rest[PATH_MAX];    /* what is still to be walked */
	unsigned int links;
	char **ret_refusal;
};

static bool is_owner_trusted(const struct stat *stat, uid_t owner)
{
	return stat->st_uid == 0 || stat->st_uid == owner;
}

static int refuse_owner(const char *path, const char *kind, const struct stat *stat, uid_t owner, char **ret_refusal)
{
	bool chown = !is_owner_trusted(stat, owner), chmod = stat->st_mode & 022 && !S_ISLNK(stat->st_mode);
	char user[32], chown_text[PATH_MAX + 64] = "", chmod_text[PATH_MAX + 32] = "";

	snprintf(user, sizeof(user), owner ? "%u" : "root:root", owner);
	if (chown)
		snprintf(chown_text, sizeof(chown_text), "chown -h %s %s", user, path);
	if (chmod)
		snprintf(chmod_text, sizeof(chmod_text), "chmod go-w %s", path);
	return refuse(
		ret_refusal, -EACCES,
		"%s: this %s is owned by uid %u and has mode %04o, want uid %u and no write permission for group and "
		"others: check what it holds, then run %s%s%s",
		path, kind, stat->st_uid, stat->st_mode & 07777, owner, chown_text, chown && chmod ? " && " : "",
		chmod_text);
}

static int check_folder(const char *path, const struct stat *stat, uid_t owner, char **ret_refusal)
{
	/* In a sticky folder only the owner of an entry may exchange it, and the owner of each entry is checked. */
	if (is_owner_trusted(stat, owner) && (!(stat->st_mode & 022) || stat->st_mode & S_ISVTX))
		return 0;
	return refuse_owner(*path ? path : "/", "folder", stat, owner, ret_refusal);
}

/*
 * Moves the first part of `rest` into `ret_part`; false when none is left. A part that is too long is cut where it is
 * still too long for openat() to find it.
 */
static bool take_part(struct walk *walk, char ret_part[PART_SIZE])
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(start, "/");

	if (length == 0)
		return false;
	snprintf(ret_part, PART_SIZE, "%.*s", (int)length, start);
	start += length;
	start += strspn(start, "/");
	memmove(walk->rest, start, strlen(start) + 1);
	return true;
}

static int join_path(const char *folder, const char *part, char ret_path[PATH_MAX], char **ret_refusal)
{
	if (snprintf(ret_path, PATH_MAX, "%s/%s", folder, part) >= PATH_MAX)
		return refuse(ret_refusal, -ENAMETOOLONG, "%s/%s: this path is longer than %d bytes: use a shorter one",
			      folder, part, PATH_MAX - 1);
	return 0;
}

static int enter_root(struct walk *walk)
{
	struct stat stat;

	cleanup_close(&walk->folder_fd);
	walk->reached[0] = '\0';
	walk->folder_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (walk->folder_fd < 0 || fstat(walk->folder_fd, &stat) < 0)
		return refuse(walk->ret_refusal, -errno, "/: cannot open: %s", strerror(errno));
	return check_folder("/", &stat, walk->owner, walk->ret_refusal);
}

static int enter_folder(struct walk *walk, int *fd, const char *part, const char *path, const struct stat *stat)
{
	int error = check_folder(path, stat, walk->owner, walk->ret_refusal);
	char *slash;

	if (error < 0)
		return error;
	close(walk->folder_fd);
	walk->folder_fd = steal_fd(fd);
	if (strcmp(part, "..") == 0) {
		if ((slash = strrchr(walk->reached, '/')))
			*slash = '\0';
	} else if (strcmp(part, ".") != 0)
		memcpy(walk->reached, path, strlen(path) + 1);
	return 0;
}

/* Puts a link's target in front of what is left to walk. */
static int follow_link(struct walk *walk, int fd, const char *path, const struct stat *stat)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length;

	if (!is_owner_trusted(stat, walk->owner))
		return refuse_owner(path, "symbolic link", stat, walk->owner, walk->ret_refusal);
	if (++walk->links > LINKS_MAX)
		return refuse(walk->ret_refusal, -ELOOP,
			      "%s: more than %d symbolic links on the way, want fewer: give the path without links",
			      path, LINKS_MAX);
	length = readlinkat(fd, "", target, sizeof(target) - 1);
	if (length < 0)
		return refuse(walk->ret_refusal, -errno, "%s: cannot read the link: %s", path, strerror(errno));
	target[length] = '\0';
	memcpy(rest, walk->rest, sizeof(rest));
	if (join_path(target, rest, walk->rest, walk->ret_refusal) < 0)
		return -ENAMETOOLONG;
	return target[0] == '/' ? enter_root(walk) : 0;
}

static int walk_part(struct walk *walk, const char *part)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat stat;
	int error = join_path(walk->reached, part, path, walk->ret_refusal);

	if (error < 0)
		return error;
	fd = openat(walk->folder_fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return refuse(walk->ret_refusal, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (S_ISLNK(stat.st_mode))
		return follow_link(walk, fd, path, &stat);
	if (!S_ISDIR(stat.st_mode))
		return refuse(walk->ret_refusal, -ENOTDIR, "%s: not a folder, want a folder: correct the path", path);
	return enter_folder(walk, &fd, part, path, &stat);
}

/* Walks to the end of `path`; with `ret_last`, to the folder of its last part, which is then returned. */
static int walk_path(struct walk *walk, const char *path, char *ret_last)
{
	char part[PART_SIZE], here[PATH_MAX] = "";
	int error;

	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		return refuse(walk->ret_refusal, -errno, "%s: cannot tell the current folder: %s: use a path from /",
			      path, strerror(errno));
	error = join_path(here, path, walk->rest, walk->ret_refusal);
	if (error == 0)
		error = enter_root(walk);
	while (error == 0 && take_part(walk, part)) {
		if (ret_last && walk->rest[0] == '\0') {
			memcpy(ret_last, part, sizeof(part));
			return 0;
		}
		error = walk_part(walk, part);
	}
	if (error == 0 && ret_last)
		error = refuse(walk->ret_refusal, -EISDIR, "%s: a folder, want a file: correct the path", path);
	return error;
}

int trust_open_in(int folder_fd, const char *folder, const char *name, uid_t owner, int *ret_fd, char **ret_refusal)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat stat;
	int error = join_path(strcmp(folder, "/") == 0 ? "" : folder, name, path, ret_refusal);

	if (error < 0)
		return error;
	if (strchr(name, '/'))
		return refuse(ret_refusal, -EINVAL, "%s: \"%s\" is no file name, want one without a slash", path, name);
	/* O_NONBLOCK: a FIFO does not wait for its writer. It means nothing to a regular file. */
	fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return refuse(ret_refusal, -ELOOP,
			      "%s: a symbolic link, want the file itself: put the file there in place of the link",
			      path);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return refuse(ret_refusal, -errno, "%s: cannot open: %s", path, strerror(errno));
	if (!S_ISREG(stat.st_mode))
		return refuse(ret_refusal, S_ISDIR(stat.st_mode) ? -EISDIR : -EACCES,
			      "%s: %s, want a regular file: correct the path", path,
			      S_ISDIR(stat.st_mode) ? "a folder" : "not a regular file");
	if (!is_owner_trusted(&stat, owner) || stat.st_mode & 022)
		return refuse_owner(path, "file", &stat, owner, ret_refusal);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int trust_open_file(const char *path, uid_t owner, int *ret_fd, char **ret_refusal)
{
	struct walk walk = {.owner = owner, .folder_fd = -1, .ret_refusal = ret_refusal};
	char last[PART_SIZE];
	int error = walk_path(&walk, path, last);

	if (error == 0)
		error = trust_open_in(walk.folder_fd, walk.reached, last, owner, ret_fd, ret_refusal);
	cleanup_close(&walk.folder_fd);
	return error;
}

int trust_open_folder(const char *path, uid_t owner, int *ret_fd, char **ret_refusal)
{
	struct walk walk = {.owner = owner, .folder_fd = -1, .ret_refusal = ret_refusal};
	int fd, error = walk_path(&walk, path, NULL);

	if (error == 0) {
		fd = openat(walk.folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			error = refuse(ret_refusal, -errno, "%s: cannot read the folder: %s", path, strerror(errno));
		else
			*ret_fd = fd;
	}
	cleanup_close(&walk.folder_fd);
	return error;
}
