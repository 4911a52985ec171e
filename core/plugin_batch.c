/* SPDX-License-Identifier: Apache-2.0 */
/* From the queue to the plugin's reap() and back: what the guard let pass, at the rate that is allowed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ghost_record.h"
#include "log.h"
#include "plugin.h"
#include "word.h"

#define FAREWELL_NS (5 * GB_SECOND) /* for a batch that is under way when its plugin is to be closed */

/* How many must have come together before a batch is worth its system calls: about ten batches a second. */
static uint64_t worth(const struct plugin *plugin)
{
	uint64_t want = plugin->rate.per_second / 10;

	if (want < 1)
		want = 1;
	if (want > plugin->rate.burst)
		want = plugin->rate.burst;
	return want < plugin->ghosts.queued ? want : plugin->ghosts.queued;
}

uint64_t plugin_batch_when(struct plugin *plugin, uint64_t now_ns)
{
	if (!plugin->ghosts.queued)
		return CLOCK_NEVER;
	return rate_when(&plugin->rate, worth(plugin), now_ns);
}

static void batch_free(struct plugin_batch *batch)
{
	for (uint32_t i = 0; i < batch->count; i++)
		ghost_record_unref(batch->records[i]);
	free(batch->items);
	free(batch->ghosts);
	free(batch->records);
	*batch = (struct plugin_batch){0};
}

void plugin_batch_drop(struct plugin *plugin)
{
	struct plugin_batch *batch = &plugin->batch;
	struct ghost *ghost, *next;

	for (uint32_t i = 0; i < batch->count; i++)
		if (batch->ghosts[i])
			ghost_set_state(&plugin->ghosts, batch->ghosts[i], GHOST_SUSPECT);
	HASH_ITER (hh, plugin->ghosts.by_key, ghost, next)
		if (ghost->state == GHOST_DEFERRED)
			ghost_set_state(&plugin->ghosts, ghost, GHOST_SUSPECT);
	batch_free(batch);
}

static int batch_alloc(struct plugin_batch *batch, uint32_t count)
{
	batch->items = calloc(count, sizeof(*batch->items));
	batch->ghosts = calloc(count, sizeof(*batch->ghosts));
	batch->records = calloc(count, sizeof(*batch->records));
	if (batch->items && batch->ghosts && batch->records)
		return 0;
	batch_free(batch);
	return -ENOMEM;
}

static void batch_add(struct plugin_batch *batch, struct ghost *ghost)
{
	struct ghost_record *record = ghost->record;
	uint32_t i = batch->count++;

	batch->ghosts[i] = ghost;
	batch->records[i] = ghost_record_ref(record);
	batch->items[i] = (struct gb_reap_item){
		.key = ghost->key,
		.action = word_text(record->action),
		.proof = record->proof,
		.proof_size = record->proof_size,
	};
}

/* Fills it from the queue, each judged once more: the owners may have changed since the scan. */
static void batch_fill(struct plugin *plugin)
{
	uint64_t until_ns = clock_now_ns() + PLUGIN_SLICE_NS;
	struct plugin_batch *batch = &plugin->batch;
	struct ghost *ghost;

	owner_cache_clear(plugin->engine->owners);
	while (batch->count < batch->wanted && (ghost = TAILQ_FIRST(&plugin->ghosts.queue)) &&
	       clock_now_ns() < until_ns) {
		if (plugin_guard_spares(plugin, ghost))
			continue;
		ghost_set_state(&plugin->ghosts, ghost, GHOST_REAPING);
		plugin_watch_owners(plugin, ghost);
		batch_add(batch, ghost);
	}
	owner_cache_clear(plugin->engine->owners);
	if (batch->count < batch->wanted && plugin->ghosts.queued)
		return;
	batch->wanted = 0;
	rate_take(&plugin->rate, batch->count);
	if (!batch->count)
		batch_free(batch);
}

bool plugin_batch_start(struct plugin *plugin)
{
	uint64_t now_ns = clock_now_ns(), count;

	if (plugin_batch_when(plugin, now_ns) > now_ns)
		return false;
	count = rate_tokens(&plugin->rate, now_ns);
	if (count > plugin->ghosts.queued)
		count = plugin->ghosts.queued;
	if (count > PLUGIN_BATCH_MAX)
		count = PLUGIN_BATCH_MAX;
	if (batch_alloc(&plugin->batch, (uint32_t)count) < 0) {
		log_line(GB_LOG_ERROR, plugin->name, "no memory to reap %u ghosts; trying again later",
			 (unsigned int)count);
		rate_take(&plugin->rate, count); /* they wait for the next tokens, instead of spinning */
		return false;
	}
	plugin->batch.wanted = (uint32_t)count;
	plugin->batch.started_ns = now_ns;
	batch_fill(plugin);
	return plugin->batch.items;
}

