/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is: read once from /proc, whole or not at all. */
#ifndef CORE_OWNER_H
#define CORE_OWNER_H

#include <stdint.h>

#include <eghostbuster/plugin.h>

/* Reference-counted; `public` and its strings live as long as a reference. */
struct owner {
	struct gb_owner public;
	unsigned int references;
};

/* Where owners are read from: a /proc, and the cgroup file systems that its self/mountinfo named at that moment. */
struct owner_source;

/* `proc_path`: "/proc", or a folder that looks like it. -errno of open(2). */
int owner_source_new(const char *proc_path, struct owner_source **ret_source);
void owner_source_free(struct owner_source *source);

/*
 * The process `pid`, if it started at `start_ticks`; 0: whoever has the pid now. The caller gets one reference.
 * -ESRCH: gone, or another process by now (also when it is replaced during the look-up: never a mixture); -EINVAL: pid
 * below 1; -ENOMEM; -EIO: /proc holds something else than expected.
 * STOPPED and TRACED are set when any of its first OWNER_THREADS_MAX threads is: the main thread may have exited, and
 * a tracer may have taken another thread only.
 */
int owner_read(struct owner_source *source, int32_t pid, uint64_t start_ticks, struct owner **ret_owner);
#define OWNER_THREADS_MAX 128

/* An owner of one's own, with `public` copied, strings and all; its struct_size is not looked at. -ENOMEM. */
int owner_copy(const struct gb_owner *public, struct owner **ret_owner);

struct owner *owner_ref(struct owner *owner);
void owner_unref(struct owner *owner); /* NULL is fine */

/*
 * Owners looked up during one callback or sweep, so that 20,000 ghosts of one process cost one look-up: it remembers
 * processes that are gone, too. What it returned is borrowed: it lives until the cache is cleared, or longer with a
 * reference of one's own.
 */
struct owner_cache;
#define OWNER_CACHE_MAX 65536

/* `source` must outlive the cache. */
int owner_cache_new(struct owner_source *source, struct owner_cache **ret_cache);
void owner_cache_free(struct owner_cache *cache); /* NULL is fine */

/* As owner_read(); -ENOSPC when OWNER_CACHE_MAX are in it. */
int owner_cache_get(struct owner_cache *cache, int32_t pid, uint64_t start_ticks, struct owner **ret_borrowed);
void owner_cache_clear(struct owner_cache *cache);

#endif
