/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "aftermath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cw.h"

/* An application that reacts to EPOLLHUP does so at once; one with a pool checks it within seconds. */
#define REACTION_NS (5 * (uint64_t)GB_SECOND)
#define GATHER_NS ((uint64_t)GB_SECOND) /* what was released a little later is looked at together with it */
#define CARRIERS_MAX 4096               /* processes told of with one look; the sockets of further ones are counted */
#define TAKEN_A_LOOK_AT_THE_CLOCK 256

/* Between two looks at what nobody lets go of. Who reacts late is seen late; nobody waits for it. */
static const uint64_t distances_ns[] = {GB_MINUTE, 10 * GB_MINUTE, GB_HOUR};
#define DISTANCE_LAST (sizeof(distances_ns) / sizeof(distances_ns[0]) - 1)

struct carrier_id {
	int32_t pid;
	uint32_t reserved;
	uint64_t start_ticks;
};

struct cw_carrier {
	UT_hash_handle hh;
	struct carrier_id id;
	uint64_t reacted, dead;
};

static void numbers_tell(const struct cw *cw)
{
	cw->host->number(cw->host, "reacted", cw->aftermath.reacted);
	cw->host->number(cw->host, "dead_descriptors", cw->aftermath.dead);
	cw->host->number(cw->host, "unfollowed", cw->aftermath.unfollowed);
}

static void sooner(struct cw_aftermath *aftermath, uint64_t when_ns)
{
	if (aftermath->count == 0 || when_ns < aftermath->next_ns)
		aftermath->next_ns = when_ns;
}

void cw_aftermath_note(struct cw *cw, const struct cw_dead *dead, uint32_t inode)
{
	struct cw_aftermath *aftermath = &cw->aftermath;
	struct cw_dead noted = *dead;

	if (!dead->pid)
		return;
	noted.id = cw->kernel.looks ? dead->id : inode;
	noted.held_by = 0;
	noted.released_ns = cw_now(cw);
	if (aftermath->count == CW_RELEASED_MAX || !noted.id ||
	    array_room(&aftermath->items, &aftermath->capacity, aftermath->count, sizeof(*aftermath->items)) < 0) {
		aftermath->unfollowed++; /* told with the next look: this may be the ten thousandth in a row */
		return;
	}
	if (aftermath->count == 0)
		aftermath->looked_ns = noted.released_ns; /* a pass before its time is of no use */
	sooner(aftermath, noted.released_ns + REACTION_NS + GATHER_NS);
	aftermath->items[aftermath->count++] = noted;
	cw->host->wake_at(cw->host, aftermath->next_ns);
}

uint64_t cw_aftermath_next(const struct cw *cw)
{
	return cw->aftermath.count ? cw->aftermath.next_ns : UINT64_MAX;
}

bool cw_aftermath_due(const struct cw *cw, uint64_t now_ns)
{
	return cw_aftermath_next(cw) <= now_ns;
}

/* ---- a look ---- */

/* Tells the kernel those that it does not know yet; what it has no room for is not followed. */
static void released_tell(struct cw *cw)
{
	static uint64_t socks[CW_TOLD_AT_ONCE], cookies[CW_TOLD_AT_ONCE]; /* one thread, never re-entered */
	struct cw_aftermath *aftermath = &cw->aftermath;

	while (aftermath->told < aftermath->count) {
		uint32_t count = 0;

		for (size_t i = aftermath->told; i < aftermath->count && count < CW_TOLD_AT_ONCE; i++, count++) {
			socks[count] = aftermath->items[i].id;
			cookies[count] = aftermath->items[i].cookie;
		}
		if (cw->kernel.looks && cw_kernel_released_add(&cw->kernel, socks, cookies, &count) < 0) {
			aftermath->told += count;
			aftermath->unfollowed += aftermath->count - aftermath->told;
			aftermath->count = aftermath->told;
		} else {
			aftermath->told += count;
		}
	}
}

static void inodes_tell(const struct cw *cw, bool want)
{
	const struct cw_aftermath *aftermath = &cw->aftermath;

	for (size_t i = 0; i < aftermath->count && !cw->kernel.looks; i++) {
		if (want)
			cw_kernel_want_dead_inode(&cw->kernel, (uint32_t)aftermath->items[i].id);
		else
			cw_kernel_unwant_inode(&cw->kernel, (uint32_t)aftermath->items[i].id);
	}
}

