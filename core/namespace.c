/* SPDX-License-Identifier: Apache-2.0 */
#include "namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <uthash.h>

#include "cleanup.h"
#include "procfs.h"

/* Where a namespace was seen last. */
struct hint {
	uint64_t inode;
	int32_t pid;             /* 0: by name */
	char name[NAME_MAX + 1]; /* under the run path */
	UT_hash_handle hh;
};

struct namespaces {
	int proc_fd;
	char *run_path;
	dev_t device; /* of nsfs: there is one a kernel */
	struct hint *kinds[GB_NS_IPC + 1];
};

const char *namespace_kind_name(uint32_t kind)
{
	switch (kind) {
	case GB_NS_NET:
		return "net";
	case GB_NS_IPC:
		return "ipc";
	}
	return NULL;
}

int namespace_kind_flag(uint32_t kind)
{
	switch (kind) {
	case GB_NS_NET:
		return CLONE_NEWNET;
	case GB_NS_IPC:
		return CLONE_NEWIPC;
	}
	return 0;
}

static void hints_free(struct hint **hints)
{
	struct hint *hint, *next;

	HASH_ITER (hh, *hints, hint, next) {
		HASH_DEL(*hints, hint);
		free(hint);
	}
}

int namespaces_new(const char *proc_path, const char *run_path, struct namespaces **ret_namespaces)
{
	struct namespaces *namespaces;
	struct stat status;
	int result;

	/* Always the real one: it is the kernel's nsfs that is asked for. */
	if (stat("/proc/self/ns/net", &status) < 0)
		return -errno;
	namespaces = calloc(1, sizeof(*namespaces));
	if (!namespaces)
		return -ENOMEM;
	namespaces->device = status.st_dev;
	namespaces->proc_fd = -1;
	namespaces->run_path = strdup(run_path);
	result = namespaces->run_path ? procfs_open(proc_path, &namespaces->proc_fd) : -ENOMEM;
	if (result < 0) {
		namespaces_free(namespaces);
		return result;
	}
	*ret_namespaces = namespaces;
	return 0;
}

void namespaces_free(struct namespaces *namespaces)
{
	if (!namespaces)
		return;
	for (size_t kind = 0; kind < GB_COUNT(namespaces->kinds); kind++)
		hints_free(&namespaces->kinds[kind]);
	if (namespaces->proc_fd >= 0)
		close(namespaces->proc_fd);
	free(namespaces->run_path);
	free(namespaces);
}

/* ---- The walk ---- */

struct walk {
	const struct namespaces *namespaces;
	const char *kind;
	struct hint *found;
	uint64_t wanted; /* stop at this inode; 0: collect all */
};

/* 0 to go on, 1 when the wanted one is found, -errno. The first hint to a namespace is kept. */
static int walk_add(struct walk *walk, const struct stat *status, int32_t pid, const char *name)
{
	uint64_t inode = status->st_ino;
	struct hint *hint;

	if (status->st_dev != walk->namespaces->device || (walk->wanted && inode != walk->wanted))
		return 0;
	HASH_FIND(hh, walk->found, &inode, sizeof(inode), hint);
	if (hint)
		return 0;
	if (HASH_COUNT(walk->found) >= NAMESPACE_COUNT_MAX)
		return -E2BIG;
	hint = calloc(1, sizeof(*hint));
	if (!hint)
		return -ENOMEM;
	hint->inode = inode;
	hint->pid = pid;
	snprintf(hint->name, sizeof(hint->name), "%s", name);
	HASH_ADD(hh, walk->found, inode, sizeof(hint->inode), hint);
	return walk->wanted != 0;
}

static int walk_pid(int32_t pid, void *arg)
{
	struct walk *walk = arg;
	char path[PROCFS_NS_PATH_SIZE];
	struct stat status;

	/* Gone meanwhile, or not ours to see. */
	if (procfs_ns(walk->namespaces->proc_fd, pid, walk->kind, path, &status) < 0)
		return 0;
	return walk_add(walk, &status, pid, "");
}

static int walk_names(struct walk *walk)
{
	DIR *dir = opendir(walk->namespaces->run_path);
	struct dirent *entry;
	int result = 0;

	/* Mostly there is none. */
	if (!dir)
		return 0;
	while (!result && (entry = readdir(dir))) {
		struct stat status;

		if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &status, 0) == 0)
			result = walk_add(walk, &status, 0, entry->d_name);
	}
	closedir(dir);
	return result;
}

/* Collects into walk->found, which is the caller's to free also on failure. */
static int walk_all(struct walk *walk, uint32_t kind)
{
	int result = kind == GB_NS_NET && walk->wanted ? walk_names(walk) : 0;

	if (!result)
		result = procfs_each_number(walk->namespaces->proc_fd, ".", walk_pid, walk);
	if (!result && kind == GB_NS_NET && !walk->wanted)
		result = walk_names(walk);
	return result;
}

