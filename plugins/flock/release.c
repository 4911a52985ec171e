/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releasing. A duplicate of a holder's descriptor refers to the very open file that carries the lock, and holds it: so its
 * address cannot become another's, and unlocking through it can unlock nothing else. First the duplicates, then one look
 * at everything with them in it, the whole judgement once more on what that look shows, and at once the unlock; then a
 * second look whether the lock is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fl.h"
#include "process.h"

#define CHUNK 64       /* locks released by one call: as many duplicates are open at a time */
#define REACTION_MS 50 /* that a signalled holder has before the second look */

struct release {
	struct gb_reap_item *item;
	struct fl_proof proof;
	int duplicate; /* -1 */
	bool done;     /* unlocked, or signalled: the second look tells */
};

static struct release chunk[CHUNK]; /* one thread, never re-entered */

static void item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail)
{
	item->outcome = outcome;
	item->error = error;
	item->detail = detail;
}

static size_t chunk_fill(struct gb_reap *reap)
{
	size_t count = 0;

	for (uint32_t i = 0; i < reap->count && count < CHUNK; i++) {
		struct gb_reap_item *item = &reap->items[i];

		if (item->outcome != GB_PENDING)
			continue;
		if (item->proof_size != sizeof(struct fl_proof)) {
			item_set(item, GB_FAILED, -EINVAL, "the proof is not of this plugin");
			continue;
		}
		chunk[count] = (struct release){.item = item, .duplicate = -1};
		memcpy(&chunk[count++].proof, item->proof, sizeof(struct fl_proof));
	}
	return count;
}

/* The holder may have gone since, or use the number for another file: the look tells what the duplicate is of. */
static int duplicate_take(const struct fl_proof *proof)
{
	int process = (int)syscall(SYS_pidfd_open, proof->pid, 0), fd, r;

	if (process < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, process, proof->fd, 0);
	r = fd < 0 ? -errno : fd;
	close(process);
	return r;
}

static void duplicates_take(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = duplicate_take(&chunk[i].proof);

		chunk[i].duplicate = fd;
		if (fd == -EPERM || fd == -ENOSYS || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
			item_set(chunk[i].item, GB_FAILED, fd, "pidfd_getfd");
	}
}

static int look_take(struct fl *fl, struct fl_look *look, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = fl_kernel_want(&fl->kernel,
				   &(struct fl_inode){.inode = chunk[i].proof.inode, .dev = chunk[i].proof.dev});
	if (r == 0)
		r = fl_look_whole(look, &fl->kernel);
	for (size_t i = 0; i < count; i++)
		fl_kernel_unwant(&fl->kernel,
				 &(struct fl_inode){.inode = chunk[i].proof.inode, .dev = chunk[i].proof.dev});
	return r;
}

/* The open file that a duplicate of this process refers to; 0 when the look did not meet it. */
static uint64_t file_of(const struct fl_look *look, int32_t self, int fd)
{
	for (size_t i = 0; i < look->holdings.count; i++)
		if (look->holdings.items[i].tgid == self && look->holdings.items[i].fd == fd)
			return look->holdings.items[i].file;
	return 0;
}

/* Takes this process's own duplicates out of the look, from the counts of references as well. */
static void self_strip(struct fl_look *look, int32_t self)
{
	struct fl_records *holdings = &look->holdings;
	uint64_t own[2 * CHUNK];
	size_t kept = 0, owned = 0;

	for (size_t i = 0; i < holdings->count; i++)
		if (holdings->items[i].tgid != self)
			holdings->items[kept++] = holdings->items[i];
		else if (owned < 2 * CHUNK)
			own[owned++] = holdings->items[i].file;
	holdings->count = kept;
	for (size_t i = 0; i < holdings->count; i++)
		for (size_t k = 0; k < owned; k++)
			holdings->items[i].refs -= own[k] == holdings->items[i].file;
}

