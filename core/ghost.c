/* SPDX-License-Identifier: Apache-2.0 */
#include "ghost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ghost_record.h"
#include "owner.h"
#include "word.h"

int ghost_table_init(struct ghost_table *table, const char *plugin, struct ghost_ring *finished)
{
	*table = (struct ghost_table){.finished = finished};
	TAILQ_INIT(&table->queue);
	return word_id(plugin, &table->plugin);
}

static void drop_owners(struct ghost *ghost)
{
	for (uint8_t i = 0; i < ghost->owner_count; i++)
		owner_unref(ghost->owners[i]);
	free(ghost->owners);
	ghost->owners = NULL;
	ghost->owner_count = 0;
}

static void ghost_free(struct ghost *ghost)
{
	if (!ghost)
		return;
	drop_owners(ghost);
	ghost_record_unref(ghost->record);
	free(ghost->history);
	free(ghost->detail);
	free(ghost);
}

void ghost_table_fini(struct ghost_table *table)
{
	struct ghost *ghost, *next;

	HASH_ITER (hh, table->by_key, ghost, next) {
		HASH_DEL(table->by_key, ghost);
		ghost_free(ghost);
	}
	TAILQ_INIT(&table->queue);
	table->queued = 0;
}

void ghost_ring_fini(struct ghost_ring *ring)
{
	for (size_t i = 0; i < GHOST_FINISHED_MAX; i++)
		ghost_free(ring->items[i]);
	*ring = (struct ghost_ring){0};
}

int ghost_put(struct ghost_table *table, const struct gb_ghost *report, uint64_t now_ns, struct ghost **ret_ghost,
	      bool *ret_new)
{
	struct ghost *ghost = ghost_find(table, report->key);
	struct ghost_record *record;
	bool new = !ghost;
	int r;

	r = ghost_record_new(report, now_ns, &record);
	if (r < 0)
		return r;
	if (new) {
		ghost = calloc(1, sizeof(*ghost));
		if (!ghost) {
			ghost_record_unref(record);
			return -ENOMEM;
		}
		ghost->key = report->key;
		ghost->plugin = table->plugin;
		ghost->found_ns = now_ns;
		HASH_ADD(hh, table->by_key, key, sizeof(ghost->key), ghost);
	}
	ghost_record_unref(ghost->record);
	ghost->record = record;
	*ret_ghost = ghost;
	*ret_new = new;
	return 0;
}

struct ghost *ghost_find(const struct ghost_table *table, uint64_t key)
{
	struct ghost *ghost;

	HASH_FIND(hh, table->by_key, &key, sizeof(key), ghost);
	return ghost;
}

size_t ghost_count(const struct ghost_table *table)
{
	return HASH_COUNT(table->by_key);
}

void ghost_set_state(struct ghost_table *table, struct ghost *ghost, enum ghost_state state)
{
	if (ghost->state == GHOST_QUEUED) {
		TAILQ_REMOVE(&table->queue, ghost, queue);
		table->queued--;
	}
	ghost->state = state;
}

void ghost_enqueue(struct ghost_table *table, struct ghost *ghost)
{
	if (ghost->state == GHOST_QUEUED)
		return;
	ghost->state = GHOST_QUEUED;
	ghost->reason = 0;
	TAILQ_INSERT_TAIL(&table->queue, ghost, queue);
	table->queued++;
}

bool ghost_spared_anew(struct ghost *ghost, uint16_t reason)
{
	for (int i = 0; i < GHOST_REASONS_MAX; i++)
		if (ghost->reasons[i] == reason)
			return false;
	/* The oldest gives way: a resource with more reasons than that may repeat itself. */
	memmove(&ghost->reasons[1], &ghost->reasons[0], sizeof(ghost->reasons) - sizeof(ghost->reasons[0]));
	ghost->reasons[0] = reason;
	return true;
}

void ghost_step_add(struct ghost *ghost, enum ghost_event event, uint16_t reason)
{
	uint8_t count = ghost->history_count;

	if (count == GHOST_HISTORY_MAX) {
		memmove(&ghost->history[1], &ghost->history[2], (GHOST_HISTORY_MAX - 2) * sizeof(*ghost->history));
		count--;
	} else if (count != 1 && (count & (count - 1)) == 0) { /* full at each power of two; most have two steps */
		struct ghost_step *history = reallocarray(ghost->history, count ? count * 2U : 2U, sizeof(*history));

		if (!history)
			return;
		ghost->history = history;
	}
	ghost->history[count++] =
		(struct ghost_step){.wall_ns = clock_wall_ns(), .event = (uint16_t)event, .reason = reason};
	ghost->history_count = count;
}

void ghost_set_detail(struct ghost *ghost, const char *detail)
{
	if (detail && ghost->detail && strcmp(detail, ghost->detail) == 0)
		return;
	free(ghost->detail);
	ghost->detail = detail && *detail ? strdup(detail) : NULL;
}

