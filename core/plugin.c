/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "host.h"
#include "log.h"

int plugin_new(struct engine *engine, const char *name, struct plugin **ret_plugin)
{
	const struct config_guard *guard = engine->guard.settings;
	struct plugin *plugin = calloc(1, sizeof(*plugin));
	int r;

	if (!plugin)
		return -ENOMEM;
	plugin->engine = engine;
	plugin->name = strdup(name);
	r = plugin->name ? ghost_table_init(&plugin->ghosts, name, &engine->finished) : -ENOMEM;
	if (r < 0) {
		free(plugin->name);
		free(plugin);
		return r;
	}
	rate_init(&plugin->rate, (uint64_t)guard->rate, (uint64_t)guard->burst, clock_now_ns());
	breaker_init(&plugin->breaker, (uint32_t)guard->failures, guard->failure_window_ns, guard->owner_grace_ns);
	plugin->step.fn = plugin_step;
	plugin->step.arg = plugin;
	loop_deadline_add(engine->loop, &plugin->step);
	plugin->summary_due = (struct loop_deadline){.fn = plugin_summarise, .arg = plugin, .when_ns = CLOCK_NEVER};
	loop_deadline_add(engine->loop, &plugin->summary_due);
	*ret_plugin = plugin;
	return 0;
}

void plugin_free(struct plugin *plugin)
{
	if (!plugin)
		return;
	loop_deadline_remove(plugin->engine->loop, &plugin->step);
	loop_deadline_remove(plugin->engine->loop, &plugin->summary_due);
	plugin_batch_drop(plugin);
	plugin_unwatch_owners(plugin, true);
	aftermath_fini(&plugin->aftermath);
	host_fini(plugin);
	ghost_table_fini(&plugin->ghosts);
	free(plugin->name);
	free(plugin->version);
	free(plugin->why);
	free(plugin);
}

bool plugin_is_open(const struct plugin *plugin)
{
	return plugin->state == PLUGIN_RUNNING || plugin->state == PLUGIN_FAILED;
}

void plugin_enter(struct plugin *plugin, enum plugin_call call)
{
	plugin->call = call;
}

void plugin_leave(struct plugin *plugin)
{
	plugin->call = PLUGIN_CALL_NONE;
	owner_cache_clear(plugin->engine->owners);
}

/* What an earlier life knew is a suspect until it is reported again. */
static void forget_verdicts(struct plugin *plugin)
{
	struct ghost *ghost, *next;

	HASH_ITER (hh, plugin->ghosts.by_key, ghost, next)
		ghost_set_state(&plugin->ghosts, ghost, GHOST_SUSPECT);
}

int plugin_open(struct plugin *plugin, const struct gb_plugin *callbacks, const void *config)
{
	char *version = strdup(callbacks->version ? callbacks->version : "");
	int r;

	if (!version)
		return -ENOMEM;
	forget_verdicts(plugin);
	plugin->callbacks = callbacks;
	host_init(plugin);
	plugin_enter(plugin, PLUGIN_CALL_OPEN);
	r = callbacks->open(&plugin->host, config, &plugin->opened);
	plugin_leave(plugin);
	free(plugin->version);
	plugin->version = version;
	if (r < 0) {
		host_fini(plugin);
		plugin->state = PLUGIN_CLOSED;
		return r;
	}
	free(plugin->why);
	plugin->why = NULL;
	plugin->state = PLUGIN_RUNNING;
	plugin->opened_ns = clock_now_ns();
	plugin->first_done = plugin->looked = false;
	plugin->scanning = plugin->asked = plugin->scope_said = false;
	plugin->scan_errors = plugin->dispatch_errors = 0;
	plugin->next_scan_ns = callbacks->scan ? plugin->opened_ns : CLOCK_NEVER;
	plugin_arm(plugin);
	return 0;
}

