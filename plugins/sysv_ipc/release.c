/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releasing: inside of the namespace each object is asked for once more, by everything that its proof holds, in the step
 * before it is removed. Each call takes one chunk of one namespace, which bounds a slice.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ipc.h"

#define CHUNK 256

struct removal {
	const struct sysv_kernel *kernel;
	const struct sysv_tasks *tasks;
	uint32_t ipcns;
	uint32_t count;
	struct gb_reap_item *items[CHUNK];
	uint64_t bytes, semaphores; /* of what was removed */
	uint64_t objects[SYSV_KINDS];
	struct sysv_totals before, after;
};

static const struct sysv_proof *proof_of(const struct gb_reap_item *item)
{
	return item->proof;
}

static void item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail)
{
	item->outcome = outcome;
	item->error = error;
	item->detail = detail;
}

static bool is_gone(int error)
{
	return error == -EINVAL || error == -EIDRM;
}

/* The object as it was judged, to compare it with what is there now. */
static struct sysv_object object_of(const struct sysv_proof *proof)
{
	return (struct sysv_object){.kind = proof->kind,
				    .id = proof->id,
				    .index = proof->index,
				    .key = proof->key,
				    .uid = proof->uid,
				    .creator_uid = proof->creator_uid,
				    .mode = proof->mode,
				    .changed_s = proof->changed_s,
				    .used_s = proof->used_s,
				    .size = proof->size,
				    .count = proof->count};
}

/* The reason to spare it after all. */
static const char *answer_judge(const struct removal *removal, const struct sysv_proof *proof,
				const struct sysv_query *answer)
{
	if (answer->answer != SYSV_FOUND || answer->flags & SYSV_TOO_MANY)
		return sysv_verdict_reason(SYSV_NOT_VISIBLE);
	if (answer->flags & SYSV_WAITED_FOR ||
	    sysv_tasks_blocked(removal->tasks, removal->ipcns, proof->kind, proof->id))
		return sysv_verdict_reason(SYSV_HAS_SLEEPER);
	if (answer->flags & SYSV_IN_USE)
		return sysv_verdict_reason(SYSV_HAS_USER);
	return sysv_users_digest(answer) == proof->users ? NULL : "used-meanwhile";
}

/* True when it may be removed now; else the outcome is set. */
static bool proof_holds(const struct removal *removal, struct gb_reap_item *item)
{
	const struct sysv_proof *proof = proof_of(item);
	struct sysv_object judged = object_of(proof), seen = judged;
	const char *reason;
	int r = sysv_objects_answer(removal->kernel, removal->ipcns, &judged, 1);

	if (r < 0) {
		item_set(item, GB_FAILED, r, "its users cannot be looked at");
		return false;
	}
	r = sysv_object_again(proof->kind, proof->id, &seen);
	if (r < 0) {
		item_set(item, is_gone(r) ? GB_HEALED : GB_FAILED, is_gone(r) ? 0 : r, NULL);
		return false;
	}
	reason = answer_judge(removal, proof, &judged.answer);
	if (!reason && seen.kind == SYSV_SHM && seen.count)
		reason = sysv_verdict_reason(SYSV_IS_ATTACHED);
	judged.answer = seen.answer;
	if (!reason && !sysv_object_same(&judged, &seen))
		reason = "used-meanwhile";
	if (reason)
		item_set(item, GB_SPARED, 0, reason);
	return !reason;
}

static void item_remove(struct removal *removal, struct gb_reap_item *item)
{
	const struct sysv_proof *proof = proof_of(item);
	struct sysv_object left = object_of(proof);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int r;

	if (!proof_holds(removal, item))
		return;
	r = sysv_object_remove(proof->kind, proof->id);
	if (r < 0) {
		item_set(item, is_gone(r) ? GB_HEALED : GB_FAILED, is_gone(r) ? 0 : r, "IPC_RMID");
		return;
	}
	r = sysv_object_again(proof->kind, proof->id, &left);
	if (r == 0) {
		/* Somebody attached in the microseconds between the last look and the removal: he keeps his memory. */
		item_set(item, GB_FAILED, -EBUSY, "attached at that very moment: it goes with its last detach");
		return;
	}
	item_set(item, GB_REAPED, 0, NULL);
	removal->objects[proof->kind]++;
	if (proof->kind == SYSV_SHM)
		removal->bytes += (proof->size + page - 1) / page * page;
	if (proof->kind == SYSV_SEM)
		removal->semaphores += proof->size;
}

