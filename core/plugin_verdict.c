/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a ghost, and the one place that tells it. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "plugin.h"
#include "word.h"

void plugin_summarise(void *arg)
{
	struct plugin *plugin = arg;

	summary_write(&plugin->summary, plugin->engine->journal, plugin->name, clock_now_ns());
	plugin->summary_due.when_ns = CLOCK_NEVER;
}

/* Whether the event has a line in the journal; in a storm it is only counted. */
static bool has_line(struct plugin *plugin, const struct ghost *ghost, enum ghost_event event, uint16_t reason)
{
	const struct gb_owner *first = ghost->owner_count ? &ghost->owners[0]->public : NULL;

	if (!plugin->engine->summarise || summary_pass(&plugin->summary, event, reason, first, clock_now_ns()))
		return true;
	plugin->summary_due.when_ns = summary_due_ns(&plugin->summary);
	return false;
}

void plugin_say(struct plugin *plugin, struct ghost *ghost, enum ghost_event event, uint16_t reason, int error,
		const char *message)
{
	const struct gb_owner *owners[GB_HOLDERS_MAX];
	struct gb_field evidence[GB_EVIDENCE_MAX];
	char id[GHOST_ID_MAX];

	tally_count(&plugin->tally, ghost, event);
	ghost_step_add(ghost, event, reason);
	leakers_count(&plugin->engine->leakers, ghost, event, clock_now_ns());
	if (!has_line(plugin, ghost, event, reason))
		return;
	for (uint8_t i = 0; i < ghost->owner_count; i++)
		owners[i] = &ghost->owners[i]->public;
	journal_write(plugin->engine->journal, &(struct event){
						       .name = ghost_event_text(event),
						       .plugin = plugin->name,
						       .id = ghost_id(ghost, id),
						       .resource = ghost_resource(ghost),
						       .has_age = true,
						       .age_ns = ghost_age_ns(ghost, clock_now_ns()),
						       .action = word_text(ghost->record->action),
						       .reason = reason ? word_text(reason) : NULL,
						       .error = error,
						       .evidence = evidence,
						       .evidence_count = ghost_evidence(ghost, evidence),
						       .owner_count = ghost->owner_count,
						       .owners = owners,
						       .ns = &ghost->record->ns,
						       .message = message && *message ? message : NULL,
					       });
}

/* Those that the plugin remembers, behind the ones that live. Also on failure *count is what is there. */
static int add_former(const struct ghost_record *record, struct owner **owners, uint8_t *count)
{
	int r = 0;

	for (uint8_t i = 0; r == 0 && i < record->former_count && *count < GB_HOLDERS_MAX; i++) {
		r = owner_copy(&record->former[i], &owners[*count]);
		*count += r == 0;
	}
	return r;
}

/* Those that live are borrowed; the ones that are gone are left out. */
static int add_living(struct plugin *plugin, const struct ghost_record *record, struct owner **owners, uint8_t *count)
{
	for (uint8_t i = 0; i < record->holder_count; i++) {
		const struct gb_holder *holder = &record->holders[i];
		int r = owner_cache_get(plugin->engine->owners, holder->pid, holder->start_ticks, &owners[*count]);

		if (r < 0 && r != -ESRCH)
			return r;
		*count += r == 0;
	}
	return 0;
}

/* How many owners there are, or -errno when one could not be looked up although it may be there. */
static int look_up_owners(struct plugin *plugin, struct ghost *ghost)
{
	struct owner *owners[GB_HOLDERS_MAX];
	uint8_t living = 0, count;
	int r = add_living(plugin, ghost->record, owners, &living);

	if (r < 0)
		return r;
	count = living;
	r = add_former(ghost->record, owners, &count);
	/* With none left, the last known ones are still who leaked it. */
	if (r == 0 && (count || !ghost->owner_count))
		ghost_set_owners(ghost, owners, count);
	for (uint8_t i = living; i < count; i++)
		owner_unref(owners[i]);
	return r < 0 ? r : count;
}

static void fill_subject(const struct plugin *plugin, const struct ghost *ghost, int found,
			 const struct gb_owner **owners, struct guard_subject *subject)
{
	const struct ghost_record *record = ghost->record;

	*subject = (struct guard_subject){
		.report_only = record->report_only || !plugin->callbacks->reap,
		.tripped = plugin->breaker.tripped,
		.port = record->port,
		.path = record->path,
		.ns = record->ns,
		.owners = owners,
		.owner_count = found ? ghost->owner_count : 0,
		.holder_count = record->holder_count,
	};
	for (uint32_t i = 0; i < subject->owner_count; i++)
		owners[i] = &ghost->owners[i]->public;
}

static void say_found(struct plugin *plugin, struct ghost *ghost)
{
	if (ghost->found)
		return;
	ghost->found = true;
	plugin_say(plugin, ghost, GHOST_EVENT_FOUND, 0, 0, NULL);
}

const char *plugin_guard_spares(struct plugin *plugin, struct ghost *ghost)
{
	const struct gb_owner *owners[GB_HOLDERS_MAX];
	int found = look_up_owners(plugin, ghost);
	struct guard_verdict verdict;
	struct guard_subject subject;
	uint16_t word;

	say_found(plugin, ghost);
	if (found < 0) {
		verdict.reason = "owner-unknown";
		snprintf(verdict.detail, sizeof(verdict.detail), "a holder could not be looked up: %s",
			 strerror(-found));
	} else {
		fill_subject(plugin, ghost, found, owners, &subject);
		guard_judge(&plugin->engine->guard, &subject, &verdict);
	}
	/* The guard's reasons are words; without memory for one more, the ghost is spared all the same. */
	if (verdict.reason)
		plugin_spare(plugin, ghost, GHOST_SPARED, word_id(verdict.reason, &word) == 0 ? word : 0,
			     verdict.detail);
	return verdict.reason;
}

bool plugin_judge(struct plugin *plugin, struct ghost *ghost)
{
	if (plugin_guard_spares(plugin, ghost))
		return false;
	ghost_enqueue(&plugin->ghosts, ghost);
	return true;
}

void plugin_spare(struct plugin *plugin, struct ghost *ghost, enum ghost_state state, uint16_t reason,
		  const char *detail)
{
	ghost_set_state(&plugin->ghosts, ghost, state);
	ghost->reason = reason;
	ghost_set_detail(ghost, detail);
	if (!ghost->owner_count && (ghost->record->holder_count || ghost->record->former_count))
		look_up_owners(plugin, ghost);
	if (ghost_spared_anew(ghost, reason))
		plugin_say(plugin, ghost, GHOST_EVENT_SPARED, reason, 0, detail);
}

void plugin_heal(struct plugin *plugin, struct ghost *ghost)
{
	plugin_say(plugin, ghost, GHOST_EVENT_HEALED, 0, 0, NULL);
	ghost_finish(&plugin->ghosts, ghost, GHOST_HEALED);
}

void plugin_tripped(struct plugin *plugin)
{
	const char *why = plugin->breaker.reason;
	struct ghost *ghost;

	log_line(
		GB_LOG_ERROR, plugin->name,
		"circuit breaker tripped: %s; it only observes from here on, until `ghostbuster resume %s` or a reload",
		why, plugin->name);
	journal_write(plugin->engine->journal,
		      &(struct event){.name = "guard.tripped", .plugin = plugin->name, .message = why});
	while ((ghost = TAILQ_FIRST(&plugin->ghosts.queue)))
		plugin_judge(plugin, ghost);
}