static void settle_failed(struct plugin *plugin, struct ghost *ghost, const struct gb_reap_item *item)
{
	int error = item->error < 0 ? item->error : -EIO;
	uint16_t word = 0;

	if (item->detail && word_id(item->detail, &word) < 0)
		word = 0;
	ghost_set_state(&plugin->ghosts, ghost, GHOST_FAILED);
	ghost->reason = word;
	ghost_set_detail(ghost, item->detail ? item->detail : strerror(-error));
	plugin_say(plugin, ghost, GHOST_EVENT_FAILED, word, error, item->detail);
}

bool plugin_settle(struct plugin *plugin, struct ghost *ghost, const struct gb_reap_item *item)
{
	uint64_t now_ns = clock_now_ns();
	uint16_t word;

	switch ((enum gb_outcome)item->outcome) {
	case GB_REAPED:
		plugin_owners_reaped(plugin, ghost);
		plugin_say(plugin, ghost, GHOST_EVENT_REAPED, 0, 0, item->detail);
		ghost_finish(&plugin->ghosts, ghost, GHOST_REAPED);
		return false;
	case GB_HEALED:
		plugin_heal(plugin, ghost);
		return false;
	case GB_SPARED:
		if (word_id(item->detail, &word) < 0 && word_id("proof", &word) < 0)
			word = 0;
		plugin_spare(plugin, ghost, GHOST_SPARED, word, NULL);
		return false;
	case GB_DEFERRED:
		ghost_set_state(&plugin->ghosts, ghost, GHOST_DEFERRED);
		return false;
	case GB_PENDING:
	case GB_FAILED:
		break;
	}
	settle_failed(plugin, ghost, item);
	return breaker_failed(&plugin->breaker, now_ns);
}

/* Takes what was decided in this slice; at once, since `detail` lives until the next callback only. */
static bool batch_settle(struct plugin *plugin)
{
	struct plugin_batch *batch = &plugin->batch;
	bool tripped = false;

	for (uint32_t i = 0; i < batch->count; i++) {
		struct ghost *ghost = batch->ghosts[i];

		if (!ghost || batch->items[i].outcome == GB_PENDING)
			continue;
		batch->ghosts[i] = NULL;
		batch->settled++;
		tripped |= plugin_settle(plugin, ghost, &batch->items[i]);
	}
	return tripped;
}

static void fail_pending(struct plugin_batch *batch, int error)
{
	for (uint32_t i = 0; i < batch->count; i++) {
		struct gb_reap_item *item = &batch->items[i];

		if (!batch->ghosts[i] || item->outcome != GB_PENDING)
			continue;
		item->outcome = GB_FAILED;
		item->error = error;
		item->detail = NULL;
	}
}

void plugin_batch_slice(struct plugin *plugin)
{
	struct plugin_batch *batch = &plugin->batch;
	struct gb_reap reap = {.struct_size = sizeof(reap), .count = batch->count, .items = batch->items};
	uint64_t now_ns = clock_now_ns();
	bool tripped;
	int r;

	if (batch->wanted) {
		batch_fill(plugin);
		return;
	}
	reap.until_ns = now_ns + PLUGIN_SLICE_NS;
	plugin_enter(plugin, PLUGIN_CALL_REAP);
	r = plugin->callbacks->reap(plugin->opened, &reap);
	plugin_leave(plugin);
	if (r > 0 && clock_now_ns() - batch->started_ns > (uint64_t)PLUGIN_PATIENCE_NS)
		r = -ETIME;
	/* Done, and yet undecided: a defect of the plugin. */
	if (r <= 0)
		fail_pending(batch, r < 0 ? r : -EPROTO);
	tripped = batch_settle(plugin);
	if (r <= 0)
		batch_free(batch);
	if (tripped)
		plugin_tripped(plugin);
}

void plugin_batch_finish(struct plugin *plugin)
{
	uint64_t until_ns = clock_now_ns() + FAREWELL_NS;

	if (plugin->batch.wanted)
		return;
	while (plugin->batch.items && clock_now_ns() < until_ns)
		plugin_batch_slice(plugin);
}
