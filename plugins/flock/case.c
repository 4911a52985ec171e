/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about one contended lock, gathered for the judgement. */
#include <string.h>

#include "array.h"
#include "fl.h"
#include "never.h"
#include "process.h"

#define EDGES_MAX 65536

static bool same_inode(const struct fl_record *a, const struct fl_record *b)
{
	return a->inode == b->inode && a->dev == b->dev;
}

/* A POSIX lock belongs to one process, the others to the open file and all who hold it. */
static void holdings_find(const struct fl_look *look, struct fl_case *seen)
{
	const struct fl_record *holdings = fl_look_holdings(look, seen->lock.file, &seen->holding_count);
	size_t first = 0, count = 0;

	seen->holdings = holdings;
	if (seen->lock.kind != FL_POSIX)
		return;
	while (first < seen->holding_count && holdings[first].tgid != seen->lock.tgid)
		first++;
	while (first + count < seen->holding_count && holdings[first + count].tgid == seen->lock.tgid)
		count++;
	seen->holdings = count ? &holdings[first] : holdings;
	seen->holding_count = count;
}

/* The record of the taking, if it can be trusted and agrees with what the kernel itself says of the lock. */
static void acquisition_find(struct fl *fl, struct fl_case *seen)
{
	const struct fl_record *lock = &seen->lock;

	if (lock->kind == FL_POSIX || fl_kernel_acquisition(&fl->kernel, lock->inode, lock->dev, lock->file,
							    (enum fl_kind)lock->kind, &seen->acquisition) < 0)
		return;
	if (seen->acquisition.taken_ns < fl->trusted_since_ns)
		seen->acquisition = (struct fl_slot){0};
	/* The kernel names the first that asked, the record the last. Where locks are not listed there is nothing to compare. */
	seen->acquisition_known =
		seen->acquisition.taken_ns && (lock->tgid == seen->acquisition.taker.tgid || seen->acquisition.several);
}

static void taker_find(struct fl_case *seen)
{
	const struct fl_process *taker = &seen->acquisition.taker;

	/* Not to know is to spare. */
	seen->taker_alive = taker->tgid && fl_process_runs(taker->tgid, taker->start_ns) != 0;
	if (seen->acquisition_known)
		return;
	for (size_t i = 0; i < seen->holding_count; i++)
		seen->taker_alive |= seen->holdings[i].tgid == seen->lock.tgid;
}

static void waits_find(const struct fl *fl, struct fl_case *seen, uint64_t now_ns, uint64_t memory_ns)
{
	uint64_t oldest_ns = now_ns;
	size_t count;
	const struct fl_waiting *waits = fl_waits_of(&fl->waits, seen->lock.inode, seen->lock.dev, &count);

	for (size_t i = 0; i < count; i++) {
		if (!fl_waiting_counts(&waits[i], &seen->lock, now_ns, memory_ns))
			continue;
		if (seen->wait_count < FL_CASE_WAITS)
			seen->waits[seen->wait_count] = &waits[i];
		seen->wait_count++;
		if (waits[i].wait.since_ns < oldest_ns)
			oldest_ns = waits[i].wait.since_ns;
	}
	seen->kept_ns = now_ns - oldest_ns;
}

static void path_strip(char *path)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(path), tail = sizeof(deleted) - 1;

	if (length > tail && strcmp(path + length - tail, deleted) == 0)
		path[length - tail] = 0;
}

static bool path_try(const struct fl_record *holding, struct fl_case *seen)
{
	int r = holding->fd >= 0
			? fl_descriptor_path(holding->tgid, holding->fd, seen->path, sizeof(seen->path))
			: fl_mapping_path(holding->tgid, (uint64_t)holding->start, seen->path, sizeof(seen->path));

	if (r < 0 || seen->path[0] != '/') {
		seen->path[0] = 0;
		return false;
	}
	path_strip(seen->path);
	seen->magic = holding->magic;
	return true;
}

/* By a holder's descriptor, else by anybody's: who waits has the file open, too. */
static void path_find(const struct fl_look *look, struct fl_case *seen)
{
	for (size_t i = 0; i < seen->holding_count; i++)
		if (path_try(&seen->holdings[i], seen))
			return;
	for (size_t i = 0; i < look->holdings.count; i++)
		if (same_inode(&look->holdings.items[i], &seen->lock) && path_try(&look->holdings.items[i], seen))
			return;
}

static uint64_t key_of(const struct fl_case *seen)
{
	const struct fl_record *lock = &seen->lock;
	uint64_t key = fl_mix(lock->file, lock->inode);

	key = fl_mix(key, (uint64_t)lock->dev << 8 | lock->kind);
	key = fl_mix(key, (uint64_t)lock->start);
	key = fl_mix(key, (uint64_t)lock->end);
	if (lock->kind == FL_POSIX)
		return fl_mix(key, (uint64_t)lock->tgid);
	return fl_mix(key, seen->acquisition_known ? seen->acquisition.taken_ns : 0);
}

/* Not earlier than it was taken: since the tracepoints see everything, or since it was first met. */
static uint64_t age_of(const struct fl *fl, const struct fl_case *seen, uint64_t now_ns)
{
	const struct fl_known *known = fl_known_find(&fl->known, seen->key);
	uint64_t since_ns = known ? known->first_ns : now_ns;

	if (seen->lock.kind == FL_POSIX)
		return seen->kept_ns;
	if (seen->acquisition.taken_ns)
		since_ns = seen->acquisition.taken_ns;
	else if (!fl->missed && !fl->recursion_misses)
		since_ns = fl->attached_ns;
	return now_ns > since_ns ? now_ns - since_ns : 0;
}