static const struct fl_record *lock_of(const struct fl_look *look, const struct fl_proof *proof)
{
	for (size_t i = 0; i < look->locks.count; i++) {
		const struct fl_record *lock = &look->locks.items[i];

		if (lock->file == proof->file && lock->kind == proof->kind && lock->start == proof->start &&
		    lock->end == proof->end && lock->inode == proof->inode && lock->dev == proof->dev)
			return lock;
	}
	return NULL;
}

/* NULL: the proof holds, and the judgement is the same. Else the reason to spare it. */
static const char *proof_check(struct fl *fl, const struct fl_look *look, const struct fl_record *lock,
			       const struct fl_proof *proof)
{
	static struct fl_case seen; /* one thread, never re-entered */
	const char *reason;

	fl_case_fill(fl, look, lock, fl_now(fl), proof->timeout_ns, &seen);
	if (!seen.wait_count)
		return "not-contended";
	if (!seen.acquisition_known)
		return "acquisition-unknown";
	if (seen.acquisition.taken_ns != proof->taken_ns || seen.acquisition.taker.tgid != proof->taker ||
	    seen.acquisition.taker.start_ns != proof->taker_start_ns)
		return "taken-again";
	if (!fl->host->path_in_scope(fl->host, seen.path))
		return "out-of-scope";
	reason = fl_case_protection(fl, &seen);
	if (!reason)
		reason = fl_verdict_reason(fl_case_judge(fl, look, &seen, proof->timeout_ns));
	if (!reason && fl_holders_digest(seen.holdings, seen.holding_count) != proof->holders_digest)
		reason = "holders-changed";
	return reason;
}

/* The last moment: whoever asked for the lock anew since the look has it. */
static bool taken_again(const struct fl *fl, const struct fl_proof *proof)
{
	struct fl_slot slot;

	return fl_kernel_acquisition(&fl->kernel, proof->inode, proof->dev, proof->file, (enum fl_kind)proof->kind,
				     &slot) < 0 ||
	       slot.taken_ns != proof->taken_ns;
}

static int unlock(const struct release *release)
{
	const struct fl_proof *proof = &release->proof;
	struct flock range = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = proof->start};
	int r;

	if (proof->end != FL_END_OF_FILE)
		range.l_len = proof->end - proof->start + 1;
	if (proof->kind == FL_FLOCK)
		r = flock(release->duplicate, LOCK_UN);
	else
		r = fcntl(release->duplicate, F_OFD_SETLK, &range);
	return r < 0 ? -errno : 0;
}

static int process_signal(const struct fl_record *holding, int number)
{
	int process = (int)syscall(SYS_pidfd_open, holding->tgid, 0), r = -ESRCH;

	if (process < 0)
		return -errno;
	/* The pidfd is of whoever has the pid now: only the one that was looked at may get it. */
	if (fl_process_runs(holding->tgid, holding->start_ns) == 1)
		r = syscall(SYS_pidfd_send_signal, process, number, NULL, 0) < 0 ? -errno : 0;
	close(process);
	return r;
}

static int holders_signal(const struct fl_look *look, const struct fl_proof *proof)
{
	size_t count, oldest = 0;
	const struct fl_record *holdings = fl_look_holdings(look, proof->file, &count);
	int number = fl_signals[proof->signal], r = 0;

	for (size_t i = 1; i < count; i++)
		if (holdings[i].born_ns < holdings[oldest].born_ns)
			oldest = i;
	if (proof->signal_to == FL_TO_OLDEST)
		return count ? process_signal(&holdings[oldest], number) : -ESRCH;
	for (size_t i = 0; i < count && r == 0; i++)
		if (i == 0 || holdings[i].tgid != holdings[i - 1].tgid)
			r = process_signal(&holdings[i], number);
	return r;
}

