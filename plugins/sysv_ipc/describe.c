/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: the resource, the evidence, how full the namespaces are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ipc.h"

static void resource_format(const struct sysv *sysv, const struct sysv_object *object, char *text, size_t size)
{
	static const char *const units[] = {
		[SYSV_SHM] = "bytes", [SYSV_SEM] = "semaphores", [SYSV_MSG] = "bytes at most"};
	char key[16] = "private";

	if (object->key)
		snprintf(key, sizeof(key), "0x%08" PRIx32, object->key);
	snprintf(text, size, "%s %" PRId32 " key %s, %" PRIu64 " %s, ipc:[%" PRIu32 "]", sysv_kind_name(object->kind),
		 object->id, key, object->size, units[object->kind], sysv->sweep.visit.ns.ipcns);
}

struct evidence {
	struct gb_field list[GB_EVIDENCE_MAX];
	uint32_t count;
};

static void field_add(struct evidence *evidence, const char *name, enum gb_field_type type, uint64_t value,
		      const char *text)
{
	if (evidence->count < GB_EVIDENCE_MAX)
		evidence->list[evidence->count++] =
			(struct gb_field){.name = name, .type = type, .value = value, .text = text};
}

static void text_add(struct evidence *evidence, const char *name, const char *text)
{
	if (text && text[0])
		field_add(evidence, name, GB_FIELD_TEXT, 0, text);
}

static void person_add(struct evidence *evidence, const char *const *names, const struct sysv_person *person)
{
	if (person->number)
		field_add(evidence, names[0], GB_FIELD_INTEGER, (uint64_t)person->number, NULL);
	text_add(evidence, names[1], person->comm);
	text_add(evidence, names[2], person->exe);
	text_add(evidence, names[3], person->unit);
	text_add(evidence, names[4], person->container);
}

/*
 * Shared memory: the creator, and the last user when that is another. Else: a last user, and the creator when just one
 * process may be it; of several, their number.
 */
static void people_add(struct evidence *evidence, const struct sysv_finding *finding)
{
	static const char *const creator[] = {"creator_pid", "creator_comm", "creator_exe", "creator_unit",
					      "creator_container"};
	static const char *const user[] = {"user_pid", "user_comm", "user_exe", "user_unit", "user_container"};
	const struct sysv_known *known = finding->known;
	bool shm = finding->object->kind == SYSV_SHM;

	if (known->creator) {
		field_add(evidence, "creator_candidates", GB_FIELD_INTEGER, known->creator_candidates, NULL);
		if (known->creator_candidates == 1)
			person_add(evidence, creator, known->creator);
	}
	if (finding->people_count && finding->people[0])
		person_add(evidence, shm ? creator : user, finding->people[0]);
	if (shm && finding->people_count > 1 && finding->people[1] && finding->people[1] != finding->people[0])
		person_add(evidence, user, finding->people[1]);
}

static void evidence_fill(const struct sysv *sysv, const struct sysv_finding *finding, struct evidence *evidence)
{
	static const char *const sizes[] = {[SYSV_SHM] = "size", [SYSV_SEM] = "semaphores", [SYSV_MSG] = "capacity"};
	const struct sysv_object *object = finding->object;

	field_add(evidence, "kind", GB_FIELD_TEXT, 0, sysv_kind_name(object->kind));
	field_add(evidence, "ipc_id", GB_FIELD_INTEGER, (uint64_t)object->id, NULL);
	field_add(evidence, "key", GB_FIELD_INTEGER, object->key, NULL);
	field_add(evidence, sizes[object->kind], object->kind == SYSV_SEM ? GB_FIELD_INTEGER : GB_FIELD_BYTES,
		  object->size, NULL);
	if (object->kind == SYSV_SHM)
		field_add(evidence, "attachments", GB_FIELD_INTEGER, object->count, NULL);
	if (object->kind == SYSV_MSG)
		field_add(evidence, "messages", GB_FIELD_INTEGER, object->count, NULL);
	field_add(evidence, "owner_uid", GB_FIELD_INTEGER, object->uid, NULL);
	field_add(evidence, "creator_uid", GB_FIELD_INTEGER, object->creator_uid, NULL);
	field_add(evidence, "unused", GB_FIELD_DURATION, finding->unused_ns, NULL);
	field_add(evidence, "timeout", GB_FIELD_DURATION, finding->policy.limits.timeout_ns, NULL);
	field_add(evidence, "namespace_used_percent", GB_FIELD_INTEGER,
		  sysv_used_percent(&sysv->sweep.usage, object->kind), NULL);
	text_add(evidence, "kept_by", sysv_kept_by(object->kind, object->key));
	if (finding->policy.line)
		field_add(evidence, "rule_line", GB_FIELD_INTEGER, finding->policy.line, NULL);
	people_add(evidence, finding);
}

static void proof_fill(const struct sysv *sysv, const struct sysv_finding *finding, struct sysv_proof *proof)
{
	const struct sysv_object *object = finding->object;

	*proof = (struct sysv_proof){
		.ipcns = sysv->sweep.visit.ns.ipcns,
		.pid = sysv->sweep.visit.ns.pid,
		.kind = object->kind,
		.id = object->id,
		.index = object->index,
		.key = object->key,
		.uid = object->uid,
		.creator_uid = object->creator_uid,
		.mode = object->mode,
		.changed_s = object->changed_s,
		.used_s = object->used_s,
		.size = object->size,
		.count = object->count,
		.users = sysv_users_digest(&object->answer),
	};
}