void cw_aftermath_begin(struct cw *cw, uint64_t now_ns)
{
	struct cw_aftermath *aftermath = &cw->aftermath;

	if (aftermath->count == 0 || (!cw_aftermath_due(cw, now_ns) && now_ns < aftermath->looked_ns + REACTION_NS))
		return;
	released_tell(cw);
	aftermath->looking = true;
	aftermath->looked_ns = now_ns;
	aftermath->at = aftermath->kept = 0;
	aftermath->fresh_ns = UINT64_MAX;
	aftermath->changed = aftermath->counted = false;
	aftermath->telling = NULL;
	for (struct cw_carrier *carrier = aftermath->carriers; carrier; carrier = carrier->hh.next)
		carrier->reacted = carrier->dead = 0;
	inodes_tell(cw, true);
	cw_kernel_tell_released(&cw->kernel, true);
}

void cw_aftermath_end(struct cw *cw, bool ok)
{
	struct cw_aftermath *aftermath = &cw->aftermath;

	if (!aftermath->looking)
		return;
	cw_kernel_tell_released(&cw->kernel, false);
	inodes_tell(cw, false);
	if (ok) {
		aftermath->dead = 0;
		return;
	}
	/* It may have been taken in by half. */
	memmove(aftermath->items + aftermath->kept, aftermath->items + aftermath->at,
		(aftermath->count - aftermath->at) * sizeof(*aftermath->items));
	aftermath->count -= aftermath->at - aftermath->kept;
	aftermath->told = aftermath->count;
	aftermath->looking = false;
	aftermath->next_ns = aftermath->looked_ns + REACTION_NS;
}

/* NULL: there is no room for it. */
static struct cw_carrier *carrier_of(struct cw_aftermath *aftermath, int32_t pid, uint64_t start_ticks)
{
	const struct carrier_id id = {.pid = pid, .start_ticks = start_ticks};
	struct cw_carrier *carrier;

	HASH_FIND(hh, aftermath->carriers, &id, sizeof(id), carrier);
	if (carrier || HASH_COUNT(aftermath->carriers) >= CARRIERS_MAX)
		return carrier;
	carrier = calloc(1, sizeof(*carrier));
	if (!carrier)
		return NULL;
	carrier->id = id;
	HASH_ADD(hh, aftermath->carriers, id, sizeof(carrier->id), carrier);
	if (carrier->hh.tbl)
		return carrier;
	free(carrier);
	return NULL;
}

static bool is_of(const struct cw_holding *holding, const struct cw_dead *dead, bool by_address)
{
	return holding->flags & CW_HOLDING_DEAD && (!by_address || holding->cookie_half == (uint32_t)dead->cookie);
}

/* Counts who still has it. False when nobody does. */
static bool held_count(struct cw *cw, struct cw_dead *dead, bool fresh)
{
	struct cw_aftermath *aftermath = &cw->aftermath;
	size_t count;
	const struct cw_holding *held = cw_holders_of(&cw->sweep.holders, dead->id, &count);
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		struct cw_carrier *carrier;

		if (!is_of(&held[i], dead, cw->kernel.looks))
			continue;
		aftermath->changed |= !fresh && !dead->held_by;
		if (!fresh)
			dead->held_by = held[i].tgid;
		found = true;
		carrier = fresh ? NULL : carrier_of(aftermath, held[i].tgid, cw_holding_start_ticks(&held[i]));
		aftermath->dead += !fresh;
		if (carrier)
			carrier->dead++;
	}
	return found;
}

/* True when it is to be followed on. */
static bool dead_take(struct cw *cw, struct cw_dead *dead)
{
	struct cw_aftermath *aftermath = &cw->aftermath;
	bool fresh = aftermath->looked_ns < dead->released_ns + REACTION_NS;
	struct cw_carrier *carrier;

	if (held_count(cw, dead, fresh)) {
		if (fresh && dead->released_ns < aftermath->fresh_ns)
			aftermath->fresh_ns = dead->released_ns;
		return true;
	}
	if (cw->kernel.looks)
		cw_kernel_released_remove(&cw->kernel, dead->id, dead->cookie);
	aftermath->changed = true;
	carrier = carrier_of(aftermath, dead->pid, dead->start_ticks);
	if (carrier)
		carrier->reacted++;
	else
		aftermath->reacted++;
	return false;
}