int namespace_each(struct namespaces *namespaces, uint32_t kind, int (*fn)(const struct gb_ns *ns, void *arg),
		   void *arg)
{
	struct walk walk = {.namespaces = namespaces, .kind = namespace_kind_name(kind)};
	struct hint *hint, *next;
	struct gb_ns *list;
	size_t count = 0;
	int result;

	if (!walk.kind)
		return -EINVAL;
	result = walk_all(&walk, kind);
	if (result < 0) {
		hints_free(&walk.found);
		return result;
	}
	hints_free(&namespaces->kinds[kind]);
	namespaces->kinds[kind] = walk.found;
	/* A copy, because `fn` may open namespaces, and that changes the hints. */
	list = calloc(HASH_COUNT(walk.found) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	HASH_ITER (hh, walk.found, hint, next)
		list[count++] = (struct gb_ns){.kind = kind, .pid = hint->pid, .inode = hint->inode, .socket_fd = -1};
	for (size_t i = 0; i < count && !result; i++)
		result = fn(&list[i], arg);
	free(list);
	return result;
}

/* ---- Opening ---- */

int namespace_inode(uint32_t kind, int ns_fd, uint64_t *ret_inode)
{
	struct statfs file_system;
	struct stat status;

	if (fstatfs(ns_fd, &file_system) < 0 || fstat(ns_fd, &status) < 0)
		return -errno;
	if (file_system.f_type != NSFS_MAGIC || !namespace_kind_name(kind) ||
	    ioctl(ns_fd, NS_GET_NSTYPE) != namespace_kind_flag(kind))
		return -EINVAL;
	*ret_inode = status.st_ino;
	return 0;
}

/* Opens nothing but nsfs files: O_PATH looks first, so that a FIFO or a device in its place has no effect. */
static int open_nsfs(int dir_fd, const char *path, int *ret_fd)
{
	_cleanup_close_ int look_fd = openat(dir_fd, path, O_PATH | O_CLOEXEC);
	struct statfs file_system;
	char again[64];
	int fd;

	if (look_fd < 0 || fstatfs(look_fd, &file_system) < 0)
		return -errno;
	if (file_system.f_type != NSFS_MAGIC)
		return -EINVAL;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", look_fd);
	fd = open(again, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static bool open_exactly(int dir_fd, const char *path, const struct gb_ns *ns, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	uint64_t inode;

	if (open_nsfs(dir_fd, path, &fd) < 0 || namespace_inode(ns->kind, fd, &inode) < 0 || inode != ns->inode)
		return false;
	*ret_fd = steal_fd(&fd);
	return true;
}

static bool open_by_pid(const struct namespaces *namespaces, int32_t pid, const struct gb_ns *ns, int *ret_fd)
{
	char path[PROCFS_NS_PATH_SIZE];
	struct stat status;

	return pid > 0 && procfs_ns(namespaces->proc_fd, pid, namespace_kind_name(ns->kind), path, &status) == 0 &&
	       status.st_ino == ns->inode && open_exactly(namespaces->proc_fd, path, ns, ret_fd);
}

/*
 * A process may hold a socket of a namespace that it has left. Anything but a socket is let alone: the number of the
 * request may mean something else to a device.
 */
static bool open_by_socket(const struct gb_ns *ns, int *ret_fd)
{
	_cleanup_close_ int pid_fd = -1, socket_fd = -1, fd = -1;
	struct stat status;
	uint64_t inode;

	if (ns->kind != GB_NS_NET || ns->pid <= 0 || ns->socket_fd < 0)
		return false;
	pid_fd = (int)syscall(SYS_pidfd_open, ns->pid, 0);
	if (pid_fd < 0)
		return false;
	socket_fd = (int)syscall(SYS_pidfd_getfd, pid_fd, ns->socket_fd, 0);
	if (socket_fd < 0 || fstat(socket_fd, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = ioctl(socket_fd, SIOCGSKNS);
	if (fd < 0 || namespace_inode(ns->kind, fd, &inode) < 0 || inode != ns->inode)
		return false;
	*ret_fd = steal_fd(&fd);
	return true;
}

static bool open_by_hint(const struct namespaces *namespaces, const struct hint *hint, const struct gb_ns *ns,
			 int *ret_fd)
{
	char path[PATH_MAX];

	if (hint->pid)
		return open_by_pid(namespaces, hint->pid, ns, ret_fd);
	return snprintf(path, sizeof(path), "%s/%s", namespaces->run_path, hint->name) < (int)sizeof(path) &&
	       open_exactly(AT_FDCWD, path, ns, ret_fd);
}

int namespace_open(struct namespaces *namespaces, const struct gb_ns *ns, int *ret_fd)
{
	struct walk walk = {.namespaces = namespaces, .kind = namespace_kind_name(ns->kind), .wanted = ns->inode};
	struct hint *hint;
	bool opened;
	int result;

	if (!walk.kind)
		return -EINVAL;
	if (!ns->inode)
		return -ESRCH;
	if (open_by_pid(namespaces, ns->pid, ns, ret_fd) || open_by_socket(ns, ret_fd))
		return 0;
	HASH_FIND(hh, namespaces->kinds[ns->kind], &ns->inode, sizeof(ns->inode), hint);
	if (hint && open_by_hint(namespaces, hint, ns, ret_fd))
		return 0;
	if (hint) {
		HASH_DEL(namespaces->kinds[ns->kind], hint);
		free(hint);
	}
	result = walk_all(&walk, ns->kind);
	if (result <= 0)
		return result ? result : -ESRCH;
	hint = walk.found;
	HASH_DEL(walk.found, hint);
	opened = open_by_hint(namespaces, hint, ns, ret_fd);
	if (opened && HASH_COUNT(namespaces->kinds[ns->kind]) < NAMESPACE_COUNT_MAX)
		HASH_ADD(hh, namespaces->kinds[ns->kind], inode, sizeof(hint->inode), hint);
	else
		free(hint);
	return opened ? 0 : -ESRCH;
}

int namespace_resolve(uint32_t kind, const char *name, uint64_t *ret_inode)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int result;

	if (!namespace_kind_name(kind) || !name[0])
		return -EINVAL;
	if (name[0] != '/' && (kind != GB_NS_NET || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")))
		return -EINVAL;
	if (snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : NAMESPACE_RUN_PATH "/", name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	result = open_nsfs(AT_FDCWD, path, &fd);
	return result < 0 ? result : namespace_inode(kind, fd, ret_inode);
}
