/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin at work: its life cycle, its scans and reapings in slices, its ghosts, its protection. It is driven by one
 * deadline of the loop and by its watched descriptors; nothing of it runs anywhere else.
 *
 *   plugin_new -> plugin_open -> (the loop) -> plugin_close -> plugin_free
 */
#ifndef CORE_PLUGIN_H
#define CORE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>
#include <jansson.h>

#include "aftermath.h"
#include "breaker.h"
#include "engine.h"
#include "ghost.h"
#include "rate.h"
#include "summary.h"
#include "tally.h"

#define PLUGIN_SLICE_NS (20 * GB_MILLISECOND)   /* what a scan or reap may take before the loop has its turn */
#define PLUGIN_PATIENCE_NS (60 * GB_SECOND)     /* a scan or reap that still wants more after that has failed */
#define PLUGIN_SCAN_GAP_NS (1 * GB_MILLISECOND) /* between two scans, whatever the plugin asks for */
#define PLUGIN_SCAN_REST_NS GB_DAY              /* at the latest */
#define PLUGIN_BATCH_MAX 131072                 /* ghosts handed to reap() at once */
#define PLUGIN_WATCHES_MAX 256
#define PLUGIN_SHOWN_MAX 32 /* numbers, and facts */

enum plugin_call {
	PLUGIN_CALL_NONE,
	PLUGIN_CALL_OPEN,
	PLUGIN_CALL_SCAN,
	PLUGIN_CALL_REAP,
	PLUGIN_CALL_DISPATCH,
	PLUGIN_CALL_RECONFIGURE,
	PLUGIN_CALL_EXPLAIN,
	PLUGIN_CALL_ENDED,
	PLUGIN_CALL_CLOSE,
};

enum plugin_state {
	PLUGIN_CLOSED,
	PLUGIN_RUNNING,
	PLUGIN_REFUSED, /* never opened, or open() failed: `why` */
	PLUGIN_FAILED,  /* its last scan failed, it is tried again: `why` */
};

/* One handed-over set of ghosts. */
struct plugin_batch {
	struct gb_reap_item *items; /* NULL: none is under way */
	struct ghost **ghosts;      /* of each item; NULL once its outcome was taken */
	struct ghost_record *
		*records; /* references: the plugin may look at all proofs until it is done with the batch */
	uint32_t wanted;  /* while it is being filled: how many there may be; then 0 */
	uint32_t count, settled;
	uint64_t started_ns;
};

struct plugin_number {
	uint16_t name; /* word */
	uint64_t value;
};

struct plugin_fact {
	uint16_t name; /* word */
	char *text;
};

struct plugin {
	struct engine *engine;
	char *name;
	char *version;
	char *why;
	enum plugin_state state;
	const struct gb_plugin *callbacks; /* the caller's; NULL when refused before it was loaded */
	void *opened;                      /* what open() returned */
	struct gb_host host;
	enum plugin_call call; /* which callback is running */
	bool scope_said;       /* a report from outside of the scope was logged */

	struct ghost_table ghosts;
	struct rate rate;
	struct breaker breaker;
	struct tally tally; /* since the plugin was made */
	struct plugin_batch batch;
	struct summary summary;
	struct aftermath aftermath;

	struct loop_deadline step, summary_due;
	bool scanning, asked;
	bool first_done; /* a whole scan was made in this life */
	bool looked; /* a scan ended, or failed, since it was opened or told to look anew: nobody waits for it any longer */
	uint32_t scan_flags, scan_errors, dispatch_errors;
	uint64_t scan_started_ns, next_scan_ns, opened_ns;

	int watches[PLUGIN_WATCHES_MAX];
	uint32_t watch_count;
	struct plugin_number numbers[PLUGIN_SHOWN_MAX];
	struct plugin_fact facts[PLUGIN_SHOWN_MAX];
	uint32_t number_count, fact_count;
};

/* Closed, with an empty table. -ENOMEM, -EINVAL (the name). */
int plugin_new(struct engine *engine, const char *name, struct plugin **ret_plugin);

/* NULL is no error. It must be closed. */
void plugin_free(struct plugin *plugin);

/*
 * Opens it and arms the first scan. `callbacks` and `config` live until plugin_close(), or a later plugin_reconfigure().
 * -errno of open(); the plugin is PLUGIN_CLOSED then. What was known from an earlier life stays known.
 */
int plugin_open(struct plugin *plugin, const struct gb_plugin *callbacks, const void *config);

