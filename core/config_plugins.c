/* SPDX-License-Identifier: Apache-2.0 */
/* The `plugins` group: who is named, who is enabled, and later the options of each. */
#include "config_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PLUGINS_MAX 256
#define PLUGIN_NAME_MAX 31 /* bytes */
#define SUBJECT_MAX (sizeof("plugin \"\"") + PLUGIN_NAME_MAX)

const char *const config_plugin_keys[] = {"enabled", NULL};

struct enabled_value {
	bool enabled;
};

static const struct gb_option enabled_options[] = {
	GB_OPTION_BOOL("enabled", struct enabled_value, enabled, "false", "whether the plugin is started"),
};

/* The list while it grows; the config's is const. */
struct plugin_list {
	struct config_plugin *items; /* PLUGINS_MAX */
	size_t count;
};

static bool name_is_good(const char *name)
{
	return *name >= 'a' && *name <= 'z' && strnlen(name, PLUGIN_NAME_MAX + 1) <= PLUGIN_NAME_MAX &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] && strcmp(name, OVERRIDE_CORE) != 0;
}

static config_setting_t *plugins_group(const struct config *config)
{
	config_setting_t *plugins = config_setting_get_member(config_root_setting(&config->private->parsed), "plugins");

	return plugins && config_setting_is_group(plugins) ? plugins : NULL;
}

static config_setting_t *plugin_group(const struct config *config, const char *name)
{
	config_setting_t *plugins = plugins_group(config);

	return plugins ? config_setting_get_member(plugins, name) : NULL;
}

/* Of the plugin `name`, those of "enabled" or all others; in the config's arena. */
static int plugin_overrides(const struct config *config, const char *name, bool of_enabled,
			    struct option_source *source)
{
	struct config_private *private = config->private;
	struct override *selected = arena_alloc(&private->arena, private->override_count * sizeof(*selected));

	if (!selected)
		return -ENOMEM;
	source->overrides = selected;
	for (size_t i = 0; i < private->override_count; i++)
		if (!strcmp(private->overrides[i].scope, name) &&
		    !strcmp(private->overrides[i].key, config_plugin_keys[0]) == of_enabled)
			selected[source->override_count++] = private->overrides[i];
	return 0;
}

static int list_add(struct plugin_list *list, const char *name, const char *file, unsigned int line,
		    struct problems *problems)
{
	if (!name_is_good(name)) {
		problems_add(problems, file, line,
			     "plugin name \"%.64s\", want [a-z][a-z0-9_]* of at most %d bytes and not \"%s\"", name,
			     PLUGIN_NAME_MAX, OVERRIDE_CORE);
		return -EINVAL;
	}
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->items[i].name, name))
			return 0;
	if (list->count == PLUGINS_MAX) {
		problems_add(problems, file, line, "plugin \"%s\": more than %d plugins", name, PLUGINS_MAX);
		return -E2BIG;
	}
	list->items[list->count++] = (struct config_plugin){.name = name, .file = file, .line = line};
	return 0;
}

/* All plugins that the file names, then those that only --set names. */
static void list_fill(const struct config *config, struct plugin_list *list, struct problems *problems)
{
	const config_setting_t *plugins = plugins_group(config);
	const struct config_private *private = config->private;
	int rc = 0;

	for (int i = 0; plugins && i < config_setting_length(plugins) && rc != -E2BIG; i++) {
		const config_setting_t *plugin = config_setting_get_elem(plugins, (unsigned int)i);

		rc = list_add(list, config_setting_name(plugin), config->file, config_setting_source_line(plugin),
			      problems);
	}
	for (size_t i = 0; i < private->override_count && rc != -E2BIG; i++)
		if (strcmp(private->overrides[i].scope, OVERRIDE_CORE) != 0)
			rc = list_add(list, private->overrides[i].scope, private->overrides[i].typed, 0, problems);
}

/* With a table that knows nothing but "enabled", and everything else in the group somebody else's. */
static int enabled_decode(struct config *config, struct config_plugin *plugin, struct problems *problems)
{
	const config_setting_t *group = plugin_group(config, plugin->name);
	int length = group && config_setting_is_group(group) ? config_setting_length(group) : 0;
	const char **others = arena_alloc(&config->private->arena, ((size_t)length + 1) * sizeof(*others));
	struct option_source source = {.group = group, .file = config->file};
	const struct enabled_value *value;
	struct settings *settings = NULL;
	char subject[SUBJECT_MAX];
	struct option_table table = {.options = enabled_options,
				     .count = GB_COUNT(enabled_options),
				     .stride = sizeof(struct gb_option),
				     .data_size = sizeof(struct enabled_value),
				     .subject = subject,
				     .others = others};
	int rc;

	if (!others)
		return -ENOMEM;
	for (int i = 0; i < length; i++)
		others[i] = config_setting_name(config_setting_get_elem(group, (unsigned int)i));
	snprintf(subject, sizeof(subject), "plugin \"%s\"", plugin->name);
	rc = plugin_overrides(config, plugin->name, true, &source);
	if (rc == 0)
		rc = settings_decode(&table, &source, problems, &settings);
	if (rc < 0)
		return rc;
	value = settings_data(settings);
	plugin->enabled = value->enabled;
	settings_free(settings);
	return 0;
}

int config_plugins_decode(struct config *config, struct problems *problems)
{
	config_setting_t *plugins = config_setting_get_member(config_root_setting(&config->private->parsed), "plugins");
	struct plugin_list list = {.items = arena_alloc(&config->private->arena, PLUGINS_MAX * sizeof(*list.items))};
	size_t problems_before = problems->count;

	if (!list.items)
		return -ENOMEM;
	if (plugins && !config_setting_is_group(plugins))
		problems_add(problems, config->file, config_setting_source_line(plugins),
			     "plugins: want a group such as { tcp_close_wait: { enabled = true; }; }");
	list_fill(config, &list, problems);
	for (size_t i = 0; i < list.count; i++)
		if (enabled_decode(config, &list.items[i], problems) == -ENOMEM)
			return -ENOMEM;
	config->plugins = list.items;
	config->plugin_count = list.count;
	return problems->count > problems_before ? -EINVAL : 0;
}

const struct config_plugin *config_find_plugin(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->plugin_count; i++)
		if (!strcmp(config->plugins[i].name, name))
			return &config->plugins[i];
	return NULL;
}

int config_plugin_settings(const struct config *config, const struct option_table *table, const char *name,
			   struct problems *problems, struct settings **ret_settings)
{
	struct option_source source = {.group = plugin_group(config, name), .file = config->file};
	int rc = plugin_overrides(config, name, false, &source);

	return rc < 0 ? rc : settings_decode(table, &source, problems, ret_settings);
}