void ghost_set_owners(struct ghost *ghost, struct owner *const *owners, uint8_t count)
{
	struct owner **copy;

	if (count == ghost->owner_count &&
	    (!count || memcmp(owners, ghost->owners, count * sizeof(struct owner *)) == 0))
		return;
	copy = reallocarray(NULL, count ? count : 1U, sizeof(struct owner *));
	if (!copy)
		return;
	for (uint8_t i = 0; i < count; i++)
		copy[i] = owner_ref(owners[i]);
	drop_owners(ghost);
	ghost->owners = copy;
	ghost->owner_count = count;
}

void ghost_finish(struct ghost_table *table, struct ghost *ghost, enum ghost_state state)
{
	struct ghost_ring *ring = table->finished;

	ghost_set_state(table, ghost, state);
	HASH_DEL(table->by_key, ghost);
	ghost_free(ring->items[ring->next]);
	ring->items[ring->next] = ghost;
	ring->next = (ring->next + 1) % GHOST_FINISHED_MAX;
}

const struct ghost *ghost_ring_find(const struct ghost_ring *ring, uint16_t plugin, uint64_t key)
{
	for (size_t i = 1; i <= GHOST_FINISHED_MAX; i++) {
		const struct ghost *ghost = ring->items[(ring->next + GHOST_FINISHED_MAX - i) % GHOST_FINISHED_MAX];

		if (ghost && ghost->plugin == plugin && ghost->key == key)
			return ghost;
	}
	return NULL;
}

const struct ghost *ghost_ring_find_resource(const struct ghost_ring *ring, const char *resource)
{
	for (size_t i = 1; i <= GHOST_FINISHED_MAX; i++) {
		const struct ghost *ghost = ring->items[(ring->next + GHOST_FINISHED_MAX - i) % GHOST_FINISHED_MAX];

		if (ghost && strcmp(ghost_resource(ghost), resource) == 0)
			return ghost;
	}
	return NULL;
}

const char *ghost_id_format(uint16_t plugin, uint64_t key, char *id)
{
	snprintf(id, GHOST_ID_MAX, "%s-%" PRIx64, word_text(plugin), key);
	return id;
}

const char *ghost_id(const struct ghost *ghost, char *id)
{
	return ghost_id_format(ghost->plugin, ghost->key, id);
}

int ghost_id_parse(const char *id, char *plugin, uint64_t *ret_key)
{
	const char *dash = strrchr(id, '-');
	size_t length = dash ? (size_t)(dash - id) : 0, digits = dash ? strlen(dash + 1) : 0;

	if (length == 0 || length >= GHOST_ID_MAX || digits == 0 || digits > 16 ||
	    strspn(dash + 1, "0123456789abcdefABCDEF") != digits)
		return -EINVAL;
	memcpy(plugin, id, length);
	plugin[length] = '\0';
	*ret_key = strtoull(dash + 1, NULL, 16);
	return 0;
}

const char *ghost_resource(const struct ghost *ghost)
{
	return ghost->record->texts;
}

const char *ghost_state_text(enum ghost_state state)
{
	switch (state) {
	case GHOST_SUSPECT:
		return "suspect";
	case GHOST_QUEUED:
		return "queued";
	case GHOST_REAPING:
		return "reaping";
	case GHOST_DEFERRED:
		return "deferred";
	case GHOST_SPARED:
		return "spared";
	case GHOST_FAILED:
		return "failed";
	case GHOST_REAPED:
		return "reaped";
	case GHOST_HEALED:
		return "healed";
	}
	return "unknown";
}

const char *ghost_event_text(enum ghost_event event)
{
	switch (event) {
	case GHOST_EVENT_FOUND:
		return "ghost.found";
	case GHOST_EVENT_SPARED:
		return "ghost.spared";
	case GHOST_EVENT_REAPED:
		return "ghost.reaped";
	case GHOST_EVENT_HEALED:
		return "ghost.healed";
	case GHOST_EVENT_FAILED:
		return "ghost.failed";
	}
	return "unknown";
}

uint32_t ghost_evidence(const struct ghost *ghost, struct gb_field *fields)
{
	const struct ghost_record *record = ghost->record;

	for (uint32_t i = 0; i < record->evidence_count; i++) {
		const struct ghost_field *field = &record->evidence[i];

		fields[i] = (struct gb_field){
			.name = word_text(field->name),
			.type = field->type,
			.value = field->value,
			.text = field->text ? record->texts + field->text : NULL,
		};
	}
	return record->evidence_count;
}

const char *ghost_class(const struct ghost *ghost)
{
	const struct ghost_record *record = ghost->record;
	static uint16_t class;

	if (!class && word_id("class", &class) < 0)
		return NULL;
	for (uint8_t i = 0; i < record->evidence_count; i++) {
		const struct ghost_field *field = &record->evidence[i];

		if (field->name == class && field->type == GB_FIELD_TEXT && field->text)
			return record->texts + field->text;
	}
	return NULL;
}

uint64_t ghost_age_ns(const struct ghost *ghost, uint64_t now_ns)
{
	const struct ghost_record *record = ghost->record;

	if (ghost->state == GHOST_REAPED || ghost->state == GHOST_HEALED || now_ns < record->seen_ns)
		return record->age_ns;
	return record->age_ns + (now_ns - record->seen_ns);
}
