/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "match.h"
#include "plugin.h"
#include "word.h"

static struct plugin *plugin_of(const struct gb_host *host)
{
	return host->core;
}

/* Reports come from scan() and dispatch() only. */
static bool may_report(const struct plugin *plugin)
{
	return plugin->call == PLUGIN_CALL_SCAN || plugin->call == PLUGIN_CALL_DISPATCH;
}

static void host_log(const struct gb_host *host, enum gb_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void host_log(const struct gb_host *host, enum gb_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line_v(level, plugin_of(host)->name, format, args);
	va_end(args);
}

static uint64_t host_now_ns(const struct gb_host *host)
{
	(void)host;
	return clock_now_ns();
}

static int host_wake_at(const struct gb_host *host, uint64_t when_ns)
{
	struct plugin *plugin = plugin_of(host);

	if (when_ns < plugin->next_scan_ns) {
		plugin->next_scan_ns = when_ns;
		if (plugin->call == PLUGIN_CALL_NONE)
			plugin_arm(plugin);
	}
	return 0;
}

/* ---- Descriptors -------------------------------------------------------------------------------------------------- */

static void fd_ready(int fd, uint32_t events, void *arg)
{
	struct plugin *plugin = arg;
	int r;

	plugin_enter(plugin, PLUGIN_CALL_DISPATCH);
	r = plugin->callbacks->dispatch(plugin->opened, fd, events);
	plugin_leave(plugin);
	if (r >= 0) {
		plugin->dispatch_errors = 0;
	} else if (++plugin->dispatch_errors < 10) {
		log_line(GB_LOG_WARNING, plugin->name, "descriptor %d: %s", fd, strerror(-r));
	} else {
		/* Else a descriptor that stays ready would keep the daemon busy for ever. */
		log_line(GB_LOG_ERROR, plugin->name, "descriptor %d: %s, ten times in a row: no longer watched", fd,
			 strerror(-r));
		plugin->host.unwatch(&plugin->host, fd);
		plugin->dispatch_errors = 0;
	}
	plugin_arm(plugin);
}

static int host_watch(const struct gb_host *host, int fd, uint32_t events)
{
	struct plugin *plugin = plugin_of(host);
	int r;

	if (fd < 0 || !plugin->callbacks->dispatch)
		return -EINVAL;
	if (plugin->watch_count == PLUGIN_WATCHES_MAX)
		return -ENOSPC;
	r = loop_watch(plugin->engine->loop, fd, events, fd_ready, plugin);
	if (r == 0)
		plugin->watches[plugin->watch_count++] = fd;
	return r;
}

static int host_unwatch(const struct gb_host *host, int fd)
{
	struct plugin *plugin = plugin_of(host);

	for (uint32_t i = 0; i < plugin->watch_count; i++)
		if (plugin->watches[i] == fd) {
			plugin->watches[i] = plugin->watches[--plugin->watch_count];
			return loop_unwatch(plugin->engine->loop, fd);
		}
	return -ENOENT;
}

/* ---- Reports ------------------------------------------------------------------------------------------------------ */

static bool in_scope(struct plugin *plugin, const struct gb_ghost *report)
{
	const struct scope *scope = plugin->engine->scope;

	if (scope_has_ns(scope, report->ns.kind, report->ns.inode) &&
	    (!report->path || scope_has_path(scope, report->path)))
		return true;
	if (!plugin->scope_said)
		log_line(GB_LOG_ERROR, plugin->name,
			 "it reported %s, which is not in scope: ignored, as all further ones (a defect of the plugin)",
			 report->resource);
	plugin->scope_said = true;
	return false;
}

/* Takes the report in. 1 when it is known and in the plugin's own hands right now, so that nothing is to be done. */
static int take_report(struct plugin *plugin, const struct gb_ghost *report, struct ghost **ret_ghost)
{
	struct ghost *ghost;
	bool new;

	if (!report || !may_report(plugin) ||
	    report->struct_size < offsetof(struct gb_ghost, proof_size) + sizeof(report->proof_size) ||
	    !report->resource || !report->action)
		return -EINVAL;
	if (!in_scope(plugin, report))
		return -EPERM;
	ghost = ghost_find(&plugin->ghosts, report->key);
	if (ghost && (ghost->state == GHOST_REAPING || ghost->state == GHOST_DEFERRED))
		return 1;
	return ghost_put(&plugin->ghosts, report, clock_now_ns(), ret_ghost, &new);
}

static int host_ghost(const struct gb_host *host, const struct gb_ghost *report)
{
	struct plugin *plugin = plugin_of(host);
	struct ghost *ghost;
	int r = take_report(plugin, report, &ghost);

	if (r != 0)
		return r < 0 ? r : 0;
	plugin_judge(plugin, ghost);
	return 0;
}

static int host_spare(const struct gb_host *host, const struct gb_ghost *suspect, const char *reason)
{
	struct plugin *plugin = plugin_of(host);
	struct ghost *ghost;
	uint16_t word;
	int r = word_id(reason, &word);

	if (r == 0)
		r = take_report(plugin, suspect, &ghost);
	if (r != 0)
		return r < 0 ? r : 0;
	plugin_spare(plugin, ghost, GHOST_SUSPECT, word, NULL);
	return 0;
}

static int host_heal(const struct gb_host *host, uint64_t key)
{
	struct plugin *plugin = plugin_of(host);
	struct ghost *ghost = ghost_find(&plugin->ghosts, key);

	/* In reap() it is the outcome that tells. */
	if (ghost && ghost->state != GHOST_REAPING)
		plugin_heal(plugin, ghost);
	return 0;
}

static int host_settle(const struct gb_host *host, const struct gb_settlement *settlement)
{
	struct plugin *plugin = plugin_of(host);
	struct ghost *ghost;
	uint16_t action;

	if (!settlement || settlement->struct_size < sizeof(*settlement) || !may_report(plugin) ||
	    settlement->outcome == GB_DEFERRED)
		return -EINVAL;
	ghost = ghost_find(&plugin->ghosts, settlement->key);
	if (!ghost || ghost->state != GHOST_DEFERRED)
		return -ENOENT;
	if (settlement->action && word_id(settlement->action, &action) == 0)
		ghost->record->action = action;
	if (settlement->outcome == GB_PENDING) {
		plugin_judge(plugin, ghost);
		return 0;
	}
	if (plugin_settle(plugin, ghost,
			  &(struct gb_reap_item){.key = settlement->key,
						 .outcome = settlement->outcome,
						 .error = settlement->error,
						 .detail = settlement->detail}))
		plugin_tripped(plugin);
	return 0;
}

static int host_aftermath(const struct gb_host *host, const struct gb_aftermath *aftermath)
{
	struct plugin *plugin = plugin_of(host);

	if (!aftermath || aftermath->struct_size < sizeof(*aftermath) || !may_report(plugin))
		return -EINVAL;
	return plugin_aftermath(plugin, aftermath);
}

static int host_each_known(const struct gb_host *host, int (*fn)(uint64_t key, void *arg), void *arg)
{
	struct plugin *plugin = plugin_of(host);
	size_t count = ghost_count(&plugin->ghosts), i = 0;
	_cleanup_free_ uint64_t *keys = NULL;
	struct ghost *ghost, *next;
	int r = 0;

	if (!fn)
		return -EINVAL;
	/* A copy, since fn may heal any of them, also the one that would come next. */
	keys = reallocarray(NULL, count ? count : 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	HASH_ITER (hh, plugin->ghosts.by_key, ghost, next)
		keys[i++] = ghost->key;
	for (i = 0; i < count && r == 0; i++)
		if (ghost_find(&plugin->ghosts, keys[i]))
			r = fn(keys[i], arg);
	return r;
}

/* ---- Owners and namespaces ---------------------------------------------------------------------------------------- */

#define OWNER_SIZE_MIN ((uint32_t)(offsetof(struct gb_owner, pod) + sizeof(const char *)))

static int host_owner(const struct gb_host *host, int32_t pid, uint64_t start_ticks, struct gb_owner *ret_owner)
{
	struct plugin *plugin = plugin_of(host);
	struct owner *owner;
	uint32_t size;
	int r;

	if (!ret_owner || plugin->call == PLUGIN_CALL_NONE)
		return -EINVAL;
	r = owner_cache_get(plugin->engine->owners, pid, start_ticks, &owner);
	if (r < 0)
		return r;
	/* 0: the struct of minor 0. */
	size = ret_owner->struct_size;
	if (size < OWNER_SIZE_MIN || size > sizeof(*ret_owner))
		size = size > sizeof(*ret_owner) ? (uint32_t)sizeof(*ret_owner) : OWNER_SIZE_MIN;
	memcpy(ret_owner, &owner->public, size);
	ret_owner->struct_size = size;
	return 0;
}

static int host_owner_matches(const struct gb_host *host, const struct gb_owner_match *match,
			      const struct gb_owner *owner, const struct gb_ns *ns)
{
	(void)host;
	if (!match || !owner)
		return -EINVAL;
	return owner_matches(match, owner, ns && ns->kind == GB_NS_NET ? ns->inode : 0);
}

static int host_ns_in_scope(const struct gb_host *host, const struct gb_ns *ns)
{
	return ns ? scope_has_ns(plugin_of(host)->engine->scope, ns->kind, ns->inode) : -EINVAL;
}

static int host_path_in_scope(const struct gb_host *host, const char *path)
{
	return path ? scope_has_path(plugin_of(host)->engine->scope, path) : -EINVAL;
}

static int host_ns_scoped(const struct gb_host *host, uint32_t kind)
{
	return scope_scoped(plugin_of(host)->engine->scope, kind);
}

struct each_ns {
	const struct scope *scope;
	int (*fn)(const struct gb_ns *ns, void *arg);
	void *arg;
};

static int ns_if_in_scope(const struct gb_ns *ns, void *arg)
{
	const struct each_ns *each = arg;

	return scope_has_ns(each->scope, ns->kind, ns->inode) ? each->fn(ns, each->arg) : 0;
}

static int host_ns_each(const struct gb_host *host, uint32_t kind, int (*fn)(const struct gb_ns *ns, void *arg),
			void *arg)
{
	struct engine *engine = plugin_of(host)->engine;
	struct each_ns each = {engine->scope, fn, arg};

	if (!fn)
		return -EINVAL;
	return namespace_each(engine->namespaces, kind, ns_if_in_scope, &each);
}

static int host_ns_run(const struct gb_host *host, const struct gb_ns *ns, int (*fn)(void *arg), void *arg)
{
	struct engine *engine = plugin_of(host)->engine;
	_cleanup_close_ int fd = -1;
	int r;

	if (!ns || !fn || ns->kind == GB_NS_NONE)
		return -EINVAL;
	r = namespace_open(engine->namespaces, ns, &fd);
	return r < 0 ? r : ns_worker_run(engine->worker, fd, ns->kind, fn, arg);
}

/* ---- What status shows -------------------------------------------------------------------------------------------- */

static int host_number(const struct gb_host *host, const char *name, uint64_t value)
{
	struct plugin *plugin = plugin_of(host);
	uint32_t i = 0;
	uint16_t word;
	int r = word_id(name, &word);

	if (r < 0)
		return r;
	while (i < plugin->number_count && plugin->numbers[i].name != word)
		i++;
	if (i == PLUGIN_SHOWN_MAX)
		return -ENOSPC;
	if (i == plugin->number_count)
		plugin->number_count++;
	plugin->numbers[i] = (struct plugin_number){word, value};
	return 0;
}

static int host_fact(const struct gb_host *host, const char *name, const char *text)
{
	struct plugin *plugin = plugin_of(host);
	uint32_t i = 0;
	uint16_t word;
	char *copy;
	int r = word_id(name, &word);

	if (r < 0 || !text)
		return r < 0 ? r : -EINVAL;
	while (i < plugin->fact_count && plugin->facts[i].name != word)
		i++;
	if (i == PLUGIN_SHOWN_MAX)
		return -ENOSPC;
	copy = strndup(text, GHOST_TEXT_MAX);
	if (!copy)
		return -ENOMEM;
	if (i == plugin->fact_count)
		plugin->facts[plugin->fact_count++] = (struct plugin_fact){word, NULL};
	free(plugin->facts[i].text);
	plugin->facts[i].text = copy;
	return 0;
}

void host_init(struct plugin *plugin)
{
	plugin->host = (struct gb_host){
		.struct_size = sizeof(struct gb_host),
		.abi_major = GB_ABI_MAJOR,
		.abi_minor = GB_ABI_MINOR,
		.core = plugin,
		.log = host_log,
		.now_ns = host_now_ns,
		.wake_at = host_wake_at,
		.watch = host_watch,
		.unwatch = host_unwatch,
		.ghost = host_ghost,
		.spare = host_spare,
		.heal = host_heal,
		.settle = host_settle,
		.each_known = host_each_known,
		.owner = host_owner,
		.owner_matches = host_owner_matches,
		.ns_in_scope = host_ns_in_scope,
		.path_in_scope = host_path_in_scope,
		.ns_scoped = host_ns_scoped,
		.ns_each = host_ns_each,
		.ns_run = host_ns_run,
		.number = host_number,
		.fact = host_fact,
		.aftermath = host_aftermath,
	};
}

void host_fini(struct plugin *plugin)
{
	while (plugin->watch_count)
		loop_unwatch(plugin->engine->loop, plugin->watches[--plugin->watch_count]);
	while (plugin->fact_count)
		free(plugin->facts[--plugin->fact_count].text);
	plugin->number_count = 0;
}
