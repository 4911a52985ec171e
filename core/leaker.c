/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "leaker.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "owner.h"
#include "word.h"

/* A plugin's name and two texts of at most a path's length each. */
#define KEY_MAX (WORD_LENGTH_MAX + 2 * PATH_MAX + 3)

void leakers_init(struct leakers *leakers, leaker_files files, uint64_t now_ns)
{
	*leakers = (struct leakers){.files = files, .started_ns = now_ns};
}

static void leaker_drop(struct leakers *leakers, struct leaker *leaker)
{
	if (leakers->latest == leaker)
		leakers->latest = NULL;
	HASH_DEL(leakers->by_key, leaker);
	owner_unref(leaker->owner);
	free(leaker);
}

void leakers_fini(struct leakers *leakers)
{
	struct leaker *leaker, *next;

	HASH_ITER (hh, leakers->by_key, leaker, next)
		leaker_drop(leakers, leaker);
	*leakers = (struct leakers){0};
}

static size_t key_add(char *key, size_t length, const char *text)
{
	size_t size = text ? strnlen(text, PATH_MAX) : 0;

	memcpy(key + length, text ? text : "", size);
	key[length + size] = '\0';
	return length + size + 1;
}

static const char *home_of(const struct gb_owner *owner)
{
	const char *const homes[] = {owner->unit, owner->container, owner->pod};

	for (size_t i = 0; i < GB_COUNT(homes); i++)
		if (homes[i] && *homes[i])
			return homes[i];
	return NULL;
}

static size_t key_of(uint16_t plugin, const struct gb_owner *owner, char key[KEY_MAX])
{
	size_t length = key_add(key, 0, word_text(plugin));

	length = key_add(key, length, home_of(owner));
	return key_add(key, length, owner->exe && *owner->exe ? owner->exe : owner->comm);
}

static struct leaker *leaker_find(const struct leakers *leakers, const char *key, size_t length)
{
	struct leaker *leaker;

	HASH_FIND(hh, leakers->by_key, key, length, leaker);
	return leaker;
}

/* NULL: nothing is known of it. */
static struct leaker *leaker_of_owner(const struct leakers *leakers, uint16_t plugin, const struct owner *owner)
{
	char key[KEY_MAX];

	if (leakers->latest && leakers->latest->owner == owner && leakers->latest->plugin == plugin)
		return leakers->latest;
	return leaker_find(leakers, key, key_of(plugin, &owner->public, key));
}

/* Of the first owner; NULL also when it has none. */
static struct leaker *leaker_of(const struct leakers *leakers, const struct ghost *ghost)
{
	return ghost->owner_count ? leaker_of_owner(leakers, ghost->plugin, ghost->owners[0]) : NULL;
}

static struct leaker *leaker_quietest(const struct leakers *leakers)
{
	struct leaker *quietest = leakers->by_key;

	for (struct leaker *leaker = quietest; leaker; leaker = leaker->hh.next)
		if (leaker->last_ns < quietest->last_ns)
			quietest = leaker;
	return quietest;
}

static struct leaker *leaker_add(struct leakers *leakers, const struct ghost *ghost)
{
	char key[KEY_MAX];
	size_t length = key_of(ghost->plugin, &ghost->owners[0]->public, key);
	struct leaker *leaker = calloc(1, sizeof(*leaker) + length);

	if (!leaker)
		return NULL;
	if (HASH_COUNT(leakers->by_key) >= LEAKERS_MAX)
		leaker_drop(leakers, leaker_quietest(leakers));
	leaker->plugin = ghost->plugin;
	leaker->owner = owner_ref(ghost->owners[0]);
	leaker->first_wall_ns = clock_wall_ns();
	memcpy(leaker->key, key, length);
	HASH_ADD(hh, leakers->by_key, key, length, leaker);
	if (leaker->hh.tbl)
		return leaker;
	owner_unref(leaker->owner);
	free(leaker);
	return NULL;
}

static void leaker_touch(struct leakers *leakers, struct leaker *leaker, struct owner *owner, uint64_t now_ns)
{
	leaker->last_ns = now_ns;
	leaker->last_wall_ns = clock_wall_ns();
	leakers->latest = leaker;
	if (leaker->owner == owner)
		return;
	owner_unref(leaker->owner);
	leaker->owner = owner_ref(owner);
}

static struct leaker_process *process_of(struct leaker *leaker, const struct gb_owner *owner, uint64_t now_ns)
{
	struct leaker_process *process = NULL, *oldest = &leaker->processes[0];

	for (uint8_t i = 0; i < leaker->process_count && !process; i++) {
		struct leaker_process *candidate = &leaker->processes[i];

		if (candidate->pid == owner->pid && candidate->start_ticks == owner->start_ticks)
			process = candidate;
		else if (candidate->seen_ns < oldest->seen_ns)
			oldest = candidate;
	}
	if (!process) {
		process = leaker->process_count < LEAKER_PROCESSES_MAX ? &leaker->processes[leaker->process_count++]
								       : oldest;
		*process = (struct leaker_process){.pid = owner->pid, .start_ticks = owner->start_ticks};
	}
	process->seen_ns = now_ns;
	return process;
}

static void process_sample(const struct leakers *leakers, struct leaker_process *process, uint64_t now_ns)
{
	struct leaker_sample *samples = process->samples;
	struct process_files files;

	if (!leakers->files || (samples[1].at_ns && now_ns - samples[1].at_ns < LEAKER_SAMPLE_NS))
		return;
	/* Also when it fails: it is not asked again within the minute. */
	if (leakers->files(process->pid, process->start_ticks, &files) < 0)
		files.open = 0;
	samples[0] = samples[1];
	samples[1] = (struct leaker_sample){.at_ns = now_ns, .open = files.open};
}

