/* SPDX-License-Identifier: Apache-2.0 */
#include "waits.h"

#include <stdlib.h>

#include "array.h"
#include "process.h"

struct reading {
	struct fl_waits *waits;
	const struct fl_kernel *kernel;
	uint64_t now_ns, memory_ns;
};

static int waiting_add(struct fl_waits *waits, const struct fl_waiting *waiting)
{
	int r = array_room(&waits->items, &waits->capacity, waits->count, sizeof(*waits->items));

	if (r == 0)
		waits->items[waits->count++] = *waiting;
	return r;
}

enum wait_state { WAIT_COUNTS, WAIT_UNKNOWN, WAIT_OVER };

/* A wait that a signal ended leaves no event: only the thread itself can tell. */
static enum wait_state state_of(const struct reading *reading, const struct fl_wait_entry *entry)
{
	if (entry->key.tid == FL_REFUSED)
		return entry->wait.last_ns + reading->memory_ns > reading->now_ns ? WAIT_COUNTS : WAIT_OVER;
	if (fl_process_runs(entry->wait.tgid, entry->wait.start_ns) == 0)
		return WAIT_OVER;
	switch (fl_thread_state((int32_t)entry->key.tid)) {
	case FL_THREAD_WAITS:
		return WAIT_COUNTS;
	case FL_THREAD_UNKNOWN:
		return WAIT_UNKNOWN;
	case FL_THREAD_ELSEWHERE:
	case FL_THREAD_GONE:
		break;
	}
	return WAIT_OVER;
}

/* A thread that begins to wait in this very moment may lose its entry, and tells of it only once: then all are surveyed. */
static void entry_forget(const struct reading *reading, const struct fl_wait_entry *entry)
{
	enum fl_thread_state state;

	fl_kernel_wait_forget(reading->kernel, entry);
	if (entry->key.tid == FL_REFUSED || fl_process_runs(entry->wait.tgid, entry->wait.start_ns) == 0)
		return;
	state = fl_thread_state((int32_t)entry->key.tid);
	reading->waits->lost |= state == FL_THREAD_WAITS || state == FL_THREAD_UNKNOWN;
}

