/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of the control socket, in the shapes that control.h describes. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "daemon_private.h"
#include "word.h"

#define GHOSTS_DEFAULT 1000
#define GHOSTS_MAX 10000
#define MS_NS UINT64_C(1000000)

/* Sets it unless there is none: a key without a value is left out. Takes the value. */
static void put(json_t *object, const char *key, json_t *value)
{
	if (json_is_null(value))
		json_decref(value);
	else if (value)
		json_object_set_new(object, key, value);
}

static void put_number(json_t *object, const char *key, uint64_t value)
{
	put(object, key, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		put(object, key, journal_json_text(text));
}

static json_t *error_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));

static json_t *error_answer(const char *format, ...)
{
	va_list args;
	json_t *text;

	va_start(args, format);
	text = json_vsprintf(format, args);
	va_end(args);
	return json_pack("{s:o}", "error", text);
}

/* ---- status ------------------------------------------------------------------------------------------------------- */

static json_t *strings(const struct gb_strings *list)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < list->count; i++)
		json_array_append_new(array, journal_json_text(list->items[i]));
	return array;
}

static json_t *numbers(const struct plugin *plugin)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < plugin->number_count; i++)
		put_number(object, word_text(plugin->numbers[i].name), plugin->numbers[i].value);
	return object;
}

static json_t *facts(const struct plugin *plugin)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < plugin->fact_count; i++)
		put_text(object, word_text(plugin->facts[i].name), plugin->facts[i].text);
	return object;
}

static json_t *totals(const struct plugin_totals *sum)
{
	json_t *object = json_object();

	put_number(object, "found", sum->found);
	put_number(object, "reaped", sum->reaped);
	put_number(object, "healed", sum->healed);
	put_number(object, "spared", sum->spared);
	put_number(object, "failed", sum->failed);
	return object;
}

static uint64_t until_scan_ms(const struct plugin *plugin)
{
	uint64_t now_ns = clock_now_ns();

	return plugin->scanning || plugin->next_scan_ns <= now_ns ? 0 : (plugin->next_scan_ns - now_ns) / MS_NS;
}

static json_t *plugin_status(const struct slot *slot)
{
	const struct plugin *plugin = slot->plugin;
	json_t *object = json_object();

	put_text(object, "name", plugin->name);
	put_text(object, "version", plugin->version);
	put_text(object, "state", plugin_state_text(plugin));
	put_text(object, "why", plugin->breaker.tripped ? plugin->breaker.reason : plugin->why);
	if (plugin_is_open(plugin) && (plugin->scanning || plugin->next_scan_ns != CLOCK_NEVER))
		put_number(object, "next_scan_ms", until_scan_ms(plugin));
	put_number(object, "known", ghost_count(&plugin->ghosts));
	put_number(object, "queued", plugin->ghosts.queued);
	put(object, "totals", totals(&plugin->totals));
	put(object, "numbers", numbers(plugin));
	put(object, "facts", facts(plugin));
	if (slot->settings)
		put(object, "options", settings_json(slot->settings));
	return object;
}

static json_t *answer_status(const struct daemon *daemon)
{
	const struct config *config = daemon->config;
	json_t *object = json_object(), *plugins = json_array();

	put_text(object, "version", EGHOSTBUSTER_VERSION);
	put_number(object, "pid", (uint64_t)getpid());
	put_text(object, "mode", daemon->engine.guard.observe ? "observe" : "reap");
	put_number(object, "uptime_s", (clock_now_ns() - daemon->started_ns) / (uint64_t)GB_SECOND);
	put_number(object, "wakeups", loop_wakeups(daemon->engine.loop));
	put_text(object, "config", config->file);
	put_text(object, "control", daemon->control_path);
	put_text(object, "kernel", daemon->kernel);
	put(object, "scope",
	    json_pack("{s:o,s:o,s:o}", "netns", strings(&config->scope.netns), "ipcns", strings(&config->scope.ipcns),
		      "paths", strings(&config->scope.paths)));
	put_number(object, "journal_lost", journal_lost(daemon->engine.journal));
	for (size_t i = 0; i < daemon->slot_count; i++)
		if (daemon->slots[i]->plugin)
			json_array_append_new(plugins, plugin_status(daemon->slots[i]));
	put(object, "plugins", plugins);
	return object;
}

/* ---- ghosts and explain ------------------------------------------------------------------------------------------- */

static void put_ghost(json_t *object, const struct ghost *ghost)
{
	const struct gb_owner *owners[GB_HOLDERS_MAX];
	struct gb_field evidence[GB_EVIDENCE_MAX];
	char id[GHOST_ID_MAX];

	for (uint8_t i = 0; i < ghost->owner_count; i++)
		owners[i] = &ghost->owners[i]->public;
	put_text(object, "id", ghost_id(ghost, id));
	put_text(object, "plugin", word_text(ghost->plugin));
	put_text(object, "resource", ghost_resource(ghost));
	put_text(object, "state", ghost_state_text((enum ghost_state)ghost->state));
	put_text(object, "reason", word_text(ghost->reason));
	put_text(object, "detail", ghost->detail);
	put_number(object, "age_ms", ghost_age_ns(ghost, clock_now_ns()) / MS_NS);
	put_text(object, "action", word_text(ghost->record->action));
	put(object, "owners", journal_json_owners(owners, ghost->owner_count));
	put(object, "namespace", journal_json_ns(&ghost->record->ns));
	put(object, "evidence", journal_json_fields(evidence, ghost_evidence(ghost, evidence)));
}

