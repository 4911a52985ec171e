/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: all of the new configuration, or all of the old. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "daemon_private.h"
#include "log.h"
#include "notify.h"

/* What a plugin will be under the new configuration. */
struct change {
	struct slot *slot;         /* the present one, or a new one that is not started yet */
	struct settings *settings; /* the new ones; NULL when its file was refused */
	bool new;
};

struct plan {
	struct config *config;
	struct change *changes;
	size_t count;
};

static void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		settings_free(plan->changes[i].settings);
		if (plan->changes[i].new)
			slot_free(plan->changes[i].slot);
	}
	free(plan->changes);
	config_free(plan->config);
}

static int plan_add(struct daemon *daemon, struct plan *plan, const char *name, struct problems *problems)
{
	struct change change = {.slot = slot_find(daemon, name)};
	struct change *changes;
	int r = 0;

	/* One that was refused is read again: the reason may be gone. */
	change.new = !change.slot || change.slot->file->refusal || !change.slot->settings;
	if (change.new)
		r = slot_new(daemon, name, &change.slot);
	if (r < 0)
		return r;
	r = slot_settings(change.slot, plan->config, problems, &change.settings);
	changes = r < 0 ? NULL : reallocarray(plan->changes, plan->count + 1, sizeof(*changes));
	if (!changes) {
		if (r == 0)
			settings_free(change.settings);
		if (change.new)
			slot_free(change.slot);
		return r < 0 ? r : -ENOMEM;
	}
	plan->changes = changes;
	changes[plan->count++] = change;
	return 0;
}

/* Reads and checks everything; nothing is changed yet. -errno, and problems that say why. */
static int plan_make(struct daemon *daemon, struct plan *plan, struct problems *problems)
{
	const struct daemon_options *options = daemon->options;
	int r, first = 0;

	r = config_load(options->config_path, options->overrides, options->override_count, problems, &plan->config);
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->config->plugin_count; i++) {
		if (!plan->config->plugins[i].enabled)
			continue;
		r = plan_add(daemon, plan, plan->config->plugins[i].name, problems);
		if (r < 0 && !first)
			first = r;
	}
	return first;
}

static void reject(struct daemon *daemon, const struct problems *problems, int error)
{
	_cleanup_free_ char *all = NULL;
	size_t size;
	FILE *stream = open_memstream(&all, &size);

	for (size_t i = 0; stream && i < problems->count; i++)
		fprintf(stream, "%s%s", i ? "; " : "", problems->items[i]);
	if (stream)
		fclose(stream);
	log_error("the configuration was not reloaded, the old one keeps running:");
	log_problems(GB_LOG_ERROR, problems);
	journal_write(daemon->engine.journal, &(struct event){.name = "config.rejected",
							      .error = problems->count ? 0 : error,
							      .message = all && *all ? all : NULL});
}

int daemon_apply(struct daemon *daemon, const struct config *config)
{
	struct engine *engine = &daemon->engine;
	struct problems missing = {0};
	struct scope *scope;
	int r = scope_new(&config->scope.netns, &config->scope.ipcns, &config->scope.paths, &scope);

	if (r < 0)
		return r;
	scope_free(engine->scope);
	engine->scope = scope;
	scope_resolve(scope, &missing);
	log_problems(GB_LOG_WARNING, &missing);
	problems_fini(&missing);
	engine->guard.settings = &config->guard;
	engine->guard.observe = daemon->options->observe || config->mode == CONFIG_OBSERVE;
	engine->summarise = config->journal.summary;
	journal_set_format(engine->journal, config->journal.format == CONFIG_JSON ? JOURNAL_JSON : JOURNAL_TEXT);
	return 0;
}

static void drop_disabled(struct daemon *daemon, const struct config *config)
{
	for (size_t i = daemon->slot_count; i-- > 0;) {
		struct slot *slot = daemon->slots[i];
		const struct config_plugin *named = config_find_plugin(config, slot->file->name);

		if (named && named->enabled)
			continue;
		log_info("plugin %s is no longer enabled: closed", slot->file->name);
		slot_remove(daemon, slot);
	}
}

/* Takes the new settings, by reconfigure() if the plugin can, else by a new start. */
static void slot_change(struct daemon *daemon, struct change *change, bool restart)
{
	struct slot *slot = change->slot;
	struct settings *old = slot->settings;
	int r = -EOPNOTSUPP;

	restart = restart || !plugin_is_open(slot->plugin);
	if (!restart && settings_equal(old, change->settings))
		return;
	if (!restart)
		r = plugin_reconfigure(slot->plugin, settings_data(change->settings));
	if (r < 0)
		plugin_close(slot->plugin);
	slot->settings = steal_pointer(change->settings);
	if (r < 0)
		slot_start(daemon, slot);
	settings_free(old);
}

static void start_new(struct daemon *daemon, struct change *change)
{
	struct slot *old = slot_find(daemon, change->slot->file->name);

	if (old)
		slot_remove(daemon, old);
	if (slot_append(daemon, change->slot) < 0) {
		log_error("plugin %s: out of memory; skipping it", change->slot->file->name);
		return;
	}
	change->new = false;
	change->slot->settings = steal_pointer(change->settings);
	slot_start(daemon, change->slot);
}

static void apply(struct daemon *daemon, struct plan *plan)
{
	struct config *old = daemon->config;
	bool rescope = !config_part_equal(old, plan->config, CONFIG_PART_SCOPE);

	daemon->config = steal_pointer(plan->config);
	drop_disabled(daemon, daemon->config);
	/* What was loaded with another scope tracks by it, also in the kernel. */
	for (size_t i = 0; rescope && i < daemon->slot_count; i++) {
		plugin_close(daemon->slots[i]->plugin);
		plugin_forget_out_of_scope(daemon->slots[i]->plugin);
	}
	for (size_t i = 0; i < plan->count; i++) {
		struct change *change = &plan->changes[i];

		if (change->new)
			start_new(daemon, change);
		else
			slot_change(daemon, change, rescope);
	}
	for (size_t i = 0; i < daemon->slot_count; i++)
		plugin_guard_changed(daemon->slots[i]->plugin);
	config_free(old);
}

/* False: rejected. */
static bool reload(struct daemon *daemon)
{
	struct problems problems = {0};
	struct plan plan = {0};
	int r = plan_make(daemon, &plan, &problems);

	if (r == 0)
		r = daemon_apply(daemon, plan.config);
	if (r < 0)
		reject(daemon, &problems, r);
	else
		apply(daemon, &plan);
	plan_fini(&plan);
	problems_fini(&problems);
	return r == 0;
}

void daemon_reloaded(struct daemon *daemon)
{
	daemon->reloading = false;
	if (strcmp(daemon->config->control, daemon->control_path) != 0)
		log_warning("%s: the control socket stays at %s: restart ghostbuster to move it to %s",
			    daemon->config->file, daemon->control_path, daemon->config->control);
	log_info("%s: reloaded", daemon->config->file);
	journal_write(daemon->engine.journal,
		      &(struct event){.name = "config.reloaded", .message = daemon->config->file});
	notify_ready();
}

/* Timeouts may be shorter and names of the scope mean others than before: it is done when all have looked. */
void daemon_reload(struct daemon *daemon)
{
	if (daemon->reloading)
		daemon_reloaded(daemon);
	notify_reloading();
	if (!reload(daemon)) {
		notify_ready();
		return;
	}
	daemon->reloading = true;
	for (size_t i = 0; i < daemon->slot_count; i++)
		plugin_look_anew(daemon->slots[i]->plugin);
	daemon_seen(daemon);
}
