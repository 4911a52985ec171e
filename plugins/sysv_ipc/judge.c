/* SPDX-License-Identifier: Apache-2.0 */
/* From what is known of one object to a verdict. */
#include <string.h>

#include "ipc.h"

#define PRESSURE_LOOK_NS \
	(1 * GB_MINUTE) /* when it is all that an object waits for; nobody tells when a limit is near */

const char *sysv_verdict_reason(enum sysv_verdict verdict)
{
	switch (verdict) {
	case SYSV_GHOST:
		return NULL;
	case SYSV_IS_ATTACHED:
		return "attached";
	case SYSV_HAS_SLEEPER:
		return "waited-for";
	case SYSV_HAS_USER:
		return "user-alive";
	case SYSV_NOT_VISIBLE:
		return "user-unknown";
	case SYSV_TOO_YOUNG:
		return "too-young";
	case SYSV_NO_CREATOR:
		return "creator-unknown";
	case SYSV_IS_FORGOTTEN:
		return "user-forgotten";
	case SYSV_HAS_MESSAGES:
		return "has-messages";
	case SYSV_KEPT_ON_PURPOSE:
		return "kept-on-purpose";
	case SYSV_HAS_KEY:
		return "keyed";
	case SYSV_OF_SYSTEM:
		return "system-user";
	case SYSV_NO_PRESSURE:
		return "no-pressure";
	}
	return "unknown";
}

