/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugins reported and what became of it. One table a plugin, keyed by the plugin's key, with the queue of what
 * waits to be reaped; and one ring for all of the last that are finished, so that they can still be explained.
 *
 * A ghost is lean: words (action, reasons, names of evidence) are shared, the rest of a report is one allocation.
 */
#ifndef CORE_GHOST_H
#define CORE_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <eghostbuster/plugin.h>
#include <uthash.h>

#define GHOST_ID_MAX 64        /* "PLUGIN-HEXKEY" and the zero byte */
#define GHOST_HISTORY_MAX 8    /* the first step is kept, of the others the latest */
#define GHOST_REASONS_MAX 8    /* reasons that a ghost is known to have been spared for */
#define GHOST_RESOURCE_MAX 512 /* bytes; a longer one is refused */
#define GHOST_TEXT_MAX 4096    /* bytes of a path or of a text in the evidence */
#define GHOST_FINISHED_MAX 1024

enum ghost_state {
	GHOST_SUSPECT,  /* spared by the plugin's policy, or reported before a reload and not seen again yet */
	GHOST_QUEUED,   /* passed the guard, waits for its turn */
	GHOST_REAPING,  /* handed to the plugin */
	GHOST_DEFERRED, /* the plugin has begun to release it, and settles it later */
	GHOST_SPARED,   /* by the guard, or its proof did not hold */
	GHOST_FAILED,   /* the release failed: judged anew when it is reported again */
	GHOST_REAPED,
	GHOST_HEALED,
};

enum ghost_event { GHOST_EVENT_FOUND, GHOST_EVENT_SPARED, GHOST_EVENT_REAPED, GHOST_EVENT_HEALED, GHOST_EVENT_FAILED };

struct ghost_step {
	uint64_t wall_ns; /* CLOCK_REALTIME */
	uint16_t event;   /* enum ghost_event */
	uint16_t reason;  /* word; 0 when there is none */
};

/* One piece of evidence; see struct gb_field. */
struct ghost_field {
	uint64_t value;
	uint32_t text; /* offset in the record's texts; 0: none */
	uint16_t name; /* word */
	uint16_t type;
};

struct owner;

/* The latest report, copied: replaced as a whole. */
struct ghost_record {
	uint64_t age_ns;  /* at seen_ns */
	uint64_t seen_ns; /* when it was reported */
	struct gb_ns ns;
	uint32_t port;
	uint32_t references;
	uint16_t action; /* word */
	uint16_t proof_size;
	uint8_t evidence_count, holder_count, former_count;
	bool report_only; /* the action is "report" */
	const struct ghost_field *evidence;
	const struct gb_holder *holders;
	const struct gb_owner *former; /* GB_OWNER_ENDED */
	const void *proof;
	const char *texts; /* first the resource */
	const char *path;  /* NULL when the kind has none */
};

struct ghost {
	UT_hash_handle hh;
	TAILQ_ENTRY(ghost) queue;
	uint64_t key;
	uint64_t found_ns; /* CLOCK_MONOTONIC, first known */
	struct ghost_record *record;
	struct ghost_step *history;
	struct owner **owners;               /* references; who held it when it was judged last */
	char *detail;                        /* the last verdict or error in words; NULL when there is none */
	uint16_t plugin;                     /* word */
	uint16_t reason;                     /* word: why it was spared last, or how it failed */
	uint16_t reasons[GHOST_REASONS_MAX]; /* words: spared for these, said already */
	uint8_t state;                       /* enum ghost_state */
	uint8_t history_count, owner_count;
	bool found; /* it was reported as a ghost, and that was said */
};

TAILQ_HEAD(ghost_queue, ghost);

struct ghost_table {
	uint16_t plugin; /* word */
	struct ghost *by_key;
	struct ghost_queue queue;
	size_t queued;
	struct ghost_ring *finished; /* shared by all tables */
};

struct ghost_ring {
	struct ghost *items[GHOST_FINISHED_MAX];
	size_t next;
};

/* `plugin` is the name. -EINVAL when it is no word. */
int ghost_table_init(struct ghost_table *table, const char *plugin, struct ghost_ring *finished);
void ghost_table_fini(struct ghost_table *table);
void ghost_ring_fini(struct ghost_ring *ring);

/*
 * Takes a report in: a new ghost, or newer facts of a known one, whose state stays. -EINVAL when it breaks a bound of the
 * ABI, -ENOMEM, -ENOSPC (too many different words). Tells in *ret_new whether it was unknown.
 */
int ghost_put(struct ghost_table *table, const struct gb_ghost *report, uint64_t now_ns, struct ghost **ret_ghost,
	      bool *ret_new);

struct ghost *ghost_find(const struct ghost_table *table, uint64_t key); /* NULL when unknown */
size_t ghost_count(const struct ghost_table *table);

/* At the end of the queue. It is in there once, however often this is called. */
void ghost_enqueue(struct ghost_table *table, struct ghost *ghost);
void ghost_set_state(struct ghost_table *table, struct ghost *ghost, enum ghost_state state); /* leaves the queue */

/* True the first time that this ghost is spared for this reason. */
bool ghost_spared_anew(struct ghost *ghost, uint16_t reason);

/* Never fails: without memory the step is lost, not the ghost. */
void ghost_step_add(struct ghost *ghost, enum ghost_event event, uint16_t reason);

/* `detail` may be NULL. */
void ghost_set_detail(struct ghost *ghost, const char *detail);

/* Replaces the owners by `owners`, of which it takes references. Without memory the old ones stay. */
void ghost_set_owners(struct ghost *ghost, struct owner *const *owners, uint8_t count);

/* It is over (GHOST_REAPED, GHOST_HEALED): out of the table, into the ring of the finished. */
void ghost_finish(struct ghost_table *table, struct ghost *ghost, enum ghost_state state);

/* In the ring, the latest with that plugin and key; NULL when there is none (any more). */
const struct ghost *ghost_ring_find(const struct ghost_ring *ring, uint16_t plugin, uint64_t key);

/* The latest with that resource's text. */
const struct ghost *ghost_ring_find_resource(const struct ghost_ring *ring, const char *resource);

/* Writes "PLUGIN-HEXKEY" to the GHOST_ID_MAX bytes at `id` and returns it. */
const char *ghost_id(const struct ghost *ghost, char *id);
const char *ghost_id_format(uint16_t plugin, uint64_t key, char *id); /* of the plugin's name, a word */

/* Takes such an id apart; `plugin` has room for GHOST_ID_MAX bytes. -EINVAL. */
int ghost_id_parse(const char *id, char *plugin, uint64_t *ret_key);

const char *ghost_resource(const struct ghost *ghost);
const char *ghost_state_text(enum ghost_state state);
const char *ghost_event_text(enum ghost_event event); /* "ghost.found" */

/* The evidence as a plugin gave it, at most GB_EVIDENCE_MAX fields; valid until the next report. Returns the count. */
uint32_t ghost_evidence(const struct ghost *ghost, struct gb_field *fields);

/* The text `class` of its evidence, until the next report; NULL when it has none. */
const char *ghost_class(const struct ghost *ghost);

/* The age now; of a finished one, its age when it was seen last. */
uint64_t ghost_age_ns(const struct ghost *ghost, uint64_t now_ns);

#endif
