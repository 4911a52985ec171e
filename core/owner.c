/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "cgroup.h"
#include "cleanup.h"
#include "freezer.h"
#include "procfs.h"

#define COMM_SIZE 64                   /* kernel threads have longer names than the 15 bytes of others */
#define KERNEL_THREAD_FLAG 0x00200000U /* PF_KTHREAD of include/linux/sched.h, in field 9 of stat */

struct owner_source {
	int proc_fd;
	struct freezer freezer;
};

/* All that is read of one process; too big for a stack. */
struct facts {
	uint64_t start_ticks;
	uint64_t netns_inode, ipcns_inode;
	uint32_t uid;
	uint32_t flags;
	char comm[COMM_SIZE];
	char exe[PATH_MAX];
	struct cgroup cgroup;
	char cgroup_text[64 * 1024]; /* a dozen hierarchies of 4096 bytes each */
};

int owner_source_new(const char *proc_path, struct owner_source **ret_source)
{
	struct owner_source *source = calloc(1, sizeof(*source));
	int result;

	if (!source)
		return -ENOMEM;
	result = procfs_open(proc_path, &source->proc_fd);
	if (result < 0) {
		free(source);
		return result;
	}
	freezer_find(source->proc_fd, &source->freezer);
	*ret_source = source;
	return 0;
}

void owner_source_free(struct owner_source *source)
{
	if (!source)
		return;
	freezer_fini(&source->freezer);
	close(source->proc_fd);
	free(source);
}

/*
 * "PID (COMM) STATE PPID ...": the command name may hold spaces, parentheses and newlines, but nothing behind it does,
 * so the fields are counted from the last parenthesis.
 */
static int parse_stat(const char *text, struct facts *facts)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned long kernel_flags;
	unsigned long long start;

	if (!open || !close || close < open)
		return -EIO;
	/* Fields 3 to 22; only state, flags and starttime are kept. */
	if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &kernel_flags, &start) != 2)
		return -EIO;
	snprintf(facts->comm, sizeof(facts->comm), "%.*s", (int)(close - open - 1), open + 1);
	facts->start_ticks = start;
	if (kernel_flags & KERNEL_THREAD_FLAG)
		facts->flags |= GB_OWNER_KERNEL;
	return 0;
}

static int read_stat(int dir_fd, const char *name, struct facts *facts)
{
	char text[1024];
	int result = procfs_read(dir_fd, name, text, sizeof(text));

	if (result == -ENOENT || result == -ESRCH)
		return -ESRCH;
	return result < 0 ? result : parse_stat(text, facts);
}

/* What stands behind "\nKEY:\t" in a status file; NULL. The kernel escapes newlines in the name that comes before. */
static const char *status_value(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? found + strlen(key) : NULL;
}

/* Stopped and traced, of the process or of one thread. */
static uint32_t status_flags(const char *text)
{
	const char *state = status_value(text, "\nState:\t"), *tracer = status_value(text, "\nTracerPid:\t");
	uint32_t flags = 0;

	if (state && *state == 'T')
		flags |= GB_OWNER_STOPPED;
	if ((state && *state == 't') || (tracer && strtol(tracer, NULL, 10) != 0))
		flags |= GB_OWNER_TRACED;
	return flags;
}

/* The first 4 KiB hold all that is asked for; the list of groups behind it may be long. */
#define STATUS_SIZE 4096

static int read_status(int pid_fd, struct facts *facts)
{
	char text[STATUS_SIZE];
	const char *uid;
	int result = procfs_read(pid_fd, "status", text, sizeof(text));

	if (result == -ENOENT || result == -ESRCH)
		return -ESRCH;
	if (result < 0)
		return result;
	uid = status_value(text, "\nUid:\t");
	if (!uid)
		return -EIO;
	facts->uid = (uint32_t)strtoul(uid, NULL, 10);
	facts->flags |= status_flags(text);
	return 0;
}

struct threads {
	int pid_fd;
	int32_t pid;
	unsigned int count;
	struct facts *facts;
};