static uint32_t percent_of(uint64_t used, uint64_t limit)
{
	if (!limit)
		return 100;
	return used >= limit ? 100 : (uint32_t)((__extension__(unsigned __int128) used * 100) / limit);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

uint32_t sysv_used_percent(const struct sysv_usage *usage, uint32_t kind)
{
	switch ((enum sysv_kind)kind) {
	case SYSV_SHM:
		return larger(percent_of(usage->objects[SYSV_SHM], usage->limits.shmmni),
			      percent_of(usage->shm_pages, usage->limits.shmall));
	case SYSV_SEM:
		return larger(percent_of(usage->objects[SYSV_SEM], usage->limits.semmni),
			      percent_of(usage->semaphores, usage->limits.semmns));
	case SYSV_MSG:
		return percent_of(usage->objects[SYSV_MSG], usage->limits.msgmni);
	}
	return 0;
}

uint64_t sysv_users_digest(const struct sysv_query *answer)
{
	uint64_t digest = UINT64_C(14695981039346656037); /* FNV-1a, by words */

	for (uint32_t i = 0; i < answer->user_count && i < SYSV_USERS_MAX; i++)
		digest = (digest ^ answer->users[i].pid) * UINT64_C(1099511628211);
	return digest;
}

/* For semaphores and queues no creator is kept: anybody of that user who is old enough may be it. */
static bool creator_may_live(const struct sysv *sysv, const struct sysv_object *object, const struct sysv_known *known)
{
	const struct sysv_sweep *sweep = &sysv->sweep;
	uint64_t elder_ns;

	return object->kind != SYSV_SHM &&
	       sysv_kernel_elder(&sysv->kernel, sweep->visit.ns.ipcns, object->creator_uid, &elder_ns) &&
	       elder_ns <= sysv_known_made_ns(known, object, &sysv->clocks, &sweep->moment);
}

/* Somebody is dead of whom an exemption may have held, and it was lost who that was. */
static bool user_is_forgotten(const struct sysv_finding *finding)
{
	const struct sysv_known *known = finding->known;

	for (uint32_t i = 0; i < finding->people_count; i++)
		if (!finding->people[i] || finding->people[i]->forgotten)
			return true;
	return known->forgotten && !known->creator;
}

static uint32_t facts_of(const struct sysv *sysv, const struct sysv_finding *finding)
{
	const struct sysv_object *object = finding->object;
	const struct sysv_query *answer = &object->answer;
	uint32_t facts = 0;

	if (object->kind == SYSV_SHM && object->count)
		facts |= SYSV_ATTACHED;
	if (object->kind == SYSV_MSG && object->count)
		facts |= SYSV_MESSAGES;
	if (answer->flags & SYSV_WAITED_FOR ||
	    sysv_tasks_blocked(&sysv->tasks, sysv->sweep.visit.ns.ipcns, object->kind, object->id))
		facts |= SYSV_SLEEPER;
	if (answer->flags & SYSV_IN_USE)
		facts |= SYSV_USER_ALIVE;
	if (answer->answer != SYSV_FOUND || answer->flags & SYSV_TOO_MANY || object->hidden_user)
		facts |= SYSV_USER_UNKNOWN;
	if (creator_may_live(sysv, object, finding->known))
		facts |= SYSV_CREATOR_UNKNOWN;
	if (user_is_forgotten(finding))
		facts |= SYSV_USER_FORGOTTEN;
	if (object->key)
		facts |= SYSV_KEYED;
	if (sysv_is_system_uid(object->uid) || sysv_is_system_uid(object->creator_uid))
		facts |= SYSV_SYSTEM_USER;
	if (sysv_kept_by(object->kind, object->key))
		facts |= SYSV_ON_PURPOSE;
	return facts;
}

/* Takes in who may have made it and has ended since the last scan. */
static void creator_see(const struct sysv *sysv, struct sysv_known *known)
{
	struct sysv_creator_key key = {.ipcns = known->ipcns, .kind = known->kind, .id = known->id};
	static struct sysv_creator creator; /* one thread, never re-entered */

	if (known->kind == SYSV_SHM || !sysv->kernel.users ||
	    sysv_kernel_creator_take(&sysv->kernel, &key, &creator) < 0)
		return;
	if (!known->creator)
		known->creator = sysv_person_new(&creator.gone);
	else if (sysv_person_is(known->creator, &creator.gone))
		return;
	known->creator_candidates += creator.candidates;
}

/* The first scan that finds nobody alive who may have made it knows who ended before, unless some were lost by then. */
static void orphan_see(const struct sysv *sysv, const struct sysv_object *object, struct sysv_known *known)
{
	if (known->kind == SYSV_SHM || known->orphaned || creator_may_live(sysv, object, known))
		return;
	known->orphaned = true;
	known->forgotten = sysv_kernel_missed(&sysv->kernel) > 0;
}

static void people_see(struct sysv *sysv, struct sysv_finding *finding)
{
	const struct sysv_query *answer = &finding->object->answer;

	for (uint32_t i = 0; i < answer->user_count && i < SYSV_USERS_MAX; i++)
		finding->people[finding->people_count++] = sysv_people_see(
			&sysv->people, sysv->host, &sysv->kernel, &answer->users[i], sysv->sweep.moment.now_ns);
}

/* Who is only likely to have made it opens nothing: rules look at what the kernel keeps. */
static void policy_find(struct sysv *sysv, struct sysv_finding *finding)
{
	const struct sysv_object *object = finding->object;
	struct gb_owner owners[SYSV_USERS_MAX + 1];
	struct sysv_subject subject = {
		.kind = object->kind, .key = object->key, .uid = object->uid, .creator_uid = object->creator_uid};
	uint32_t count = 0;

	for (uint32_t i = 0; i < finding->people_count; i++)
		if (finding->people[i] && finding->people[i]->described)
			owners[count++] = sysv_person_owner(finding->people[i]);
	/* Nothing but the user is kept of the creator of a semaphore set or a queue. */
	if (count == 0)
		owners[count++] = (struct gb_owner){.struct_size = sizeof(owners[0]),
						    .uid = object->creator_uid,
						    .comm = "",
						    .exe = "",
						    .cgroup = "",
						    .unit = "",
						    .container = "",
						    .pod = ""};
	finding->policy = sysv_policy_of(sysv->config, sysv->host, &subject, owners, count);
}

void sysv_judge_object(struct sysv *sysv, const struct sysv_object *object)
{
	struct sysv_sweep *sweep = &sysv->sweep;
	struct sysv_known *known = sysv_known_see(&sysv->known, sweep->visit.ns.ipcns, object, &sweep->moment);
	struct sysv_finding finding = {.object = object, .known = known};
	enum sysv_verdict verdict;
	uint64_t due_ns;

	if (!known) {
		sweep->skipped++;
		return;
	}
	finding.key = known->key;
	creator_see(sysv, known);
	orphan_see(sysv, object, known);
	people_see(sysv, &finding);
	policy_find(sysv, &finding);
	finding.unused_ns = sysv_known_unused_ns(known, &sweep->moment);
	verdict = sysv_judge(facts_of(sysv, &finding), finding.unused_ns,
			     sysv_used_percent(&sweep->usage, object->kind), &finding.policy.limits);
	due_ns = sweep->moment.now_ns + finding.policy.limits.timeout_ns;
	if (finding.unused_ns < finding.policy.limits.timeout_ns) {
		due_ns -= finding.unused_ns;
		if (known->told) { /* used again, or given more time */
			sysv->host->heal(sysv->host, known->key);
			known->told = false;
		}
	} else {
		finding.reason = sysv_verdict_reason(verdict);
		known->told = true;
		sysv_report(sysv, &finding);
		if (verdict == SYSV_NO_PRESSURE && due_ns > sweep->moment.now_ns + PRESSURE_LOOK_NS)
			due_ns = sweep->moment.now_ns + PRESSURE_LOOK_NS;
	}
	if (due_ns < sweep->next_ns)
		sweep->next_ns = due_ns;
}