/* For gb_host.ns_run. */
static int removal_run(void *arg)
{
	struct removal *removal = arg;

	sysv_totals_read(&removal->before);
	for (uint32_t i = 0; i < removal->count; i++)
		item_remove(removal, removal->items[i]);
	sysv_totals_read(&removal->after);
	return 0;
}

/* What the kernel counts less of; others may have made and removed objects meanwhile, so never more than was removed. */
static uint64_t less(uint64_t before, uint64_t after, uint64_t most)
{
	uint64_t difference = before > after ? before - after : 0;

	return difference < most ? difference : most;
}

static void given_back_add(struct sysv_given_back *back, const struct removal *removal)
{
	const struct sysv_totals *before = &removal->before, *after = &removal->after;

	back->segments += less(before->objects[SYSV_SHM], after->objects[SYSV_SHM], removal->objects[SYSV_SHM]);
	back->sets += less(before->objects[SYSV_SEM], after->objects[SYSV_SEM], removal->objects[SYSV_SEM]);
	back->queues += less(before->objects[SYSV_MSG], after->objects[SYSV_MSG], removal->objects[SYSV_MSG]);
	back->bytes += less(before->shm_bytes, after->shm_bytes, removal->bytes);
	back->semaphores += less(before->semaphores, after->semaphores, removal->semaphores);
}

/* The next items of one namespace. */
static void removal_fill(struct removal *removal, struct gb_reap *reap)
{
	removal->count = 0;
	for (uint32_t i = 0; i < reap->count && removal->count < CHUNK; i++) {
		struct gb_reap_item *item = &reap->items[i];

		if (item->outcome != GB_PENDING)
			continue;
		if (item->proof_size != sizeof(struct sysv_proof)) {
			item_set(item, GB_FAILED, -EINVAL, "the proof is not of this plugin");
			continue;
		}
		if (removal->count == 0)
			removal->ipcns = proof_of(item)->ipcns;
		if (proof_of(item)->ipcns == removal->ipcns)
			removal->items[removal->count++] = item;
	}
}

static void items_settle(struct sysv *sysv, const struct removal *removal, int error)
{
	for (uint32_t i = 0; i < removal->count; i++) {
		struct gb_reap_item *item = removal->items[i];
		struct sysv_known *known;

		if (error == -ESRCH &&
		    item->outcome == GB_PENDING) /* the namespace has gone, with all that was in it */
			item_set(item, GB_HEALED, 0, NULL);
		else if (item->outcome == GB_PENDING)
			item_set(item, GB_FAILED, error, "its IPC namespace cannot be entered");
		known = sysv_known_find(&sysv->known, item->key);
		if (known && (item->outcome == GB_REAPED || item->outcome == GB_HEALED))
			sysv_known_remove(&sysv->known, known);
	}
}

/* Who sleeps now; a scan that is under way begins anew with the next slice. */
static int tasks_look(struct sysv *sysv)
{
	int r = sysv_tasks_begin(&sysv->tasks, &sysv->kernel);

	while (r == 0 && (r = sysv_tasks_read(&sysv->tasks, UINT64_MAX)) == 1)
		r = 0;
	return r;
}

int sysv_reap(struct sysv *sysv, struct gb_reap *reap)
{
	static struct removal removal; /* one thread, never re-entered */
	struct gb_ns ns = {.kind = GB_NS_IPC, .socket_fd = -1};
	int r = tasks_look(sysv);

	if (r < 0)
		return r;
	do {
		removal = (struct removal){.kernel = &sysv->kernel, .tasks = &sysv->tasks};
		removal_fill(&removal, reap);
		if (!removal.count)
			break;
		ns.inode = removal.ipcns;
		ns.pid = proof_of(removal.items[0])->pid;
		r = sysv->host->ns_run(sysv->host, &ns, removal_run, &removal);
		if (r == 0)
			given_back_add(&sysv->given_back, &removal);
		items_settle(sysv, &removal, r);
	} while (sysv_now(sysv) < reap->until_ns);
	sysv_numbers_tell(sysv);
	for (uint32_t i = 0; i < reap->count; i++)
		if (reap->items[i].outcome == GB_PENDING)
			return GB_MORE;
	return GB_DONE;
}