void fl_case_fill(struct fl *fl, const struct fl_look *look, const struct fl_record *lock, uint64_t now_ns,
		  uint64_t memory_ns, struct fl_case *seen)
{
	memset(seen, 0, offsetof(struct fl_case, path));
	seen->path[0] = 0;
	seen->lock = *lock;
	waits_find(fl, seen, now_ns, memory_ns);
	if (!seen->wait_count)
		return;
	holdings_find(look, seen);
	acquisition_find(fl, seen);
	taker_find(seen);
	path_find(look, seen);
	seen->key = key_of(seen);
	seen->age_ns = age_of(fl, seen, now_ns);
}

/* Holdings are sorted by process. */
static uint32_t processes_count(const struct fl_case *seen)
{
	uint32_t count = 0;

	for (size_t i = 0; i < seen->holding_count; i++)
		count += i == 0 || seen->holdings[i].tgid != seen->holdings[i - 1].tgid;
	return count;
}

enum fl_verdict fl_case_judge(const struct fl *fl, const struct fl_look *look, const struct fl_case *seen,
			      uint64_t timeout_ns)
{
	struct fl_facts facts = {
		.age_ns = seen->age_ns,
		.timeout_ns = timeout_ns,
		.contended = seen->wait_count > 0,
		.taker_alive = seen->taker_alive,
		.mappings_known = fl->kernel.maps,
		.refs_known = seen->holding_count <= 4096,
		.acquisition = seen->acquisition_known ? &seen->acquisition : NULL,
		.holdings = seen->holdings,
		.holding_count = (uint32_t)seen->holding_count,
	};
	enum fl_verdict verdict;

	for (size_t i = 0; i < seen->holding_count; i++)
		if (seen->holdings[i].fd >= 0 && seen->holdings[i].refs > facts.refs)
			facts.refs = (uint32_t)seen->holdings[i].refs;
	verdict = fl_judge(&facts);
	if (verdict == FL_ACQUISITION_UNKNOWN && seen->taker_alive)
		verdict = FL_TAKER_ALIVE;
	if (verdict == FL_GHOST && processes_count(seen) > GB_HOLDERS_MAX)
		verdict = FL_TOO_MANY_HOLDERS; /* the guard could not look at all of them */
	if (verdict == FL_GHOST && fl_look_is_crowded(look, &seen->lock))
		verdict = FL_HOLDER_UNKNOWN;
	return verdict;
}

const char *fl_case_protection(const struct fl *fl, const struct fl_case *seen)
{
	const char *reason = fl_never_path(seen->path);

	if (!reason)
		reason = fl_never_file_system(seen->magic);
	if (!reason && !fl->kernel.walks)
		reason = "locks-not-listed";
	return reason;
}

uint32_t fl_holders_digest(const struct fl_record *holdings, size_t count)
{
	uint64_t digest = 1;

	for (size_t i = 0; i < count; i++) {
		digest = fl_mix(digest, (uint64_t)holdings[i].tgid << 32 | (uint32_t)holdings[i].fd);
		digest = fl_mix(digest, holdings[i].start_ns);
		digest = fl_mix(digest, holdings[i].exe.inode);
	}
	return (uint32_t)(digest ^ digest >> 32);
}

static int edge_add(struct fl *fl, const struct fl_waiting *waiting, int32_t holder)
{
	int r = array_room(&fl->edges, &fl->edge_capacity, fl->edge_count, sizeof(*fl->edges));

	if (r == 0)
		fl->edges[fl->edge_count++] = (struct fl_edge){.waiter = waiting->wait.tgid,
							       .holder = holder,
							       .since_ns = waiting->wait.since_ns,
							       .inode = waiting->inode.inode,
							       .dev = waiting->inode.dev};
	return r;
}

static int edges_of(struct fl *fl, const struct fl_look *look, const struct fl_record *lock, uint64_t now_ns)
{
	static struct fl_case seen; /* one thread, never re-entered */
	size_t count;
	const struct fl_waiting *waits = fl_waits_of(&fl->waits, lock->inode, lock->dev, &count);
	int r = 0;

	seen.lock = *lock;
	holdings_find(look, &seen);
	for (size_t i = 0; i < count; i++) {
		const struct fl_waiting *waiting = &waits[i];

		if (waiting->tid == FL_REFUSED || !fl_waiting_counts(waiting, lock, now_ns, 0))
			continue;
		if (lock->kind == FL_POSIX)
			r = edge_add(fl, waiting, lock->tgid);
		for (size_t k = 0; k < seen.holding_count && lock->kind != FL_POSIX && r == 0; k++)
			if (k == 0 || seen.holdings[k].tgid != seen.holdings[k - 1].tgid)
				r = edge_add(fl, waiting, seen.holdings[k].tgid);
		if (r < 0 || fl->edge_count >= EDGES_MAX)
			return r;
	}
	return 0;
}

int fl_edges_fill(struct fl *fl, const struct fl_look *look, uint64_t now_ns)
{
	int r = 0;

	fl->edge_count = 0;
	for (size_t i = 0; i < look->locks.count && r == 0 && fl->edge_count < EDGES_MAX; i++)
		r = edges_of(fl, look, &look->locks.items[i], now_ns);
	return r;
}