/* After the batch that is under way; what of it cannot be finished stays undecided. One that is not open is left as it is. */
void plugin_close(struct plugin *plugin);

/* It cannot be opened: PLUGIN_REFUSED, with a sentence, which is journaled. */
void plugin_refuse(struct plugin *plugin, const char *why);

/* -errno of the plugin's reconfigure(), which then keeps the old options; -EOPNOTSUPP when it has none. */
int plugin_reconfigure(struct plugin *plugin, const void *config);

/* The guard's settings in engine->guard changed: takes the rate and the breaker's limits, resumes, judges what waits. */
void plugin_guard_changed(struct plugin *plugin);

/* Closed, and the engine's scope changed: what lies outside is no longer known. */
void plugin_forget_out_of_scope(struct plugin *plugin);

/* The user wants a scan now. */
void plugin_ask(struct plugin *plugin);

/* After a reload: engine->seen is called once it has. */
void plugin_look_anew(struct plugin *plugin);

/* After the circuit breaker: back to work. False when it was not tripped. */
bool plugin_resume(struct plugin *plugin);

bool plugin_is_open(const struct plugin *plugin);

/* "running", "observe", "tripped", "refused", "failed" */
const char *plugin_state_text(const struct plugin *plugin);

/* ---- Between the parts of the plugin (plugin*.c, host.c) ------------------------------------------------------------ */

/* The deadline's function: one slice of whatever is due. Arms the next. */
void plugin_step(void *plugin);

/* Arms the deadline for what comes next. */
void plugin_arm(struct plugin *plugin);

/* Before and after a callback. plugin_leave() forgets the owners that were looked up for it. */
void plugin_enter(struct plugin *plugin, enum plugin_call call);
void plugin_leave(struct plugin *plugin);

/* Looks the holders up and asks the guard: queues the ghost, or spares it and says so. True when it is queued. */
bool plugin_judge(struct plugin *plugin, struct ghost *ghost);

/* The same without queueing: NULL when it may be reaped, else the reason, which was said. */
const char *plugin_guard_spares(struct plugin *plugin, struct ghost *ghost);

/* Spares it for `reason` (a word) and says so, once for each reason. `state`: GHOST_SUSPECT or GHOST_SPARED. */
void plugin_spare(struct plugin *plugin, struct ghost *ghost, enum ghost_state state, uint16_t reason,
		  const char *detail);

/* It is gone. */
void plugin_heal(struct plugin *plugin, struct ghost *ghost);

/* Tells what happened to a ghost: journal, tally, history. The one place that does. `error` is a negative errno. */
void plugin_say(struct plugin *plugin, struct ghost *ghost, enum ghost_event event, uint16_t reason, int error,
		const char *message);

/* Journals the summary of what has no line of its own, if anything was left out. The deadline's function. */
void plugin_summarise(void *plugin);

/* The circuit breaker tripped: says it and spares what waits. */
void plugin_tripped(struct plugin *plugin);

/* Starts a batch when ghosts wait and the rate allows. False when it does not. */
bool plugin_batch_start(struct plugin *plugin);

/* One slice of the batch under way: filling it, or reaping. */
void plugin_batch_slice(struct plugin *plugin);

/* To the end with what the plugin was given, within seconds: what was released must be told. */
void plugin_batch_finish(struct plugin *plugin);

/* Takes the outcome of one release. True when it trips the breaker. */
bool plugin_settle(struct plugin *plugin, struct ghost *ghost, const struct gb_reap_item *item);

/* Drops the batch and what was deferred; what is undecided is a suspect until it is reported again. */
void plugin_batch_drop(struct plugin *plugin);

/* When the queue is worth looking at: `now_ns` when it is already, CLOCK_NEVER when nothing waits. */
uint64_t plugin_batch_when(struct plugin *plugin, uint64_t now_ns);

/* As gb_host.aftermath(), of an argument that is whole. */
int plugin_aftermath(struct plugin *plugin, const struct gb_aftermath *told);

/* Between leakers_present_none() and leakers_json(): who carries what was reaped. */
void plugin_present_dead(const struct plugin *plugin, struct leakers *leakers);

/* Begins to watch the ghost's owners for the breaker, before it is reaped; their grace begins with the reaping. */
void plugin_watch_owners(struct plugin *plugin, const struct ghost *ghost);
void plugin_owners_reaped(struct plugin *plugin, const struct ghost *ghost);
void plugin_unwatch_owners(struct plugin *plugin, bool all); /* those whose grace is over, or all */

#endif
