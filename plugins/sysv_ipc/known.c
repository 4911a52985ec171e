/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "known.h"

#include <stdlib.h>

#include <eghostbuster/plugin.h>

#define STEP_NS (2 * GB_SECOND) /* of the wall clock: more than an adjustment */

/* The kernel's times are whole seconds of a coarse clock, and the wall clock may have been moved by STEP_NS unseen. */
#define SLACK_NS (STEP_NS + 2 * GB_SECOND)

void sysv_clocks_see(struct sysv_clocks *clocks, struct sysv_moment *moment)
{
	int64_t offset_ns = (int64_t)(moment->wall_ns - moment->boot_ns), step_ns = offset_ns - clocks->offset_ns;

	moment->set = clocks->known && (step_ns > STEP_NS || step_ns < -STEP_NS);
	clocks->ever_set |= moment->set;
	if (clocks->known && !moment->set)
		return;
	clocks->offset_ns = offset_ns;
	clocks->known = true;
}

/* Nothing outlives a boot: a time before it says that the wall clock was set since. */
static bool is_before_boot(int64_t wall_s, const struct sysv_moment *moment)
{
	return wall_s < 0 || (uint64_t)wall_s * GB_SECOND + SLACK_NS + moment->boot_ns < moment->wall_ns;
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t sysv_known_key(uint32_t ipcns, const struct sysv_object *object)
{
	uint64_t key = mix((uint64_t)ipcns << 32 | (uint32_t)object->id);

	key = mix(key ^ (uint64_t)object->changed_s);
	key = mix(key ^ object->size);
	return mix(key ^ ((uint64_t)object->creator_uid << 32 | object->kind));
}

struct sysv_known *sysv_known_find(const struct sysv_known_table *table, uint64_t key)
{
	struct sysv_known *known;

	HASH_FIND(hh, table->head, &key, sizeof(key), known);
	return known;
}

static struct sysv_known *known_add(struct sysv_known_table *table, uint64_t key)
{
	struct sysv_known *known;

	if (HASH_COUNT(table->head) >= SYSV_KNOWN_MAX)
		return NULL;
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->key = key;
	HASH_ADD(hh, table->head, key, sizeof(known->key), known);
	if (!known->hh.tbl) {
		free(known);
		return NULL;
	}
	return known;
}

struct sysv_known *sysv_known_see(struct sysv_known_table *table, uint32_t ipcns, const struct sysv_object *object,
				  const struct sysv_moment *moment)
{
	uint64_t key = sysv_known_key(ipcns, object);
	struct sysv_known *known = sysv_known_find(table, key);
	bool used = !known || known->used_s != object->used_s;

	if (!known) {
		known = known_add(table, key);
		if (!known)
			return NULL;
		known->ipcns = ipcns;
		known->kind = object->kind;
		known->id = object->id;
		known->first_ns = moment->now_ns;
		known->first_boot_ns = moment->boot_ns;
		/* It was not there when everything was looked at the last time. */
		known->seen_ns = moment->complete_ns;
	}
	/* Used at some time since the scan before: when, says the wall clock alone. */
	if (used)
		known->idle_since_ns = moment->set ? moment->now_ns : known->seen_ns;
	/* What the wall clock says of the time before it was set is worth nothing. */
	else if (moment->set && known->idle_since_ns < known->seen_ns)
		known->idle_since_ns = known->seen_ns;
	if (is_before_boot(object->used_s, moment) && known->idle_since_ns < known->first_ns)
		known->idle_since_ns = known->first_ns;
	known->used_s = object->used_s;
	known->seen_ns = moment->now_ns;
	return known;
}

uint64_t sysv_known_unused_ns(const struct sysv_known *known, const struct sysv_moment *moment)
{
	return sysv_unused_ns(moment->wall_ns, known->used_s, moment->now_ns - known->idle_since_ns);
}

uint64_t sysv_known_made_ns(const struct sysv_known *known, const struct sysv_object *object,
			    const struct sysv_clocks *clocks, const struct sysv_moment *moment)
{
	uint64_t made_ns = 0, age_ns = 0;

	if (object->changed_s >= 0 && (uint64_t)object->changed_s * GB_SECOND < moment->wall_ns)
		age_ns = moment->wall_ns - (uint64_t)object->changed_s * GB_SECOND;
	if (age_ns < moment->boot_ns)
		made_ns = moment->boot_ns - age_ns;
	/* All that is sure is that it was there when it was seen first. */
	if ((clocks->ever_set || is_before_boot(object->changed_s, moment)) && known->first_boot_ns > made_ns)
		made_ns = known->first_boot_ns;
	return made_ns + SLACK_NS;
}

void sysv_known_remove(struct sysv_known_table *table, struct sysv_known *known)
{
	HASH_DEL(table->head, known);
	free(known->creator);
	free(known);
}

void sysv_known_fini(struct sysv_known_table *table)
{
	struct sysv_known *known, *next;

	HASH_ITER (hh, table->head, known, next)
		sysv_known_remove(table, known);
}