/* Who has ended has not reacted: the host knows. */
static void carrier_tell(struct cw *cw, struct cw_carrier *carrier)
{
	struct cw_aftermath *aftermath = &cw->aftermath;
	const struct gb_aftermath told = {.struct_size = sizeof(told),
					  .flags = cw->kernel.looks ? 0 : GB_AFTERMATH_UNSURE,
					  .pid = carrier->id.pid,
					  .start_ticks = carrier->id.start_ticks,
					  .reacted = carrier->reacted,
					  .dead = carrier->dead};
	int r = GB_HOST_HAS(cw->host, aftermath) ? cw->host->aftermath(cw->host, &told) : 0;

	if (r != -ESRCH)
		aftermath->reacted += carrier->reacted;
	if (carrier->dead && r != -ESRCH)
		return;
	HASH_DEL(aftermath->carriers, carrier);
	free(carrier);
}

static void look_finish(struct cw *cw)
{
	struct cw_aftermath *aftermath = &cw->aftermath;

	aftermath->looking = false;
	if (aftermath->changed)
		aftermath->distance = 0;
	aftermath->next_ns = aftermath->looked_ns + distances_ns[aftermath->distance];
	if (aftermath->distance < DISTANCE_LAST)
		aftermath->distance++;
	/* While releases go on, a look every REACTION_NS is enough. */
	if (aftermath->fresh_ns != UINT64_MAX) {
		uint64_t fresh_due_ns = aftermath->fresh_ns + REACTION_NS + GATHER_NS;
		uint64_t least_ns = aftermath->looked_ns + REACTION_NS;

		aftermath->next_ns = fresh_due_ns > least_ns ? fresh_due_ns : least_ns;
	}
	numbers_tell(cw);
}

int cw_aftermath_take(struct cw *cw, uint64_t until_ns)
{
	struct cw_aftermath *aftermath = &cw->aftermath;

	if (!aftermath->looking)
		return 0;
	while (aftermath->at < aftermath->count) {
		struct cw_dead dead = aftermath->items[aftermath->at++];

		if (dead_take(cw, &dead))
			aftermath->items[aftermath->kept++] = dead;
		if (aftermath->at % TAKEN_A_LOOK_AT_THE_CLOCK == 0 && cw_now(cw) >= until_ns)
			return 1;
	}
	aftermath->at = aftermath->count = aftermath->told = aftermath->kept;
	if (!aftermath->counted)
		aftermath->telling = aftermath->carriers;
	aftermath->counted = true;
	while (aftermath->telling) {
		struct cw_carrier *carrier = aftermath->telling;

		aftermath->telling = carrier->hh.next;
		carrier_tell(cw, carrier);
		if (aftermath->telling && cw_now(cw) >= until_ns)
			return 1;
	}
	look_finish(cw);
	return 0;
}

/* ---- the rest ---- */

static void carriers_drop(struct cw_aftermath *aftermath)
{
	struct cw_carrier *carrier, *next;

	HASH_ITER (hh, aftermath->carriers, carrier, next) {
		HASH_DEL(aftermath->carriers, carrier);
		free(carrier);
	}
}

void cw_aftermath_reload(struct cw *cw, bool same_ids)
{
	struct cw_aftermath *aftermath = &cw->aftermath;

	aftermath->told = 0;
	if (same_ids)
		return;
	aftermath->unfollowed += aftermath->count;
	aftermath->count = 0;
}

int cw_aftermath_explain(const struct cw *cw, uint64_t cookie, const struct gb_explain *explain)
{
	const struct cw_aftermath *aftermath = &cw->aftermath;
	char text[160];
	size_t i = 0;

	while (i < aftermath->count && aftermath->items[i].cookie != cookie)
		i++;
	if (i == aftermath->count)
		return -ENOENT;
	if (aftermath->items[i].held_by)
		snprintf(text, sizeof(text), "When it was last looked at, process %d %s its descriptor.",
			 aftermath->items[i].held_by, cw->kernel.looks ? "still held" : "may still have held");
	else
		snprintf(text, sizeof(text), "Whether its owner closes the descriptor is looked at after %d s.",
			 (int)(REACTION_NS / (uint64_t)GB_SECOND));
	explain->advice(explain, text);
	return 0;
}

void cw_aftermath_fini(struct cw_aftermath *aftermath)
{
	carriers_drop(aftermath);
	free(aftermath->items);
	*aftermath = (struct cw_aftermath){0};
}
