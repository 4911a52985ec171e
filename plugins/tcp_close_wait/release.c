/* SPDX-License-Identifier: Apache-2.0 */
/* Releasing, in slices: every phase keeps its place. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cw.h"

#define FRESH_NS (1 * GB_SECOND)     /* a look at the holders this young needs no repeating */
#define PATIENCE_NS (50 * GB_SECOND) /* less than the host has: what is undecided then fails here, with all tidied up */
#define SETTLED_A_SLICE 2048         /* each costs the host more than it costs here */
#define A_LOOK_AT_THE_CLOCK 64       /* items */

void cw_item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail)
{
	item->outcome = outcome;
	item->error = error;
	item->detail = detail;
}

/* ---- what is to be done ---- */

static int netns_compare(const void *a, const void *b)
{
	const struct cw_proof *x = cw_proof_of(*(struct gb_reap_item *const *)a);
	const struct cw_proof *y = cw_proof_of(*(struct gb_reap_item *const *)b);

	return (x->tuple.netns > y->tuple.netns) - (x->tuple.netns < y->tuple.netns);
}

static int release_begin(struct cw *cw, struct gb_reap *reap)
{
	struct cw_release *release = &cw->release;

	*release = (struct cw_release){.fd = -1, .holders.fd = -1, .begun_ns = cw_now(cw)};
	release->items = reallocarray(NULL, reap->count, sizeof(struct gb_reap_item *));
	if (!release->items)
		return -ENOMEM;
	for (uint32_t i = 0; i < reap->count && release->count < cw->kernel.condemned_max; i++) {
		struct gb_reap_item *item = &reap->items[i];

		if (!cw_is_pending(item))
			continue;
		if (item->proof_size != sizeof(struct cw_proof)) {
			cw_item_set(item, GB_FAILED, -EINVAL, "the proof is not of this plugin");
			continue;
		}
		release->items[release->count++] = item;
		release->stale |= cw_proof_of(item)->judged_ns + FRESH_NS < release->begun_ns;
		release->passes |= cw_by_iterator(cw, item);
	}
	qsort(release->items, release->count, sizeof(release->items[0]), netns_compare);
	release->phase = CW_TELLING;
	return 0;
}

/* Nothing stays open, and nobody condemned, however it ended. */
static void release_end(struct cw *cw)
{
	static struct cw_sentence unread[CW_DRAIN_MAX]; /* one thread, never re-entered */
	struct cw_release *release = &cw->release;
	struct cw_cursor cursor = {0};
	uint32_t count;

	if (release->fd >= 0)
		close(release->fd);
	cw_holders_fini(&release->holders);
	while (release->told && cw_kernel_drain(&cw->kernel, &cursor, unread, &count) == 1)
		;
	cw_kernel_tell_release(&cw->kernel, false);
	cw_kernel_tell_holders(&cw->kernel, cw->sweep.started_ns, false);
	free(release->items);
	free(release->sentences);
	*release = (struct cw_release){.fd = -1, .holders.fd = -1};
}

static void want_some(struct cw *cw)
{
	struct cw_release *release = &cw->release;

	for (uint32_t i = 0; release->at < release->count && i < CW_TOLD_AT_ONCE; i++)
		cw_kernel_want_inode(&cw->kernel, cw_proof_of(release->items[release->at++])->inode);
}

static int telling(struct cw *cw)
{
	struct cw_release *release = &cw->release;
	bool by_socket = cw->kernel.looks && (release->stale || release->passes);
	int r = 0;

	if (by_socket)
		r = cw_condemn_some(cw);
	else if (release->stale)
		want_some(cw);
	else
		release->at = release->count;
	if (r == 0 && release->at == release->count)
		cw_release_next(release, release->stale ? CW_ASKING_HOLDERS : CW_ACTING);
	return r;
}

/* ---- the holders, once more ---- */

