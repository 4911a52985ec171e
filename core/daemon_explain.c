/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to "why": what is known of one ghost or suspect, what its plugin says to it, and what may be done. */
#include <errno.h>
#include <string.h>

#include "daemon_private.h"
#include "plugin_explain.h"
#include "word.h"

#define MS_NS UINT64_C(1000000)

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

static const char *advice_of(const struct ghost *ghost)
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

		answer_put(object, "time", journal_json_time(step->wall_ns));
		answer_put_text(object, "event", ghost_event_text((enum ghost_event)step->event));
		answer_put_text(object, step->event == GHOST_EVENT_FAILED ? "error" : "reason",
				word_text(step->reason));
		json_array_append_new(array, object);
	}
	return array;
}

static void put_explanation(json_t *object, struct explanation *explanation, const char *advice)
{
	_cleanup_buffer_ struct buffer text = {0};

	if (json_array_size(explanation->conditions))
		answer_put(object, "conditions", json_incref(explanation->conditions));
	if (advice)
		buffer_add_text(&text, advice);
	if (explanation->advice.length)
		buffer_add_format(&text, "%s%s", text.length ? " " : "", buffer_text(&explanation->advice));
	answer_put_text(object, "advice", buffer_text(&text));
}

/* Of what is over, a plugin knows no more than what its owner made of the release. */
static json_t *explain_ghost(struct plugin *plugin, const struct ghost *ghost)
{
	struct explanation explanation = {0};
	json_t *object = json_object();

	answer_put_ghost(object, ghost);
	answer_put(object, "history", history(ghost));
	if (plugin && ghost->state != GHOST_HEALED)
		plugin_explain(plugin, ghost->key, NULL, &explanation);
	put_explanation(object, &explanation, advice_of(ghost));
	explanation_fini(&explanation);
	return object;
}

/* A suspect that its plugin has not told of yet; NULL when it does not know it either. */
static json_t *explain_suspect(struct plugin *plugin, const char *resource)
{
	struct explanation explanation = {0};
	json_t *object = NULL;

	if (plugin_explain(plugin, 0, resource, &explanation) == 0 && explanation.identified) {
		char id[GHOST_ID_MAX];

		object = json_object();
		answer_put_text(object, "id", ghost_id_format(plugin->ghosts.plugin, explanation.key, id));
		answer_put_text(object, "plugin", plugin->name);
		answer_put_text(object, "resource", resource);
		answer_put_text(object, "state", "suspect");
		answer_put_number(object, "age_ms", explanation.age_ns / MS_NS);
		put_explanation(object, &explanation, NULL);
	}
	explanation_fini(&explanation);
	return object;
}

static const struct ghost *find_resource(const struct plugin *plugin, const char *resource)
{
	const struct ghost *ghost = plugin->ghosts.by_key;

	while (ghost && strcmp(ghost_resource(ghost), resource) != 0)
		ghost = ghost->hh.next;
	return ghost;
}

/* Known ones first, then what the plugins only watch, then what is over. */
static json_t *explain_resource(struct daemon *daemon, const char *resource)
{
	const struct ghost *ghost;
	json_t *object;

	for (size_t i = 0; i < daemon->slot_count; i++) {
		struct plugin *plugin = daemon->slots[i]->plugin;

		ghost = plugin ? find_resource(plugin, resource) : NULL;
		if (ghost)
			return explain_ghost(plugin, ghost);
	}
	for (size_t i = 0; i < daemon->slot_count; i++) {
		struct plugin *plugin = daemon->slots[i]->plugin;

		object = plugin ? explain_suspect(plugin, resource) : NULL;
		if (object)
			return object;
	}
	ghost = ghost_ring_find_resource(&daemon->engine.finished, resource);
	if (ghost) {
		struct slot *slot = slot_find(daemon, word_text(ghost->plugin));

		return explain_ghost(slot ? slot->plugin : NULL, ghost);
	}
	return answer_error("%s is no id or resource of a ghost or suspect; `ghostbuster ghosts` shows them", resource);
}

json_t *answer_explain(struct daemon *daemon, const json_t *request)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	const struct ghost *ghost;
	char name[GHOST_ID_MAX];
	struct slot *slot;
	uint16_t word;
	uint64_t key;

	if (!id || ghost_id_parse(id, name, &key) < 0)
		return id ? explain_resource(daemon, id)
			  : answer_error("(nothing) is no id of a ghost; `ghostbuster ghosts` shows them");
	slot = slot_find(daemon, name);
	ghost = slot && slot->plugin ? ghost_find(&slot->plugin->ghosts, key) : NULL;
	if (ghost)
		return explain_ghost(slot->plugin, ghost);
	ghost = word_id(name, &word) == 0 ? ghost_ring_find(&daemon->engine.finished, word, key) : NULL;
	if (ghost)
		return explain_ghost(slot ? slot->plugin : NULL, ghost);
	return answer_error("%s is not known, or has been gone for too long; the journal may still have it", id);
}