static void one_release(struct fl *fl, const struct fl_look *look, struct release *release, uint64_t duplicate_file)
{
	const struct fl_record *lock = lock_of(look, &release->proof);
	const char *reason;
	int r;

	if (release->item->outcome != GB_PENDING)
		return;
	if (!lock && look->crowded.count) {
		item_set(release->item, GB_SPARED, 0,
			 fl_verdict_reason(FL_HOLDER_UNKNOWN)); /* it may be among the rest */
		return;
	}
	if (!lock) {
		item_set(release->item, GB_HEALED, 0, NULL);
		return;
	}
	reason = proof_check(fl, look, lock, &release->proof);
	if (!reason && (release->duplicate < 0 || duplicate_file != release->proof.file))
		reason = "holders-changed";
	if (!reason && taken_again(fl, &release->proof))
		reason = "taken-again";
	if (reason) {
		item_set(release->item, GB_SPARED, 0, reason);
		return;
	}
	r = release->proof.action == FL_ACTION_UNLOCK ? unlock(release) : holders_signal(look, &release->proof);
	release->done = r == 0;
	if (r < 0)
		item_set(release->item, GB_FAILED, r,
			 release->proof.action == FL_ACTION_UNLOCK ? "unlocking" : "signalling");
}

static void outcome_set(const struct fl_look *look, struct release *release)
{
	if (!release->done)
		return;
	if (!lock_of(look, &release->proof))
		item_set(release->item, GB_REAPED, 0, NULL);
	else if (release->proof.action == FL_ACTION_SIGNAL)
		item_set(release->item, GB_SPARED, 0, "signalled");
	else
		item_set(release->item, GB_FAILED, -EBUSY, "still locked");
}

static int chunk_release(struct fl *fl, size_t count)
{
	uint64_t files[CHUNK];
	struct fl_look look = {.fd = -1};
	int32_t self = getpid();
	bool signalled = false, any = false;
	int r = look_take(fl, &look, count);

	fl_losses_note(fl, fl_now(fl));
	if (r == 0)
		r = fl_waits_read(&fl->waits, &fl->kernel, fl_now(fl), fl_rules_longest(fl->config));
	fl_waits_confirm(&fl->waits, &look.waiters);
	for (size_t i = 0; i < count; i++)
		files[i] = chunk[i].duplicate >= 0 ? file_of(&look, self, chunk[i].duplicate) : 0;
	self_strip(&look, self);
	for (size_t i = 0; i < count && r == 0; i++) {
		one_release(fl, &look, &chunk[i], files[i]);
		any |= chunk[i].done;
		signalled |= chunk[i].done && chunk[i].proof.action == FL_ACTION_SIGNAL;
	}
	/* Else a duplicate of its own would keep the lock of a holder that has gone. */
	for (size_t i = 0; i < count; i++)
		if (chunk[i].duplicate >= 0)
			close(chunk[i].duplicate);
	if (signalled)
		poll(NULL, 0, REACTION_MS);
	if (any) {
		int again;

		fl_look_clear(&look);
		again = look_take(fl, &look, count);
		for (size_t i = 0; i < count; i++)
			if (again == 0)
				outcome_set(&look, &chunk[i]);
			else if (chunk[i].done)
				item_set(chunk[i].item, GB_FAILED, again, "released, but it cannot be looked at again");
	}
	fl_look_fini(&look);
	return r;
}

int fl_reap(struct fl *fl, struct gb_reap *reap)
{
	size_t count = chunk_fill(reap);
	int r;

	if (fl->sweep.phase != FL_IDLE) /* one that the host gave up; its place would not be the same after this */
		fl_sweep_abort(fl);
	duplicates_take(count);
	r = chunk_release(fl, count);
	for (size_t i = 0; i < count; i++) {
		struct gb_reap_item *item = chunk[i].item;
		struct fl_known *known = fl_known_find(&fl->known, item->key);

		if (item->outcome == GB_PENDING)
			item_set(item, GB_FAILED, r < 0 ? r : -EIO, "its holders cannot be looked at");
		if (known && (item->outcome == GB_REAPED || item->outcome == GB_HEALED))
			fl_known_remove(&fl->known, known);
	}
	for (uint32_t i = 0; i < reap->count; i++)
		if (reap->items[i].outcome == GB_PENDING)
			return GB_MORE;
	return GB_DONE;
}
