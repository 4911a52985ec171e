/* SPDX-License-Identifier: Apache-2.0 */
#include "summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "clock.h"
#include "word.h"

static void reason_add(struct summary *summary, uint16_t reason)
{
	uint32_t at = 0;

	while (at < summary->reason_count && summary->reasons[at].reason != reason)
		at++;
	if (at == SUMMARY_REASONS_MAX) {
		summary->other_reasons++;
		return;
	}
	if (at == summary->reason_count)
		summary->reasons[summary->reason_count++] = (struct summary_count){.reason = reason};
	summary->reasons[at].count++;
}

static void owner_format(const struct gb_owner *owner, char text[SUMMARY_OWNER_SIZE])
{
	const char *const homes[] = {owner->unit, owner->container, owner->pod};

	for (size_t i = 0; i < GB_COUNT(homes); i++) {
		if (!homes[i] || !*homes[i])
			continue;
		snprintf(text, SUMMARY_OWNER_SIZE, "%s (%.70s)", owner->comm, homes[i]);
		return;
	}
	snprintf(text, SUMMARY_OWNER_SIZE, "%s", owner->comm);
}

static void owner_add(struct summary *summary, const struct gb_owner *owner)
{
	char text[SUMMARY_OWNER_SIZE];
	uint32_t at = 0;

	owner_format(owner, text);
	while (at < summary->owner_count && strcmp(summary->owners[at].owner, text) != 0)
		at++;
	if (at == SUMMARY_OWNERS_MAX) {
		summary->other_owners++;
		return;
	}
	if (at == summary->owner_count) {
		summary->owners[at].count = 0;
		memcpy(summary->owners[at].owner, text, sizeof(text));
		summary->owner_count++;
	}
	summary->owners[at].count++;
}

bool summary_pass(struct summary *summary, enum ghost_event event, uint16_t reason, const struct gb_owner *owner,
		  uint64_t now_ns)
{
	/* With something left out, the minute ends with its summary. */
	if (!summary->begun_ns ||
	    (now_ns - summary->begun_ns >= SUMMARY_PERIOD_NS && summary_due_ns(summary) == CLOCK_NEVER)) {
		*summary = (struct summary){0};
		summary->begun_ns = now_ns;
	}
	if (summary->lines[event] < SUMMARY_LINES_MAX) {
		summary->lines[event]++;
		return true;
	}
	summary->left_out[event]++;
	if (reason)
		reason_add(summary, reason);
	if (owner)
		owner_add(summary, owner);
	return false;
}

uint64_t summary_due_ns(const struct summary *summary)
{
	for (int event = 0; event < SUMMARY_EVENTS; event++)
		if (summary->left_out[event])
			return summary->begun_ns + SUMMARY_PERIOD_NS;
	return CLOCK_NEVER;
}

static int compare(const void *a, const void *b)
{
	const struct summary_count *x = a, *y = b;

	return (x->count < y->count) - (x->count > y->count);
}

static void count_format(struct buffer *buffer, const char *name, uint64_t count)
{
	if (count)
		buffer_add_format(buffer, "%s%s %llu", buffer->length ? ", " : "", name, (unsigned long long)count);
}

static void reasons_format(struct summary *summary, struct buffer *buffer)
{
	qsort(summary->reasons, summary->reason_count, sizeof(summary->reasons[0]), compare);
	for (uint32_t i = 0; i < summary->reason_count; i++)
		count_format(buffer, word_text(summary->reasons[i].reason), summary->reasons[i].count);
	count_format(buffer, "others", summary->other_reasons);
}

static void owners_format(struct summary *summary, struct buffer *buffer)
{
	uint64_t others = summary->other_owners;

	qsort(summary->owners, summary->owner_count, sizeof(summary->owners[0]), compare);
	for (uint32_t i = 0; i < summary->owner_count; i++) {
		if (i < SUMMARY_OWNERS_SHOWN)
			count_format(buffer, summary->owners[i].owner, summary->owners[i].count);
		else
			others += summary->owners[i].count;
	}
	count_format(buffer, "others", others);
}

static void text_add(struct gb_field *fields, uint32_t *count, const char *name, struct buffer *text)
{
	if (text->length)
		fields[(*count)++] = (struct gb_field){.name = name, .type = GB_FIELD_TEXT, .text = buffer_text(text)};
}

void summary_write(struct summary *summary, struct journal *journal, const char *plugin, uint64_t now_ns)
{
	struct gb_field fields[SUMMARY_EVENTS + 3];
	_cleanup_buffer_ struct buffer reasons = {0};
	_cleanup_buffer_ struct buffer owners = {0};
	uint32_t count = 0;

	if (summary_due_ns(summary) == CLOCK_NEVER)
		return;
	fields[count++] =
		(struct gb_field){.name = "period", .type = GB_FIELD_DURATION, .value = now_ns - summary->begun_ns};
	for (int event = 0; event < SUMMARY_EVENTS; event++)
		if (summary->left_out[event])
			fields[count++] = (struct gb_field){
				.name = ghost_event_text((enum ghost_event)event) + strlen("ghost."),
				.type = GB_FIELD_INTEGER,
				.value = summary->left_out[event],
			};
	reasons_format(summary, &reasons);
	owners_format(summary, &owners);
	text_add(fields, &count, "reasons", &reasons);
	text_add(fields, &count, "leakers", &owners);
	journal_write(journal,
		      &(struct event){
			      .name = "ghost.summary",
			      .plugin = plugin,
			      .message = "these have no line of their own; with journal.summary = false each has",
			      .fields = fields,
			      .field_count = count,
		      });
	*summary = (struct summary){0};
}
