/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "aftermath.h"

#include <stdlib.h>

static struct carrier *carrier_find(const struct aftermath *aftermath, const struct carrier_id *id)
{
	struct carrier *carrier;

	HASH_FIND(hh, aftermath->carriers, id, sizeof(*id), carrier);
	return carrier;
}

static void carrier_drop(struct aftermath *aftermath, struct carrier *carrier)
{
	HASH_DEL(aftermath->carriers, carrier);
	owner_unref(carrier->owner);
	free(carrier);
}

/* NULL: there is no room for it. */
static struct carrier *carrier_add(struct aftermath *aftermath, const struct carrier_id *id, struct owner *owner)
{
	struct carrier *carrier = HASH_COUNT(aftermath->carriers) < CARRIERS_MAX ? calloc(1, sizeof(*carrier)) : NULL;

	if (!carrier)
		return NULL;
	carrier->id = *id;
	HASH_ADD(hh, aftermath->carriers, id, sizeof(carrier->id), carrier);
	if (!carrier->hh.tbl) {
		free(carrier);
		return NULL;
	}
	carrier->owner = owner_ref(owner);
	return carrier;
}

static bool has_line(struct aftermath *aftermath, uint64_t now_ns)
{
	if (!aftermath->minute_ns || now_ns - aftermath->minute_ns >= (uint64_t)GB_MINUTE) {
		aftermath->minute_ns = now_ns;
		aftermath->lines = 0;
	}
	return aftermath->lines < AFTERMATH_LINES_MAX && ++aftermath->lines;
}

bool aftermath_take(struct aftermath *aftermath, struct owner *owner, uint64_t reacted, uint64_t dead, uint64_t now_ns,
		    uint64_t *ret_reacted)
{
	const struct carrier_id id = {.pid = owner->public.pid, .start_ticks = owner->public.start_ticks};
	struct carrier *carrier = carrier_find(aftermath, &id);
	bool worth;

	if (!carrier && dead)
		carrier = carrier_add(aftermath, &id, owner);
	if (!carrier) {
		*ret_reacted = reacted;
		return (reacted || dead) && has_line(aftermath, now_ns);
	}
	carrier->dead = dead;
	carrier->reacted += reacted;
	worth = (carrier->reacted || dead != carrier->said_dead) &&
		(!dead || !carrier->said_ns || now_ns - carrier->said_ns >= AFTERMATH_QUIET_NS) &&
		has_line(aftermath, now_ns);
	*ret_reacted = carrier->reacted;
	if (worth) {
		carrier->said_dead = dead;
		carrier->said_ns = now_ns;
		carrier->reacted = 0;
	}
	if (!dead)
		carrier_drop(aftermath, carrier);
	return worth;
}

void aftermath_forget(struct aftermath *aftermath, int32_t pid, uint64_t start_ticks)
{
	struct carrier *carrier = carrier_find(aftermath, &(struct carrier_id){.pid = pid, .start_ticks = start_ticks});

	if (carrier)
		carrier_drop(aftermath, carrier);
}

void aftermath_fini(struct aftermath *aftermath)
{
	struct carrier *carrier, *next;

	HASH_ITER (hh, aftermath->carriers, carrier, next)
		carrier_drop(aftermath, carrier);
	*aftermath = (struct aftermath){0};
}
