/* SPDX-License-Identifier: Apache-2.0 */
/* An enabled plugin, from its file to its first scan. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capability.h"
#include "cleanup.h"
#include "daemon_private.h"
#include "kernel.h"
#include "log.h"

int slot_new(struct daemon *daemon, const char *name, struct slot **ret_slot)
{
	struct slot *slot = calloc(1, sizeof(*slot));
	int r;

	if (!slot)
		return -ENOMEM;
	r = asprintf(&slot->subject, "plugin \"%s\"", name) < 0 ? -ENOMEM : 0;
	if (r < 0)
		slot->subject = NULL;
	else
		r = plugin_file_read(daemon->options->plugin_dir, name, 0, &slot->file);
	if (r < 0) {
		slot_free(slot);
		return r;
	}
	*ret_slot = slot;
	return 0;
}

void slot_free(struct slot *slot)
{
	if (!slot)
		return;
	if (slot->plugin)
		plugin_close(slot->plugin);
	plugin_free(slot->plugin);
	settings_free(slot->settings);
	plugin_file_free(slot->file);
	free(slot->subject);
	free(slot);
}

int slot_settings(const struct slot *slot, const struct config *config, struct problems *problems,
		  struct settings **ret_settings)
{
	const struct gb_plugin *plugin;
	struct option_table table;
	int r;

	if (!slot->file->descriptor || slot->file->refusal) {
		*ret_settings = NULL;
		return 0;
	}
	plugin = &slot->file->descriptor->plugin;
	table = (struct option_table){
		.options = plugin->options,
		.count = plugin->option_count,
		.stride = sizeof(struct gb_option),
		.data_size = plugin->config_size,
		.subject = slot->subject,
		.others = config_plugin_keys,
	};
	r = option_table_check(&table, slot->file->path, problems);
	return r < 0 ? r : config_plugin_settings(config, &table, slot->file->name, problems, ret_settings);
}

static void refuse_with(struct slot *slot, const struct problems *problems)
{
	_cleanup_free_ char *all = NULL;
	size_t size;
	FILE *stream = open_memstream(&all, &size);

	for (size_t i = 0; stream && i < problems->count; i++)
		fprintf(stream, "%s%s", i ? "; " : "", problems->items[i]);
	if (stream)
		fclose(stream);
	plugin_refuse(slot->plugin, all ? all : "the kernel or the privileges lack what it needs");
}

/* What it declares to need, before any of its code runs. */
static bool system_suffices(struct daemon *daemon, struct slot *slot)
{
	const struct gb_plugin *plugin = &slot->file->descriptor->plugin;
	struct problems problems = {0};
	int r = kernel_check(&kernel_probe_host, plugin->kernel_features, &problems);

	if (r == 0)
		r = kernel_check_privileges(plugin->capabilities, &problems);
	if (r < 0 && daemon->dropped)
		problems_add(&problems, NULL, 0,
			     "capabilities that no plugin needed were dropped at the start: restart ghostbuster");
	slot->lacks_system = r < 0;
	if (r < 0)
		refuse_with(slot, &problems);
	problems_fini(&problems);
	return r == 0;
}

static void open_failed(struct daemon *daemon, struct slot *slot, int error)
{
	const char *hint = "";
	char why[512];

	slot->lacks_system = error == -EPERM || error == -EACCES || error == -EOPNOTSUPP || error == -ENOSYS;
	if (slot->lacks_system && daemon->dropped)
		hint = ": the capabilities to start it were dropped, restart ghostbuster";
	else if (slot->lacks_system)
		hint = ": the kernel or the privileges lack something, see the lines above";
	snprintf(why, sizeof(why), "it could not be opened: %s%s", strerror(-error), hint);
	plugin_refuse(slot->plugin, why);
}

static void say_loaded(const struct slot *slot)
{
	const struct plugin *plugin = slot->plugin;
	const struct gb_field fields[] = {
		{.name = "version", .type = GB_FIELD_TEXT, .text = plugin->version},
		{.name = "file", .type = GB_FIELD_TEXT, .text = slot->file->path},
	};

	journal_write(plugin->engine->journal, &(struct event){.name = "plugin.loaded",
							       .plugin = plugin->name,
							       .fields = fields,
							       .field_count = GB_COUNT(fields)});
}

bool slot_start(struct daemon *daemon, struct slot *slot)
{
	int r = 0;

	if (!slot->plugin)
		r = plugin_new(&daemon->engine, slot->file->name, &slot->plugin);
	if (r < 0) {
		log_error("plugin %s: %s", slot->file->name, strerror(-r));
		abort(); /* as everywhere when there is no memory for a few hundred bytes */
	}
	if (slot->file->refusal) {
		plugin_refuse(slot->plugin, slot->file->refusal);
		return false;
	}
	if (!system_suffices(daemon, slot))
		return false;
	if (!slot->file->handle && plugin_file_load(slot->file) < 0) {
		plugin_refuse(slot->plugin, slot->file->refusal ? slot->file->refusal : "it could not be loaded");
		return false;
	}
	r = plugin_open(slot->plugin, slot->file->callbacks, settings_data(slot->settings));
	if (r < 0) {
		open_failed(daemon, slot, r);
		return false;
	}
	say_loaded(slot);
	return true;
}

struct slot *slot_find(const struct daemon *daemon, const char *name)
{
	for (size_t i = 0; i < daemon->slot_count; i++)
		if (strcmp(daemon->slots[i]->file->name, name) == 0)
			return daemon->slots[i];
	return NULL;
}

int slot_append(struct daemon *daemon, struct slot *slot)
{
	struct slot **slots = reallocarray(daemon->slots, daemon->slot_count + 1, sizeof(struct slot *));

	if (!slots)
		return -ENOMEM;
	daemon->slots = slots;
	slots[daemon->slot_count++] = slot;
	return 0;
}

void slot_remove(struct daemon *daemon, struct slot *slot)
{
	for (size_t i = 0; i < daemon->slot_count; i++) {
		if (daemon->slots[i] != slot)
			continue;
		daemon->slot_count--;
		memmove(&daemon->slots[i], &daemon->slots[i + 1], (daemon->slot_count - i) * sizeof(struct slot *));
		slot_free(slot);
		return;
	}
}
