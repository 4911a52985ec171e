/* SPDX-License-Identifier: Apache-2.0 */
#include "list_plugins_json.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "capability.h"
#include "cleanup.h"
#include "escape.h"
#include "option.h"

/* File names and messages of the system may hold any bytes; those that are no UTF-8 are escaped. */
static json_t *text_json(const char *text)
{
	_cleanup_buffer_ struct buffer escaped = {0};
	json_t *string = json_string(text);

	if (string)
		return string;
	escape_text(&escaped, text, 0);
	return json_string(buffer_text(&escaped));
}

static json_t *abi_json(unsigned int major, unsigned int minor)
{
	return json_sprintf("%u.%u", major, minor);
}

static json_t *roles_json(uint32_t roles)
{
	json_t *list = json_array();

	if (roles & GB_ROLE_DETECTOR)
		json_array_append_new(list, json_string("detector"));
	if (roles & GB_ROLE_REAPER)
		json_array_append_new(list, json_string("reaper"));
	return list;
}

static json_t *features_json(uint32_t features)
{
	json_t *list = json_array();

	if (features & GB_KERNEL_BTF)
		json_array_append_new(list, json_string("btf"));
	if (features & GB_KERNEL_BPF_ITER)
		json_array_append_new(list, json_string("bpf_iter"));
	return list;
}

static json_t *capabilities_json(uint64_t mask)
{
	json_t *list = json_array();

	for (unsigned int number = 0; number < 64; number++) {
		char name[CAPABILITY_NAME_SIZE];

		if (!(mask >> number & 1))
			continue;
		json_array_append_new(list, capability_name(number, name) == 0 ? json_string(name)
									       : json_sprintf("CAP_%u", number));
	}
	return list;
}

static json_t *options_json(const struct gb_plugin *plugin)
{
	const struct option_table table = {
		.options = plugin->options,
		.count = plugin->option_count,
		.stride = sizeof(*plugin->options),
		.data_size = plugin->config_size,
		.subject = plugin->name,
	};

	return option_table_json(&table);
}

/* NULL: no memory. */
static json_t *plugin_json(const struct plugin_file *file, bool is_enabled)
{
	json_t *object =
		json_pack("{s:o, s:o, s:b, s:o}", "name", text_json(file->name), "file", text_json(file->path),
			  "enabled", is_enabled, "refused", file->refusal ? text_json(file->refusal) : json_null());
	const struct gb_plugin *plugin;
	json_t *details;

	if (!object || file->refusal)
		return object;
	plugin = &file->descriptor->plugin;
	details = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "version", plugin->version, "summary",
			    plugin->summary, "abi", abi_json(plugin->abi_major, plugin->abi_minor), "roles",
			    roles_json(plugin->roles), "capabilities", capabilities_json(plugin->capabilities),
			    "kernel_features", features_json(plugin->kernel_features), "options", options_json(plugin));
	if (!details || json_object_update(object, details) < 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(details);
	return object;
}

int list_plugins_json(const struct list_plugins_view *view, struct buffer *buffer)
{
	json_t *list = json_array(), *all;
	_cleanup_free_ char *text = NULL;
	int error = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < view->folder->count && error == 0; i++) {
		const struct plugin_file *file = view->folder->files[i];

		if (json_array_append_new(list, plugin_json(file, view->is_enabled(file->name, view->arg))) < 0)
			error = -ENOMEM;
	}
	if (error < 0) {
		json_decref(list);
		return error;
	}
	all = json_pack("{s:o, s:o, s:o}", "folder", text_json(view->folder->path), "abi",
			abi_json(GB_ABI_MAJOR, GB_ABI_MINOR_NEWEST), "plugins", list);
	if (all)
		text = json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	if (!text)
		return -ENOMEM;
	buffer_add_text(buffer, text);
	buffer_add_char(buffer, '\n');
	return 0;
}