/* Those who live: they are why it is spared. */
static uint32_t holders_fill(const struct sysv *sysv, const struct sysv_finding *finding, struct gb_holder *holders)
{
	const struct sysv_object *object = finding->object;
	int32_t sleeper = sysv_tasks_blocked(&sysv->tasks, sysv->sweep.visit.ns.ipcns, object->kind, object->id);
	uint32_t count = 0;

	for (uint32_t i = 0; i < finding->people_count; i++) {
		const struct sysv_person *person = finding->people[i];

		if (person && person->alive && person->described &&
		    (count == 0 || holders[count - 1].pid != person->number))
			holders[count++] =
				(struct gb_holder){.pid = person->number, .fd = -1, .start_ticks = person->start_ticks};
	}
	if (sleeper)
		holders[count++] = (struct gb_holder){.pid = sleeper, .fd = -1};
	return count;
}

/* Those who are dead, as far as they are remembered: whoever made it first. */
static uint32_t former_fill(const struct sysv_finding *finding, struct gb_owner *former)
{
	const struct sysv_person *list[SYSV_USERS_MAX + 1] = {finding->known->creator};
	uint32_t count = 0;

	for (uint32_t i = 0; i < finding->people_count; i++)
		list[i + 1] = finding->people[i];
	for (uint32_t i = 0; i <= finding->people_count; i++)
		if (list[i] && !list[i]->alive && list[i]->described && (i == 0 || list[i] != list[i - 1]))
			former[count++] = sysv_person_owner(list[i]);
	return count;
}

void sysv_report(struct sysv *sysv, const struct sysv_finding *finding)
{
	const struct gb_owner *former_list[SYSV_USERS_MAX + 1];
	struct gb_owner former[SYSV_USERS_MAX + 1];
	struct gb_holder holders[SYSV_USERS_MAX + 1];
	struct evidence evidence = {.count = 0};
	char resource[160];
	struct sysv_proof proof;
	struct gb_ghost ghost = {
		.struct_size = sizeof(ghost),
		.key = finding->key,
		.resource = resource,
		.action = sysv_action_name(finding->policy.action),
		.age_ns = finding->unused_ns,
		.ns = {.kind = GB_NS_IPC,
		       .pid = sysv->sweep.visit.ns.pid,
		       .inode = sysv->sweep.visit.ns.ipcns,
		       .socket_fd = -1},
		.holders = holders,
		.holder_count = holders_fill(sysv, finding, holders),
		.proof = &proof,
		.proof_size = sizeof(proof),
		.former = former_list,
		.former_count = former_fill(finding, former),
	};

	for (uint32_t i = 0; i < ghost.former_count; i++)
		former_list[i] = &former[i];
	evidence_fill(sysv, finding, &evidence);
	ghost.evidence = evidence.list;
	ghost.evidence_count = evidence.count;
	resource_format(sysv, finding->object, resource, sizeof(resource));
	proof_fill(sysv, finding, &proof);
	if (finding->reason)
		sysv->host->spare(sysv->host, &ghost, finding->reason);
	else
		sysv->host->ghost(sysv->host, &ghost);
}

static void usage_format(uint32_t ipcns, const struct sysv_usage *usage, char *text, size_t size)
{
	snprintf(text, size,
		 "ipc:[%" PRIu32 "] shmmni %" PRIu64 "/%" PRIu64 ", shmall %" PRIu64 "/%" PRIu64 ", semmni %" PRIu64
		 "/%" PRIu64 ", semmns %" PRIu64 "/%" PRIu64 ", msgmni %" PRIu64 "/%" PRIu64,
		 ipcns, usage->objects[SYSV_SHM], usage->limits.shmmni, usage->shm_pages, usage->limits.shmall,
		 usage->objects[SYSV_SEM], usage->limits.semmni, usage->semaphores, usage->limits.semmns,
		 usage->objects[SYSV_MSG], usage->limits.msgmni);
}

void sysv_numbers_tell(struct sysv *sysv)
{
	const struct gb_host *host = sysv->host;
	const struct sysv_sweep *sweep = &sysv->sweep;
	const struct sysv_given_back *back = &sysv->given_back;
	char name[32], text[256];

	for (uint32_t i = 0; i < sweep->fullest_count || i < sysv->fullest_told; i++) {
		snprintf(name, sizeof(name), "fullest_%02" PRIu32, i + 1);
		snprintf(text, sizeof(text), "-"); /* there were more namespaces before */
		if (i < sweep->fullest_count)
			usage_format(sweep->fullest[i].ipcns, &sweep->fullest[i].usage, text, sizeof(text));
		host->fact(host, name, text);
	}
	if (sysv->fullest_told < sweep->fullest_count)
		sysv->fullest_told = sweep->fullest_count;
	host->number(host, "tracked", HASH_COUNT(sysv->known.head));
	host->number(host, "namespaces", sweep->namespaces);
	host->number(host, "fullest_percent", sweep->fullest_count ? sweep->fullest[0].percent : 0);
	host->number(host, "not_tracked", sweep->skipped);
	host->number(host, "forgotten_users", sysv_kernel_missed(&sysv->kernel));
	host->number(host, "bytes_given_back", back->bytes);
	host->number(host, "segments_given_back", back->segments);
	host->number(host, "semaphore_sets_given_back", back->sets);
	host->number(host, "semaphores_given_back", back->semaphores);
	host->number(host, "queues_given_back", back->queues);
}