/* The reason to spare it after all, from a new look at its holders. */
static const char *holders_compare(const struct cw *cw, const struct cw_proof *proof, const struct cw_holders *holders)
{
	size_t count;
	const struct cw_holding *held = cw_holders_of(holders, cw->kernel.looks ? proof->sock : proof->inode, &count);
	const char *reason = cw_paused_reason(cw_holders_flags(held, count));

	if (count == 0)
		return "no-holder";
	if (reason)
		return reason;
	if (cw_holders_continued(held, count) > proof->judged_ns)
		return "holder-resumed";
	return cw_holders_digest(held, count) == proof->holders_digest ? NULL : "holders-changed";
}

static int asking_holders(struct cw *cw, uint64_t until_ns)
{
	struct cw_release *release = &cw->release;
	int r = 0;

	if (release->holders.fd < 0) {
		cw_kernel_tell_holders(&cw->kernel, 0, true);
		r = cw_holders_begin(&release->holders, &cw->kernel);
	}
	if (r == 0)
		r = cw_holders_read(&release->holders, until_ns);
	if (r == 0)
		cw_release_next(release, CW_COMPARING_HOLDERS);
	return r < 0 ? r : 0;
}

/* What has waited in the queue is compared with its holders of now. */
static int comparing_holders(struct cw *cw)
{
	struct cw_release *release = &cw->release;

	for (uint32_t i = 0; release->at < release->count && i < SETTLED_A_SLICE; i++) {
		struct gb_reap_item *item = release->items[release->at++];
		const char *reason = holders_compare(cw, cw_proof_of(item), &release->holders);

		if (reason)
			cw_item_set(item, GB_SPARED, 0, reason);
		if (reason && cw->kernel.looks)
			cw_kernel_pardon(&cw->kernel, cw_proof_of(item)->sock);
		if (!cw->kernel.looks)
			cw_kernel_unwant_inode(&cw->kernel, cw_proof_of(item)->inode);
	}
	if (release->at == release->count)
		cw_release_next(release, CW_ACTING);
	return release->at ? GB_MORE : 0;
}

/* ---- one by one ---- */

static void act(struct cw *cw, struct gb_reap_item *item)
{
	if (!cw_proof_of(item)->probe) {
		if (cw_is_gentle(item))
			cw_release_by_shutdown(cw, item);
	} else if (cw_probe_must_wait(cw, item)) {
		if (cw->release.told)
			cw_kernel_pardon(&cw->kernel, cw_proof_of(item)->sock);
	} else if (cw_by_iterator(cw, item)) {
		cw_probe_begin(cw, item);
	} else {
		cw_probe_by_duplicate(cw, item);
	}
}

static int acting(struct cw *cw, uint64_t until_ns)
{
	struct cw_release *release = &cw->release;

	while (release->at < release->count) {
		struct gb_reap_item *item = release->items[release->at++];

		if (cw_is_pending(item))
			act(cw, item);
		if (release->at % A_LOOK_AT_THE_CLOCK == 0 && cw_now(cw) >= until_ns)
			return 0;
	}
	cw_release_next(release, release->passes ? CW_PASSING : CW_BY_DIAG);
	return 0;
}

/* ---- by sock_diag, and the end ---- */

/* What no iterator released: one namespace at a time. */
static int by_diag(struct cw *cw, uint64_t until_ns)
{
	struct cw_release *release = &cw->release;
	size_t end;

	while (!cw->kernel.releases && release->at < release->count) {
		end = cw_namespace_skip(release, release->at, 0);
		release->at += cw_release_by_diag(cw, release->items + release->at, end - release->at, until_ns);
		if (cw_now(cw) >= until_ns)
			return 0;
	}
	cw_release_next(release, CW_SETTLING);
	return 0;
}

static void known_settle(struct cw *cw, const struct gb_reap_item *item)
{
	struct cw_known *known = cw_known_find(&cw->known, item->key);

	if (known && (item->outcome == GB_REAPED || item->outcome == GB_HEALED))
		cw_known_remove(&cw->known, known);
}