static int entry_take(const struct fl_wait_entry *entry, void *arg)
{
	const struct reading *reading = arg;
	struct fl_waiting waiting = {.inode = {.inode = entry->key.inode, .dev = entry->key.dev},
				     .wait = entry->wait,
				     .tid = (int32_t)entry->key.tid,
				     .posix = entry->key.posix};

	switch (state_of(reading, entry)) {
	case WAIT_COUNTS:
		return waiting_add(reading->waits, &waiting);
	case WAIT_UNKNOWN:
		break;
	case WAIT_OVER:
		entry_forget(reading, entry);
		break;
	}
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

static int inode_compare(const struct fl_inode *a, const struct fl_inode *b)
{
	if (a->inode != b->inode)
		return a->inode > b->inode ? 1 : -1;
	return (a->dev > b->dev) - (a->dev < b->dev);
}

/* Of one inode: those that were refused, then by process, one from before the start behind its newer entries. */
static int waiting_compare(const void *a, const void *b)
{
	const struct fl_waiting *x = a, *y = b;
	int r = inode_compare(&x->inode, &y->inode);

	if (r == 0)
		r = x->posix - y->posix;
	if (r == 0)
		r = (y->tid == FL_REFUSED) - (x->tid == FL_REFUSED);
	if (r == 0)
		r = (x->wait.tgid > y->wait.tgid) - (x->wait.tgid < y->wait.tgid);
	if (r == 0)
		r = x->standing - y->standing;
	return r ? r : (x->tid > y->tid) - (x->tid < y->tid);
}

/* A map that changes under the walk may show an entry twice; one from before the start may have told of itself since. */
static bool is_again(const struct fl_waiting *before, const struct fl_waiting *waiting)
{
	if (inode_compare(&before->inode, &waiting->inode) != 0 || before->posix != waiting->posix)
		return false;
	if (waiting->standing)
		return before->tid != FL_REFUSED && before->wait.tgid == waiting->wait.tgid;
	return before->tid == waiting->tid && !before->standing;
}

static void waits_settle(struct fl_waits *waits)
{
	size_t kept = 0;

	if (waits->count)
		qsort(waits->items, waits->count, sizeof(*waits->items), waiting_compare);
	for (size_t i = 0; i < waits->count; i++)
		if (kept == 0 || !is_again(&waits->items[kept - 1], &waits->items[i]))
			waits->items[kept++] = waits->items[i];
	waits->count = kept;
}

int fl_waits_read(struct fl_waits *waits, const struct fl_kernel *kernel, uint64_t now_ns, uint64_t memory_ns)
{
	struct reading reading = {.waits = waits, .kernel = kernel, .now_ns = now_ns, .memory_ns = memory_ns};
	int r;

	standing_keep(waits);
	r = fl_kernel_waits(kernel, entry_take, &reading);
	waits_settle(waits);
	return r;
}

const struct fl_waiting *fl_waits_of(const struct fl_waits *waits, uint64_t inode, uint32_t dev, size_t *ret_count)
{
	const struct fl_inode wanted = {.inode = inode, .dev = dev};
	size_t low = 0, high = waits->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (inode_compare(&waits->items[middle].inode, &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < waits->count && inode_compare(&waits->items[high].inode, &wanted) == 0;)
		high++;
	*ret_count = high - low;
	return waits->items ? &waits->items[low] : NULL;
}

static bool is_seen(const struct fl_waiting *waiting, const struct fl_records *waiters)
{
	for (size_t i = 0; i < waiters->count; i++) {
		const struct fl_record *waiter = &waiters->items[i];

		if (waiter->inode == waiting->inode.inode && waiter->dev == waiting->inode.dev &&
		    waiter->tgid == waiting->wait.tgid)
			return true;
	}
	return false;
}

void fl_waits_confirm(struct fl_waits *waits, const struct fl_records *waiters)
{
	size_t kept = 0;

	for (size_t i = 0; i < waits->count; i++)
		if (!waits->items[i].standing || is_seen(&waits->items[i], waiters))
			waits->items[kept++] = waits->items[i];
	waits->count = kept;
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
				 .file = waiter->file,
				 .tgid = waiter->tgid,
				 .type = waiter->type,
				 .kind = waiter->kind},
			.tid = waiter->tgid,
			.posix = waiter->kind != FL_FLOCK,
			.standing = true,
		};

		if (waiter->tgid > 0 && fl_any_thread_waits(waiter->tgid))
			r = waiting_add(waits, &waiting);
	}
	waits_settle(waits);
	return r;
}

/* Nobody keeps himself out: who asks for more by the same open file, or in the same process, waits for somebody else. */
static bool is_its_own(const struct fl_waiting *waiting, const struct fl_record *lock)
{
	bool asks_posix = waiting->wait.kind == FL_POSIX, is_posix = lock->kind == FL_POSIX;

	if (asks_posix != is_posix)
		return false;
	return is_posix ? waiting->wait.tgid == lock->tgid : waiting->wait.file == lock->file;
}

bool fl_waiting_counts(const struct fl_waiting *waiting, const struct fl_record *lock, uint64_t now_ns,
		       uint64_t memory_ns)
{
	if (waiting->inode.inode != lock->inode || waiting->inode.dev != lock->dev ||
	    waiting->posix != (lock->kind != FL_FLOCK))
		return false;
	if (waiting->tid == FL_REFUSED && waiting->wait.last_ns + memory_ns <= now_ns)
		return false;
	if (is_its_own(waiting, lock))
		return false;
	return fl_conflicts(lock->type, lock->start, lock->end, waiting->wait.type, waiting->wait.start,
			    waiting->wait.end);
}

void fl_waits_fini(struct fl_waits *waits)
{
	free(waits->items);
	*waits = (struct fl_waits){0};
}
