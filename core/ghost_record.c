/* SPDX-License-Identifier: Apache-2.0 */
#include "ghost_record.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "word.h"

/* Below this, a plugin's struct gb_ghost lacks a member that every minor has. */
#define REPORT_SIZE_MIN (offsetof(struct gb_ghost, proof_size) + sizeof(uint64_t))
#define REPORT_SIZE_FORMER (offsetof(struct gb_ghost, former_count) + sizeof(uint32_t)) /* ABI 1.1 */
#define OWNER_SIZE_MIN (offsetof(struct gb_owner, pod) + sizeof(const char *))

static const size_t owner_texts[] = {offsetof(struct gb_owner, comm),      offsetof(struct gb_owner, exe),
				     offsetof(struct gb_owner, cgroup),    offsetof(struct gb_owner, unit),
				     offsetof(struct gb_owner, container), offsetof(struct gb_owner, pod)};

static const char **owner_text(const struct gb_owner *owner, size_t i)
{
	return (const char **)((char *)owner + owner_texts[i]);
}

/* A plugin of ABI 1.0 knows of none. */
static uint32_t former_count(const struct gb_ghost *report)
{
	return report->struct_size >= REPORT_SIZE_FORMER ? report->former_count : 0;
}

static int text_check(const char *text, size_t max, size_t *sum)
{
	size_t length = text ? strnlen(text, max + 1) : 0;

	if (length > max)
		return -EINVAL;
	*sum += text ? length + 1 : 0;
	return 0;
}

static bool counts_valid(const struct gb_ghost *report)
{
	return report->struct_size >= REPORT_SIZE_MIN && report->resource && *report->resource &&
	       report->evidence_count <= GB_EVIDENCE_MAX && report->holder_count <= GB_HOLDERS_MAX &&
	       report->proof_size <= GB_PROOF_MAX && report->port <= UINT16_MAX &&
	       (report->evidence || !report->evidence_count) && (report->holders || !report->holder_count) &&
	       (report->proof || !report->proof_size) && report->ns.kind <= GB_NS_IPC;
}

static int former_check(const struct gb_ghost *report, size_t *texts)
{
	uint32_t count = former_count(report);

	if (count > GB_FORMER_MAX || (count && !report->former))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!report->former[i] || report->former[i]->struct_size < OWNER_SIZE_MIN)
			return -EINVAL;
		for (size_t text = 0; text < GB_COUNT(owner_texts); text++)
			if (!*owner_text(report->former[i], text) ||
			    text_check(*owner_text(report->former[i], text), GHOST_TEXT_MAX, texts) < 0)
				return -EINVAL;
	}
	return 0;
}

static int report_check(const struct gb_ghost *report, size_t *ret_texts)
{
	size_t texts = 0;

	if (!counts_valid(report) || text_check(report->resource, GHOST_RESOURCE_MAX, &texts) < 0 ||
	    text_check(report->path, GHOST_TEXT_MAX, &texts) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < report->evidence_count; i++) {
		const struct gb_field *field = &report->evidence[i];

		if (field->type < GB_FIELD_INTEGER || field->type > GB_FIELD_BOOL ||
		    (field->type == GB_FIELD_TEXT && text_check(field->text, GHOST_TEXT_MAX, &texts) < 0))
			return -EINVAL;
	}
	if (former_check(report, &texts) < 0)
		return -EINVAL;
	*ret_texts = texts;
	return 0;
}

static uint32_t text_put(char *texts, uint32_t *end, const char *text)
{
	uint32_t at = *end;

	strcpy(texts + at, text);
	*end += (uint32_t)strlen(text) + 1;
	return at;
}

static int words_of(const struct gb_ghost *report, uint16_t *names, uint16_t *ret_action)
{
	int r = word_id(report->action, ret_action);

	for (uint32_t i = 0; r == 0 && i < report->evidence_count; i++)
		r = word_id(report->evidence[i].name, &names[i]);
	return r;
}

static void former_fill(struct gb_owner *former, const struct gb_ghost *report, char *texts, uint32_t *end)
{
	for (uint32_t i = 0; i < former_count(report); i++) {
		memcpy(&former[i], report->former[i], OWNER_SIZE_MIN);
		former[i].struct_size = OWNER_SIZE_MIN;
		former[i].flags |= GB_OWNER_ENDED;
		for (size_t text = 0; text < GB_COUNT(owner_texts); text++)
			*owner_text(&former[i], text) = texts + text_put(texts, end, *owner_text(&former[i], text));
	}
}

static void record_fill(struct ghost_record *record, const struct gb_ghost *report, const uint16_t *names)
{
	struct ghost_field *evidence = (struct ghost_field *)(record + 1);
	struct gb_holder *holders = (struct gb_holder *)(evidence + report->evidence_count);
	struct gb_owner *former = (struct gb_owner *)(holders + report->holder_count);
	char *proof = (char *)(former + former_count(report));
	char *texts = proof + report->proof_size;
	uint32_t end = 0;

	text_put(texts, &end, report->resource);
	record->path = report->path ? texts + text_put(texts, &end, report->path) : NULL;
	for (uint32_t i = 0; i < report->evidence_count; i++) {
		const struct gb_field *field = &report->evidence[i];

		evidence[i] =
			(struct ghost_field){.value = field->value, .name = names[i], .type = (uint16_t)field->type};
		if (field->type == GB_FIELD_TEXT && field->text)
			evidence[i].text = text_put(texts, &end, field->text);
	}
	if (report->holder_count)
		memcpy(holders, report->holders, report->holder_count * sizeof(*holders));
	if (report->proof_size)
		memcpy(proof, report->proof, report->proof_size);
	former_fill(former, report, texts, &end);
	record->evidence = evidence;
	record->holders = holders;
	record->former = former;
	record->proof = proof;
	record->texts = texts;
}

int ghost_record_new(const struct gb_ghost *report, uint64_t now_ns, struct ghost_record **ret_record)
{
	uint16_t names[GB_EVIDENCE_MAX], action;
	struct ghost_record *record;
	size_t texts;
	int r;

	r = report_check(report, &texts);
	if (r == 0)
		r = words_of(report, names, &action);
	if (r < 0)
		return r;
	record = malloc(sizeof(*record) + report->evidence_count * sizeof(struct ghost_field) +
			report->holder_count * sizeof(struct gb_holder) +
			former_count(report) * sizeof(struct gb_owner) + report->proof_size + texts);
	if (!record)
		return -ENOMEM;
	*record = (struct ghost_record){
		.age_ns = report->age_ns,
		.seen_ns = now_ns,
		.ns = report->ns,
		.port = report->port,
		.references = 1,
		.action = action,
		.report_only = strcmp(report->action, "report") == 0,
		.evidence_count = (uint8_t)report->evidence_count,
		.holder_count = (uint8_t)report->holder_count,
		.former_count = (uint8_t)former_count(report),
		.proof_size = (uint16_t)report->proof_size,
	};
	record_fill(record, report, names);
	*ret_record = record;
	return 0;
}

struct ghost_record *ghost_record_ref(struct ghost_record *record)
{
	record->references++;
	return record;
}

void ghost_record_unref(struct ghost_record *record)
{
	if (record && --record->references == 0)
		free(record);
}