static int read_thread(int32_t thread, void *arg)
{
	struct threads *threads = arg;
	char name[48], text[STATUS_SIZE];

	if (threads->count++ == OWNER_THREADS_MAX)
		return 1;
	snprintf(name, sizeof(name), "task/%d/status", thread);
	if (thread != threads->pid && procfs_read(threads->pid_fd, name, text, sizeof(text)) >= 0)
		threads->facts->flags |= status_flags(text);
	/* A main thread that has exited shows no executable; the others do. */
	if (!threads->facts->exe[0]) {
		ssize_t length;

		snprintf(name, sizeof(name), "task/%d/exe", thread);
		length = readlinkat(threads->pid_fd, name, threads->facts->exe, sizeof(threads->facts->exe) - 1);
		threads->facts->exe[length > 0 ? length : 0] = '\0';
	}
	return 0;
}

static void cut_deleted(char *exe)
{
	static const char mark[] = " (deleted)";
	size_t length = strlen(exe);

	if (length > strlen(mark) && strcmp(exe + length - strlen(mark), mark) == 0)
		exe[length - strlen(mark)] = '\0';
}

/* What may be unreadable or absent stays unknown. */
static void read_optional(const struct owner_source *source, int pid_fd, int32_t pid, struct facts *facts)
{
	struct threads threads = {pid_fd, pid, 0, facts};
	char path[PROCFS_NS_PATH_SIZE];
	struct stat status;
	ssize_t length = readlinkat(pid_fd, "exe", facts->exe, sizeof(facts->exe) - 1);

	facts->exe[length > 0 ? length : 0] = '\0';
	if (!(facts->flags & GB_OWNER_KERNEL))
		procfs_each_number(pid_fd, "task", read_thread, &threads);
	cut_deleted(facts->exe);
	if (procfs_ns(source->proc_fd, pid, "net", path, &status) == 0)
		facts->netns_inode = status.st_ino;
	if (procfs_ns(source->proc_fd, pid, "ipc", path, &status) == 0)
		facts->ipcns_inode = status.st_ino;
	if (procfs_read(pid_fd, "cgroup", facts->cgroup_text, sizeof(facts->cgroup_text)) < 0)
		facts->cgroup_text[0] = '\0';
	cgroup_parse(facts->cgroup_text, &facts->cgroup);
	if (freezer_holds(&source->freezer, facts->cgroup_text))
		facts->flags |= GB_OWNER_FROZEN;
}

