/* SPDX-License-Identifier: Apache-2.0 */
/* When a plugin scans, and what comes after: the one deadline that drives it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "plugin.h"

#define BACKOFF_FIRST_NS GB_SECOND
#define BACKOFF_DOUBLINGS 9 /* 512 s at most */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void plugin_arm(struct plugin *plugin)
{
	uint64_t when_ns;

	if (!plugin_is_open(plugin)) {
		plugin->step.when_ns = CLOCK_NEVER;
	} else if (plugin->batch.items || plugin->scanning) {
		plugin->step.when_ns = 0;
	} else {
		when_ns = earlier(plugin->asked ? 0 : plugin->next_scan_ns, plugin_batch_when(plugin, clock_now_ns()));
		plugin->step.when_ns = earlier(when_ns, breaker_next(&plugin->breaker));
	}
}

/* Known from an earlier life, and not seen by the whole first scan of this one: it is gone. */
static void heal_unseen(struct plugin *plugin)
{
	struct ghost *ghost, *next;

	HASH_ITER (hh, plugin->ghosts.by_key, ghost, next)
		if (ghost->record->seen_ns < plugin->opened_ns)
			plugin_heal(plugin, ghost);
}

static void scan_over(struct plugin *plugin)
{
	bool first = !plugin->looked && !plugin->asked; /* asked meanwhile: that scan is still to come */

	plugin->scanning = false;
	plugin->looked |= first;
	if (first && plugin->engine->seen)
		plugin->engine->seen(plugin->engine->seen_arg);
}

static void scan_done(struct plugin *plugin, uint64_t next_ns)
{
	uint64_t now_ns = clock_now_ns();

	next_ns = earlier(next_ns, plugin->next_scan_ns); /* the latter when it asked to be woken meanwhile */
	if (next_ns < now_ns + PLUGIN_SCAN_GAP_NS)
		next_ns = now_ns + PLUGIN_SCAN_GAP_NS;
	plugin->next_scan_ns = earlier(next_ns, now_ns + PLUGIN_SCAN_REST_NS);
	if (plugin->scan_errors) {
		log_line(GB_LOG_INFO, plugin->name, "scans again");
		plugin->scan_errors = 0;
		plugin->state = PLUGIN_RUNNING;
		free(plugin->why);
		plugin->why = NULL;
	}
	if (!plugin->first_done)
		heal_unseen(plugin);
	plugin->first_done = true;
	scan_over(plugin);
}

static void scan_failed(struct plugin *plugin, int error)
{
	uint32_t doublings = plugin->scan_errors < BACKOFF_DOUBLINGS ? plugin->scan_errors : BACKOFF_DOUBLINGS;
	uint64_t backoff_ns = (uint64_t)BACKOFF_FIRST_NS << doublings;
	char *why = NULL;

	if (asprintf(&why, "scan: %s", error == -ETIME ? "not complete after a minute" : strerror(-error)) >= 0) {
		free(plugin->why);
		plugin->why = why;
	}
	plugin->scan_errors++;
	plugin->state = PLUGIN_FAILED;
	plugin->next_scan_ns = clock_now_ns() + backoff_ns;
	log_line(GB_LOG_ERROR, plugin->name, "%s; trying again in %" PRIu64 " s", plugin->why ? plugin->why : "scan",
		 backoff_ns / (uint64_t)GB_SECOND);
	scan_over(plugin);
}

static void scan_start(struct plugin *plugin, uint64_t now_ns)
{
	struct problems missing = {0};

	plugin->scan_flags = (plugin->first_done ? 0 : GB_SCAN_FIRST) | (plugin->asked ? GB_SCAN_ASKED : 0);
	plugin->asked = false;
	plugin->scanning = true;
	plugin->scan_started_ns = now_ns;
	plugin->next_scan_ns = CLOCK_NEVER;
	scope_resolve(plugin->engine->scope, &missing);
	log_problems(GB_LOG_WARNING, &missing);
	problems_fini(&missing);
}

static void scan_slice(struct plugin *plugin)
{
	uint64_t now_ns = clock_now_ns();
	struct gb_scan scan = {.struct_size = sizeof(scan), .now_ns = now_ns, .until_ns = now_ns + PLUGIN_SLICE_NS};
	int r;

	if (!plugin->scanning)
		scan_start(plugin, now_ns);
	scan.flags = plugin->scan_flags;
	scan.next_ns = CLOCK_NEVER;
	plugin_enter(plugin, PLUGIN_CALL_SCAN);
	r = plugin->callbacks->scan(plugin->opened, &scan);
	plugin_leave(plugin);
	if (r > 0 && clock_now_ns() - plugin->scan_started_ns > (uint64_t)PLUGIN_PATIENCE_NS)
		r = -ETIME;
	if (r < 0)
		scan_failed(plugin, r);
	else if (r == GB_DONE)
		scan_done(plugin, scan.next_ns);
}

void plugin_step(void *arg)
{
	struct plugin *plugin = arg;
	uint64_t now_ns = clock_now_ns();

	if (!plugin_is_open(plugin))
		return;
	if (plugin->batch.items)
		plugin_batch_slice(plugin);
	else if (plugin->scanning)
		scan_slice(plugin);
	else if (plugin_batch_start(plugin))
		; /* the next step goes on with it */
	else if (plugin->asked || plugin->next_scan_ns <= now_ns)
		scan_slice(plugin);
	if (!plugin->batch.items)
		plugin_unwatch_owners(plugin, false);
	plugin_arm(plugin);
}