void plugin_close(struct plugin *plugin)
{
	if (!plugin_is_open(plugin))
		return;
	plugin_batch_finish(plugin);
	plugin_batch_drop(plugin);
	plugin_enter(plugin, PLUGIN_CALL_CLOSE);
	plugin->callbacks->close(plugin->opened);
	plugin_leave(plugin);
	plugin->opened = NULL;
	plugin->state = PLUGIN_CLOSED;
	plugin->scanning = false;
	plugin->step.when_ns = CLOCK_NEVER;
	plugin_unwatch_owners(plugin, true);
	plugin_summarise(plugin);
	aftermath_fini(&plugin->aftermath);
	host_fini(plugin);
}

void plugin_refuse(struct plugin *plugin, const char *why)
{
	char *copy = strdup(why);

	if (copy) {
		free(plugin->why);
		plugin->why = copy;
	}
	plugin->state = PLUGIN_REFUSED;
	log_line(GB_LOG_ERROR, NULL, "plugin %s was refused: %s", plugin->name, why);
	journal_write(plugin->engine->journal,
		      &(struct event){.name = "plugin.refused", .plugin = plugin->name, .message = why});
}

int plugin_reconfigure(struct plugin *plugin, const void *config)
{
	int r;

	if (!plugin->callbacks->reconfigure)
		return -EOPNOTSUPP;
	plugin_batch_finish(plugin);
	plugin_enter(plugin, PLUGIN_CALL_RECONFIGURE);
	r = plugin->callbacks->reconfigure(plugin->opened, config);
	plugin_leave(plugin);
	return r < 0 ? r : 0;
}

void plugin_guard_changed(struct plugin *plugin)
{
	const struct config_guard *guard = plugin->engine->guard.settings;
	struct ghost *ghost, *next;

	rate_set(&plugin->rate, (uint64_t)guard->rate, (uint64_t)guard->burst, clock_now_ns());
	breaker_set(&plugin->breaker, (uint32_t)guard->failures, guard->failure_window_ns, guard->owner_grace_ns);
	plugin_resume(plugin);
	plugin->scope_said = false;
	if (!plugin_is_open(plugin))
		return;
	/* Queued: under the new rules. Spared by the guard: perhaps no longer. The plugin's own verdicts stay. */
	HASH_ITER (hh, plugin->ghosts.by_key, ghost, next)
		if (ghost->state == GHOST_QUEUED || ghost->state == GHOST_SPARED)
			plugin_judge(plugin, ghost);
	owner_cache_clear(plugin->engine->owners);
	plugin_arm(plugin);
}

void plugin_forget_out_of_scope(struct plugin *plugin)
{
	const struct scope *scope = plugin->engine->scope;
	struct ghost *ghost, *next;

	HASH_ITER (hh, plugin->ghosts.by_key, ghost, next) {
		const struct ghost_record *record = ghost->record;

		if (!scope_has_ns(scope, record->ns.kind, record->ns.inode) ||
		    (record->path && !scope_has_path(scope, record->path)))
			ghost_finish(&plugin->ghosts, ghost, GHOST_HEALED);
	}
}

void plugin_ask(struct plugin *plugin)
{
	if (!plugin_is_open(plugin) || !plugin->callbacks->scan)
		return;
	plugin->asked = true;
	plugin_arm(plugin);
}

void plugin_look_anew(struct plugin *plugin)
{
	plugin->looked = false;
	plugin_ask(plugin);
}

bool plugin_resume(struct plugin *plugin)
{
	if (!plugin->breaker.tripped)
		return false;
	breaker_resume(&plugin->breaker);
	log_line(GB_LOG_INFO, plugin->name, "resumed after the circuit breaker");
	plugin_ask(plugin);
	return true;
}

const char *plugin_state_text(const struct plugin *plugin)
{
	switch (plugin->state) {
	case PLUGIN_CLOSED:
	case PLUGIN_REFUSED:
		return "refused";
	case PLUGIN_FAILED:
		return "failed";
	case PLUGIN_RUNNING:
		break;
	}
	if (plugin->breaker.tripped)
		return "tripped";
	return plugin->engine->guard.observe ? "observe" : "running";
}
