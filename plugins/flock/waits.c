/* SPDX-License-Identifier: Apache-2.0 */
#include "waits.h"

#include <stdlib.h>

#include "process.h"

struct reading {
	struct fl_waits *waits;
	const struct fl_kernel *kernel;
	uint64_t now_ns, memory_ns;
};

static int waiting_add(struct fl_waits *waits, const struct fl_waiting *waiting)
{
	int r = fl_grow(&waits->items, &waits->capacity, waits->count, sizeof(*waits->items));

	if (r == 0)
		waits->items[waits->count++] = *waiting;
	return r;
}

/* A wait that a signal ended leaves no event: only the thread itself can tell. */
static bool still_counts(const struct reading *reading, const struct fl_wait_entry *entry)
{
	if (entry->key.tid == FL_REFUSED)
		return entry->wait.last_ns + reading->memory_ns > reading->now_ns;
	return fl_process_runs(entry->wait.tgid, entry->wait.start_ns) == 1 && fl_thread_waits((int32_t)entry->key.tid);
}

static int entry_take(const struct fl_wait_entry *entry, void *arg)
{
	const struct reading *reading = arg;
	struct fl_waiting waiting = {.inode = {.inode = entry->key.inode, .dev = entry->key.dev},
				     .wait = entry->wait,
				     .tid = (int32_t)entry->key.tid,
				     .posix = entry->key.posix};

	if (still_counts(reading, entry))
		return waiting_add(reading->waits, &waiting);
	fl_kernel_wait_forget(reading->kernel, &entry->key);
	return 0;
}

/* Those from before the start stay until they wait no longer. */
static void standing_keep(struct fl_waits *waits)
{
	size_t kept = 0;

	for (size_t i = 0; i < waits->count; i++) {
		const struct fl_waiting *waiting = &waits->items[i];

		if (waiting->standing && fl_any_thread_waits(waiting->wait.tgid))
			waits->items[kept++] = *waiting;
	}
	waits->count = kept;
}

int fl_waits_read(struct fl_waits *waits, const struct fl_kernel *kernel, uint64_t now_ns, uint64_t memory_ns)
{
	struct reading reading = {.waits = waits, .kernel = kernel, .now_ns = now_ns, .memory_ns = memory_ns};

	standing_keep(waits);
	return fl_kernel_waits(kernel, entry_take, &reading);
}

static bool is_there(const struct fl_waits *waits, const struct fl_record *waiter)
{
	for (size_t i = 0; i < waits->count; i++) {
		const struct fl_waiting *waiting = &waits->items[i];

		if (waiting->inode.inode == waiter->inode && waiting->inode.dev == waiter->dev &&
		    waiting->wait.tgid == waiter->tgid && waiting->tid != FL_REFUSED)
			return true;
	}
	return false;
}

int fl_waits_add_standing(struct fl_waits *waits, const struct fl_records *waiters, uint64_t since_ns)
{
	int r = 0;

	for (size_t i = 0; i < waiters->count && r == 0; i++) {
		const struct fl_record *waiter = &waiters->items[i];
		struct fl_waiting waiting = {
			.inode = {.inode = waiter->inode, .dev = waiter->dev},
			.wait = {.since_ns = since_ns,
				 .last_ns = since_ns,
				 .count = 1,
				 .start = waiter->start,
				 .end = waiter->end,
				 .tgid = waiter->tgid,
				 .type = waiter->type,
				 .kind = waiter->kind},
			.tid = waiter->tgid,
			.posix = waiter->kind != FL_FLOCK,
			.standing = true,
		};

		/* Of a waiter for an open-file-description lock the kernel does not say who it is. */
		if (waiter->tgid > 0 && fl_any_thread_waits(waiter->tgid) && !is_there(waits, waiter))
			r = waiting_add(waits, &waiting);
	}
	return r;
}

bool fl_waiting_counts(const struct fl_waiting *waiting, const struct fl_record *lock, uint64_t now_ns,
		       uint64_t memory_ns)
{
	if (waiting->inode.inode != lock->inode || waiting->inode.dev != lock->dev ||
	    waiting->posix != (lock->kind != FL_FLOCK))
		return false;
	if (waiting->tid == FL_REFUSED && waiting->wait.last_ns + memory_ns <= now_ns)
		return false;
	return fl_conflicts(lock->type, lock->start, lock->end, waiting->wait.type, waiting->wait.start,
			    waiting->wait.end);
}

void fl_waits_fini(struct fl_waits *waits)
{
	free(waits->items);
	*waits = (struct fl_waits){0};
}
