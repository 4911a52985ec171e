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
#define LEAKERS_DEFAULT 100
#define LEAKERS_FILES_NS (30 * (uint64_t)GB_MILLISECOND) /* for looking at processes */
#define MS_NS UINT64_C(1000000)

void answer_put(json_t *object, const char *key, json_t *value)
{
	if (json_is_null(value))
		json_decref(value);
	else if (value)
		json_object_set_new(object, key, value);
}

void answer_put_number(json_t *object, const char *key, uint64_t value)
{
	answer_put(object, key, json_integer((json_int_t)value));
}

void answer_put_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		answer_put(object, key, journal_json_text(text));
}

json_t *answer_error(const char *format, ...)
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
		answer_put_number(object, word_text(plugin->numbers[i].name), plugin->numbers[i].value);
	return object;
}

static json_t *facts(const struct plugin *plugin)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < plugin->fact_count; i++)
		answer_put_text(object, word_text(plugin->facts[i].name), plugin->facts[i].text);
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

	answer_put_text(object, "name", plugin->name);
	answer_put_text(object, "version", plugin->version);
	answer_put_text(object, "state", plugin_state_text(plugin));
	answer_put_text(object, "why", plugin->breaker.tripped ? plugin->breaker.reason : plugin->why);
	if (plugin_is_open(plugin) && (plugin->scanning || plugin->next_scan_ns != CLOCK_NEVER))
		answer_put_number(object, "next_scan_ms", until_scan_ms(plugin));
	answer_put_number(object, "known", ghost_count(&plugin->ghosts));
	answer_put_number(object, "queued", plugin->ghosts.queued);
	answer_put(object, "totals", tally_total_json(&plugin->tally));
	answer_put(object, "classes", tally_classes_json(&plugin->tally));
	answer_put(object, "numbers", numbers(plugin));
	answer_put(object, "facts", facts(plugin));
	if (slot->settings)
		answer_put(object, "options", settings_json(slot->settings));
	return object;
}

static json_t *answer_status(const struct daemon *daemon)
{
	const struct config *config = daemon->config;
	json_t *object = json_object(), *plugins = json_array();

	answer_put_text(object, "version", EGHOSTBUSTER_VERSION);
	answer_put_number(object, "pid", (uint64_t)getpid());
	answer_put_text(object, "mode", daemon->engine.guard.observe ? "observe" : "reap");
	answer_put_number(object, "uptime_s", (clock_now_ns() - daemon->started_ns) / (uint64_t)GB_SECOND);
	answer_put_number(object, "wakeups", loop_wakeups(daemon->engine.loop));
	answer_put_text(object, "config", config->file);
	answer_put_text(object, "control", daemon->control_path);
	answer_put_text(object, "kernel", daemon->kernel);
	answer_put(object, "scope",
		   json_pack("{s:o,s:o,s:o}", "netns", strings(&config->scope.netns), "ipcns",
			     strings(&config->scope.ipcns), "paths", strings(&config->scope.paths)));
	answer_put_number(object, "journal_lost", journal_lost(daemon->engine.journal));
	for (size_t i = 0; i < daemon->slot_count; i++)
		if (daemon->slots[i]->plugin)
			json_array_append_new(plugins, plugin_status(daemon->slots[i]));
	answer_put(object, "plugins", plugins);
	return object;
}

/* ---- ghosts and leakers ------------------------------------------------------------------------------------------- */

void answer_put_ghost(json_t *object, const struct ghost *ghost)
{
	const struct gb_owner *owners[GB_HOLDERS_MAX];
	struct gb_field evidence[GB_EVIDENCE_MAX];
	char id[GHOST_ID_MAX];

	for (uint8_t i = 0; i < ghost->owner_count; i++)
		owners[i] = &ghost->owners[i]->public;
	answer_put_text(object, "id", ghost_id(ghost, id));
	answer_put_text(object, "plugin", word_text(ghost->plugin));
	answer_put_text(object, "resource", ghost_resource(ghost));
	answer_put_text(object, "state", ghost_state_text((enum ghost_state)ghost->state));
	answer_put_text(object, "reason", word_text(ghost->reason));
	answer_put_text(object, "detail", ghost->detail);
	answer_put_number(object, "age_ms", ghost_age_ns(ghost, clock_now_ns()) / MS_NS);
	answer_put_text(object, "action", word_text(ghost->record->action));
	answer_put(object, "owners", journal_json_owners(owners, ghost->owner_count));
	answer_put(object, "namespace", journal_json_ns(&ghost->record->ns));
	answer_put(object, "evidence", journal_json_fields(evidence, ghost_evidence(ghost, evidence)));
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
		return answer_error("no plugin %s is enabled; `ghostbuster status` shows which are", name);
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

			answer_put_ghost(object, ghost);
			json_array_append_new(list, object);
		}
	}
	return json_pack("{s:o,s:I}", "ghosts", list, "total", (json_int_t)total);
}

static json_t *answer_leakers(struct daemon *daemon, const json_t *request)
{
	struct leakers *leakers = &daemon->engine.leakers;
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	uint64_t now_ns = clock_now_ns();

	leakers_present_none(leakers);
	for (size_t i = 0; i < daemon->slot_count; i++) {
		const struct plugin *plugin = daemon->slots[i]->plugin;

		for (const struct ghost *ghost = plugin ? plugin->ghosts.by_key : NULL; ghost; ghost = ghost->hh.next)
			leakers_present(leakers, ghost, now_ns);
		if (plugin)
			plugin_present_dead(plugin, leakers);
	}
	if (limit <= 0 || limit > LEAKERS_MAX)
		limit = LEAKERS_DEFAULT;
	return leakers_json(leakers, (size_t)limit, now_ns, clock_now_ns() + LEAKERS_FILES_NS);
}

static json_t *answer_resume(const struct daemon *daemon, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "plugin"));
	struct slot *slot = name ? slot_find(daemon, name) : NULL;
	bool resumed;

	if (!slot || !slot->plugin)
		return answer_error("no plugin %s is enabled; `ghostbuster status` shows which are",
				    name ? name : "(nothing)");
	resumed = plugin_resume(slot->plugin);
	return json_pack("{s:s,s:b,s:s}", "plugin", name, "resumed", (int)resumed, "message",
			 resumed ? "back to work, scanning now" : "its circuit breaker had not tripped");
}

json_t *daemon_answer(void *arg, const char *verb, const json_t *request)
{
	struct daemon *daemon = arg;

	if (strcmp(verb, "status") == 0)
		return answer_status(daemon);
	if (strcmp(verb, "ghosts") == 0)
		return answer_ghosts(daemon, request);
	if (strcmp(verb, "explain") == 0)
		return answer_explain(daemon, request);
	if (strcmp(verb, "leakers") == 0)
		return answer_leakers(daemon, request);
	if (strcmp(verb, "resume") == 0)
		return answer_resume(daemon, request);
	return NULL;
}
