/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin_explain.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "word.h"

static bool text_fits(const char *text)
{
	return strnlen(text, EXPLAIN_TEXT_MAX + 1) <= EXPLAIN_TEXT_MAX;
}

static int on_identify(const struct gb_explain *explain, uint64_t key, uint64_t age_ns)
{
	struct explanation *explanation = explain->core;

	if (!explain->resource || explanation->identified)
		return -EINVAL;
	explanation->identified = true;
	explanation->key = key;
	explanation->age_ns = age_ns;
	return 0;
}

static int on_condition(const struct gb_explain *explain, const char *name, int holds, const char *text)
{
	struct explanation *explanation = explain->core;
	json_t *object;
	uint16_t word;
	int r = word_id(name, &word);

	if (r < 0)
		return r;
	if (text && !text_fits(text))
		return -EINVAL;
	if (!explanation->conditions)
		explanation->conditions = json_array();
	if (json_array_size(explanation->conditions) >= EXPLAIN_CONDITIONS_MAX)
		return -ENOSPC;
	object = json_object();
	json_object_set_new(object, "name", json_string(word_text(word)));
	json_object_set_new(object, "holds", holds < 0 ? json_null() : json_boolean(holds != 0));
	if (text && *text)
		json_object_set_new(object, "text", journal_json_text(text));
	return json_array_append_new(explanation->conditions, object) < 0 ? -ENOMEM : 0;
}

static int on_advice(const struct gb_explain *explain, const char *text)
{
	struct buffer *advice = &((struct explanation *)explain->core)->advice;

	if (!text || !text_fits(text) || advice->length > EXPLAIN_TEXT_MAX)
		return -EINVAL;
	buffer_add_format(advice, "%s%s", advice->length ? " " : "", text);
	return 0;
}

int plugin_explain(struct plugin *plugin, uint64_t key, const char *resource, struct explanation *explanation)
{
	const struct gb_explain explain = {
		.struct_size = sizeof(explain),
		.core = explanation,
		.resource = resource,
		.identify = on_identify,
		.condition = on_condition,
		.advice = on_advice,
	};
	int r;

	if (!plugin_is_open(plugin) || !plugin->callbacks->explain)
		return -EOPNOTSUPP;
	plugin_enter(plugin, PLUGIN_CALL_EXPLAIN);
	r = plugin->callbacks->explain(plugin->opened, key, &explain);
	plugin_leave(plugin);
	if (r < 0 && r != -ENOENT)
		log_line(GB_LOG_WARNING, plugin->name, "it could not explain %s: %s; showing what the daemon knows",
			 resource ? resource : "a ghost", strerror(-r));
	return r;
}

void explanation_fini(struct explanation *explanation)
{
	json_decref(explanation->conditions);
	buffer_fini(&explanation->advice);
	*explanation = (struct explanation){0};
}