static void aftermath_note(struct cw *cw, const struct gb_reap_item *item)
{
	const struct cw_proof *proof = cw_proof_of(item);

	if (item->outcome == GB_REAPED)
		cw_aftermath_note(cw,
				  &(struct cw_dead){.id = proof->sock,
						    .cookie = proof->cookie,
						    .pid = proof->pid,
						    .start_ticks = proof->start_ticks},
				  proof->inode);
}

static int settling(struct cw *cw)
{
	struct cw_release *release = &cw->release;

	for (uint32_t i = 0; release->at < release->count && i < SETTLED_A_SLICE; i++) {
		struct gb_reap_item *item = release->items[release->at++];
		bool iterated = cw_by_iterator(cw, item);

		if (cw_is_pending(item) && iterated)
			cw_outcome_set(cw, item);
		if (iterated && cw_proof_of(item)->probe && item->outcome != GB_DEFERRED)
			cw_probe_abort(cw, item);
		aftermath_note(cw, item);
		known_settle(cw, item);
	}
	if (release->at == release->count)
		release->phase = CW_RELEASED;
	return GB_MORE;
}

/* GB_MORE to end the slice, 0 to go on in it, or -errno. */
static int phase_run(struct cw *cw, uint64_t until_ns)
{
	switch (cw->release.phase) {
	case CW_TELLING:
		return telling(cw);
	case CW_ASKING_HOLDERS:
		return asking_holders(cw, until_ns);
	case CW_COMPARING_HOLDERS:
		return comparing_holders(cw);
	case CW_ACTING:
		return acting(cw, until_ns);
	case CW_PASSING:
	case CW_VERIFYING:
		return cw_release_passing(cw, until_ns);
	case CW_DRAINING:
		return cw_release_draining(cw);
	case CW_BY_DIAG:
		return by_diag(cw, until_ns);
	case CW_SETTLING:
		return settling(cw);
	case CW_RELEASED:
		break;
	}
	return 0;
}

/* What could not be finished is not released; whom a probe was begun for is no longer asked. */
static void release_fail(struct cw *cw, int error)
{
	struct cw_release *release = &cw->release;

	for (size_t i = 0; i < release->count; i++) {
		struct gb_reap_item *item = release->items[i];

		if (!cw->kernel.looks && release->stale)
			cw_kernel_unwant_inode(&cw->kernel, cw_proof_of(item)->inode);
		if (!cw_is_pending(item))
			continue;
		if (cw_proof_of(item)->probe)
			cw_probe_abort(cw, item);
		cw_item_set(item, GB_FAILED, error, "the release could not be finished");
	}
}

void cw_release_fini(struct cw *cw)
{
	if (cw->release.items)
		release_end(cw);
}

static int all_decided(const struct gb_reap *reap)
{
	for (uint32_t i = 0; i < reap->count; i++)
		if (cw_is_pending(&reap->items[i]))
			return GB_MORE;
	return GB_DONE;
}

int cw_reap(struct cw *cw, struct gb_reap *reap)
{
	struct cw_release *release = &cw->release;
	int r = release->items ? 0 : release_begin(cw, reap);

	if (r < 0)
		return r;
	while (r == 0 && release->phase != CW_RELEASED && release->count) {
		r = phase_run(cw, reap->until_ns);
		if (r == 0 && cw_now(cw) >= reap->until_ns)
			r = GB_MORE;
		if (r >= 0 && cw_now(cw) > release->begun_ns + PATIENCE_NS)
			r = -ETIME;
	}
	if (r < 0)
		release_fail(cw, r);
	else if (release->count && release->phase != CW_RELEASED)
		return GB_MORE;
	release_end(cw);
	cw_agenda_sort(&cw->agenda);
	cw->host->wake_at(cw->host, cw_agenda_next(&cw->agenda, UINT64_MAX)); /* for the probes that began */
	return all_decided(reap);
}