/* No word is made of a class that has no place here: words are for ever. */
static void class_count(struct leaker *leaker, const struct ghost *ghost)
{
	const char *class = ghost_class(ghost);
	uint8_t at = 0;

	while (class && at < leaker->class_count && strcmp(word_text(leaker->classes[at].name), class) != 0)
		at++;
	if (!class || at == LEAKER_CLASSES_MAX)
		return;
	if (at == leaker->class_count) {
		leaker->classes[at] = (struct leaker_class){0};
		if (word_id(class, &leaker->classes[at].name) < 0)
			return;
		leaker->class_count++;
	}
	leaker->classes[at].found++;
}

static void birth_count(const struct leakers *leakers, struct leaker *leaker, const struct ghost *ghost,
			uint64_t now_ns)
{
	uint64_t bucket = now_ns / LEAKER_BUCKET_NS;

	/* What was there before the daemon was found all at once, and tells nothing of the rate. */
	if (ghost_age_ns(ghost, now_ns) > now_ns - leakers->started_ns)
		return;
	for (uint64_t i = leaker->bucket + 1; i <= bucket && i <= leaker->bucket + LEAKER_BUCKETS; i++)
		leaker->births[i % LEAKER_BUCKETS] = 0;
	leaker->bucket = bucket;
	leaker->births[bucket % LEAKER_BUCKETS]++;
}

static void found_count(const struct leakers *leakers, struct leaker *leaker, const struct ghost *ghost,
			uint64_t now_ns)
{
	leaker->found++;
	class_count(leaker, ghost);
	birth_count(leakers, leaker, ghost, now_ns);
	process_sample(leakers, process_of(leaker, &ghost->owners[0]->public, now_ns), now_ns);
}

void leakers_count(struct leakers *leakers, const struct ghost *ghost, enum ghost_event event, uint64_t now_ns)
{
	struct leaker *leaker = leaker_of(leakers, ghost);

	/* Who was only ever spared by the policy, or healed, has not leaked. */
	if (!leaker && ghost->owner_count && event != GHOST_EVENT_SPARED && event != GHOST_EVENT_HEALED)
		leaker = leaker_add(leakers, ghost);
	if (!leaker)
		return;
	leaker_touch(leakers, leaker, ghost->owners[0], now_ns);
	switch (event) {
	case GHOST_EVENT_FOUND:
		found_count(leakers, leaker, ghost, now_ns);
		return;
	case GHOST_EVENT_SPARED:
		leaker->spared++;
		return;
	case GHOST_EVENT_REAPED:
		leaker->reaped++;
		return;
	case GHOST_EVENT_HEALED:
		leaker->healed++;
		return;
	case GHOST_EVENT_FAILED:
		leaker->failed++;
		return;
	}
}

void leakers_react(struct leakers *leakers, uint16_t plugin, const struct owner *owner, uint64_t reacted)
{
	struct leaker *leaker = reacted ? leaker_of_owner(leakers, plugin, owner) : NULL;

	if (leaker)
		leaker->reacted += reacted;
}

void leakers_present_none(struct leakers *leakers)
{
	for (struct leaker *leaker = leakers->by_key; leaker; leaker = leaker->hh.next)
		leaker->ghosts = leaker->oldest_ns = leaker->dead = 0;
}

void leakers_present_dead(struct leakers *leakers, uint16_t plugin, const struct owner *owner, uint64_t dead)
{
	struct leaker *leaker = leaker_of_owner(leakers, plugin, owner);

	if (leaker)
		leaker->dead += dead;
}

void leakers_present(struct leakers *leakers, const struct ghost *ghost, uint64_t now_ns)
{
	struct leaker *leaker;
	uint64_t age_ns;

	if (!ghost->found || ghost->state == GHOST_SUSPECT)
		return;
	leaker = leaker_of(leakers, ghost);
	if (!leaker)
		return;
	age_ns = ghost_age_ns(ghost, now_ns);
	leaker->ghosts++;
	if (leaker->oldest_ns < age_ns)
		leaker->oldest_ns = age_ns;
}

uint64_t leaker_rate_hour(const struct leakers *leakers, const struct leaker *leaker, uint64_t now_ns)
{
	uint64_t bucket = now_ns / LEAKER_BUCKET_NS, births = 0;
	uint64_t window_ns = (LEAKER_BUCKETS - 1) * LEAKER_BUCKET_NS + now_ns % LEAKER_BUCKET_NS;

	for (uint64_t i = leaker->bucket; i + LEAKER_BUCKETS > bucket && i + LEAKER_BUCKETS > leaker->bucket; i--) {
		births += leaker->births[i % LEAKER_BUCKETS];
		if (i == 0)
			break;
	}
	if (window_ns > now_ns - leakers->started_ns)
		window_ns = now_ns - leakers->started_ns;
	if (window_ns < LEAKER_BUCKET_NS)
		window_ns = LEAKER_BUCKET_NS;
	return (births * (uint64_t)GB_HOUR + window_ns / 2) / window_ns;
}

uint64_t leaker_runs_out_ns(const struct leaker_process *process, const struct process_files *files, uint64_t now_ns)
{
	const struct leaker_sample *base = process->samples[0].open ? &process->samples[0] : &process->samples[1];
	double left;

	if (!base->open || now_ns - base->at_ns < LEAKER_GROWTH_NS || files->open <= base->open ||
	    files->limit == UINT64_MAX)
		return UINT64_MAX;
	if (files->open >= files->limit)
		return 0;
	left = (double)(files->limit - files->open) * (double)(now_ns - base->at_ns) /
	       (double)(files->open - base->open);
	return left < (double)INT64_MAX ? (uint64_t)left : UINT64_MAX;
}