static json_t *answer_ghosts(const struct daemon *daemon, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "plugin"));
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	json_t *list = json_array();
	uint64_t total = 0;

	if (limit <= 0)
		limit = GHOSTS_DEFAULT;
	if (limit > GHOSTS_MAX)
		limit = GHOSTS_MAX;
	if (name && !slot_find(daemon, name)) {
		json_decref(list);
		return error_answer("no plugin %s is enabled; `ghostbuster status` shows which are", name);
	}
	for (size_t i = 0; i < daemon->slot_count; i++) {
		const struct plugin *plugin = daemon->slots[i]->plugin;
		const struct ghost *ghost;

		if (!plugin || (name && strcmp(name, plugin->name) != 0))
			continue;
		total += ghost_count(&plugin->ghosts);
		for (ghost = plugin->ghosts.by_key; ghost && json_array_size(list) < (size_t)limit;
		     ghost = ghost->hh.next) {
			json_t *object = json_object();

			put_ghost(object, ghost);
			json_array_append_new(list, object);
		}
	}
	return json_pack("{s:o,s:I}", "ghosts", list, "total", (json_int_t)total);
}

/* What the person who asks may do; by the reason, else by the state. */
static const struct {
	const char *word, *advice;
} advices[] = {
	{"report", "It is only reported, as its action says. To have it released, give it another `action`."},
	{"observe", "The daemon runs in observe mode and releases nothing. Set `mode = \"reap\"` and reload."},
	{"exempt", "A holder, port or path is exempt. Change guard.exempt and reload, if that is not meant."},
	{"breaker",
	 "The circuit breaker of the plugin tripped. `ghostbuster status` says why; when that is dealt with, "
	 "run `ghostbuster resume` with the plugin's name."},
	{"holder-gone", "No holder of it could be found any more. It is looked at again at the next scan."},
	{"owner-unknown", "A holder of it could not be looked up. It is looked at again at the next scan."},
	{"queued", "It waits for its turn: the rate limit (guard.rate, guard.burst) lets so many pass in a second."},
	{"reaping", "It is being released right now."},
	{"deferred", "Its release has begun and ends by itself, or its peer is being asked first."},
	{"reaped", "It was released. What its owner leaks, it will leak again: the fix is in the owner's code."},
	{"healed", "It went away or recovered by itself. Nothing is to be done."},
	{"failed", "Its release failed. It is tried again when the next scan finds it still there."},
	{"suspect", "The plugin's policy spares it for the reason given. It is looked at again when that may change."},
};

static const char *advice(const struct ghost *ghost)
{
	const char *reason = word_text(ghost->reason), *state = ghost_state_text((enum ghost_state)ghost->state);

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if ((*reason && strcmp(advices[i].word, reason) == 0) || strcmp(advices[i].word, state) == 0)
			return advices[i].advice;
	return NULL;
}

static json_t *history(const struct ghost *ghost)
{
	json_t *array = json_array();

	for (uint8_t i = 0; i < ghost->history_count; i++) {
		const struct ghost_step *step = &ghost->history[i];
		json_t *object = json_object();

		put(object, "time", journal_json_time(step->wall_ns));
		put_text(object, "event", ghost_event_text((enum ghost_event)step->event));
		put_text(object, step->event == GHOST_EVENT_FAILED ? "error" : "reason", word_text(step->reason));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *answer_explain(const struct daemon *daemon, const json_t *request)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	const struct ghost *ghost = NULL;
	char name[GHOST_ID_MAX];
	struct slot *slot;
	json_t *object;
	uint16_t word;
	uint64_t key;

	if (!id || ghost_id_parse(id, name, &key) < 0)
		return error_answer("%s is no id of a ghost; `ghostbuster ghosts` shows them", id ? id : "(nothing)");
	slot = slot_find(daemon, name);
	if (slot && slot->plugin)
		ghost = ghost_find(&slot->plugin->ghosts, key);
	if (!ghost && word_id(name, &word) == 0)
		ghost = ghost_ring_find(&daemon->engine.finished, word, key);
	if (!ghost)
		return error_answer("%s is not known, or has been gone for too long; the journal may still have it",
				    id);
	object = json_object();
	put_ghost(object, ghost);
	put(object, "history", history(ghost));
	put_text(object, "advice", advice(ghost));
	return object;
}

static json_t *answer_resume(const struct daemon *daemon, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "plugin"));
	struct slot *slot = name ? slot_find(daemon, name) : NULL;
	bool resumed;

	if (!slot || !slot->plugin)
		return error_answer("no plugin %s is enabled; `ghostbuster status` shows which are",
				    name ? name : "(nothing)");
	resumed = plugin_resume(slot->plugin);
	return json_pack("{s:s,s:b,s:s}", "plugin", name, "resumed", (int)resumed, "message",
			 resumed ? "back to work, scanning now" : "its circuit breaker had not tripped");
}

json_t *daemon_answer(void *arg, const char *verb, const json_t *request)
{
	const struct daemon *daemon = arg;

	if (strcmp(verb, "status") == 0)
		return answer_status(daemon);
	if (strcmp(verb, "ghosts") == 0)
		return answer_ghosts(daemon, request);
	if (strcmp(verb, "explain") == 0)
		return answer_explain(daemon, request);
	if (strcmp(verb, "resume") == 0)
		return answer_resume(daemon, request);
	return NULL;
}