static int read_facts(const struct owner_source *source, int32_t pid, uint64_t start_ticks, struct facts *facts)
{
	_cleanup_close_ int pid_fd = -1;
	char name[32];
	uint64_t started;
	int result;

	snprintf(name, sizeof(name), "%d", pid);
	pid_fd = openat(source->proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pid_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	result = read_stat(pid_fd, "stat", facts);
	if (result < 0)
		return result;
	started = facts->start_ticks;
	if (start_ticks && started != start_ticks)
		return -ESRCH;
	result = read_status(pid_fd, facts);
	if (result < 0)
		return result;
	read_optional(source, pid_fd, pid, facts);
	/* The descriptor belongs to one process for good, the pid does not: whoever has it now must be the same. */
	snprintf(name, sizeof(name), "%d/stat", pid);
	result = read_stat(source->proc_fd, name, facts);
	if (result < 0)
		return result;
	return facts->start_ticks == started ? 0 : -ESRCH;
}

static const char *store(char **storage, const char *text)
{
	char *start = *storage;

	*storage = stpcpy(start, text) + 1;
	return start;
}

int owner_copy(const struct gb_owner *public, struct owner **ret_owner)
{
	size_t size = strlen(public->comm) + strlen(public->exe) + strlen(public->cgroup) + strlen(public->unit) +
		      strlen(public->container) + strlen(public->pod) + 6;
	struct owner *owner = malloc(sizeof(*owner) + size);
	char *storage;

	if (!owner)
		return -ENOMEM;
	storage = (char *)(owner + 1);
	*owner = (struct owner){.references = 1, .public = *public};
	owner->public.struct_size = sizeof(owner->public);
	owner->public.comm = store(&storage, public->comm);
	owner->public.exe = store(&storage, public->exe);
	owner->public.cgroup = store(&storage, public->cgroup);
	owner->public.unit = store(&storage, public->unit);
	owner->public.container = store(&storage, public->container);
	owner->public.pod = store(&storage, public->pod);
	*ret_owner = owner;
	return 0;
}

static int owner_new(int32_t pid, const struct facts *facts, struct owner **ret_owner)
{
	return owner_copy(&(struct gb_owner){.pid = pid,
					     .start_ticks = facts->start_ticks,
					     .uid = facts->uid,
					     .flags = facts->flags,
					     .netns_inode = facts->netns_inode,
					     .ipcns_inode = facts->ipcns_inode,
					     .comm = facts->comm,
					     .exe = facts->exe,
					     .cgroup = facts->cgroup.path,
					     .unit = facts->cgroup.unit,
					     .container = facts->cgroup.container,
					     .pod = facts->cgroup.pod},
			  ret_owner);
}

int owner_read(struct owner_source *source, int32_t pid, uint64_t start_ticks, struct owner **ret_owner)
{
	_cleanup_free_ struct facts *facts = NULL;
	int result;

	if (pid < 1)
		return -EINVAL;
	facts = malloc(sizeof(*facts));
	if (!facts)
		return -ENOMEM;
	facts->flags = 0;
	facts->netns_inode = facts->ipcns_inode = 0;
	result = read_facts(source, pid, start_ticks, facts);
	return result < 0 ? result : owner_new(pid, facts, ret_owner);
}

struct owner *owner_ref(struct owner *owner)
{
	owner->references++;
	return owner;
}

void owner_unref(struct owner *owner)
{
	if (owner && --owner->references == 0)
		free(owner);
}

/* ---- Cache ---- */

struct cache_key {
	uint64_t start_ticks; /* as asked: 0 is a key of its own */
	int64_t pid;          /* 64 bits, so that no padding is hashed */
};

struct cache_entry {
	struct cache_key key;
	struct owner *owner; /* one reference; NULL: gone */
	UT_hash_handle hh;
};

struct owner_cache {
	struct owner_source *source;
	struct cache_entry *entries;
};

int owner_cache_new(struct owner_source *source, struct owner_cache **ret_cache)
{
	struct owner_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->source = source;
	*ret_cache = cache;
	return 0;
}

void owner_cache_free(struct owner_cache *cache)
{
	if (!cache)
		return;
	owner_cache_clear(cache);
	free(cache);
}

int owner_cache_get(struct owner_cache *cache, int32_t pid, uint64_t start_ticks, struct owner **ret_borrowed)
{
	struct cache_key key = {start_ticks, pid};
	struct cache_entry *entry;
	struct owner *owner = NULL;
	int result;

	HASH_FIND(hh, cache->entries, &key, sizeof(key), entry);
	if (!entry) {
		if (HASH_COUNT(cache->entries) >= OWNER_CACHE_MAX)
			return -ENOSPC;
		result = owner_read(cache->source, pid, start_ticks, &owner);
		if (result < 0 && result != -ESRCH)
			return result;
		entry = malloc(sizeof(*entry));
		if (!entry) {
			owner_unref(owner);
			return -ENOMEM;
		}
		*entry = (struct cache_entry){.key = key, .owner = owner};
		HASH_ADD(hh, cache->entries, key, sizeof(entry->key), entry);
	}
	if (!entry->owner)
		return -ESRCH;
	*ret_borrowed = entry->owner;
	return 0;
}

void owner_cache_clear(struct owner_cache *cache)
{
	struct cache_entry *entry, *next;

	HASH_ITER (hh, cache->entries, entry, next) {
		HASH_DEL(cache->entries, entry);
		owner_unref(entry->owner);
		free(entry);
	}
}
