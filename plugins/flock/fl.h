/* SPDX-License-Identifier: Apache-2.0 */
/* flock: the plugin's own state, shared by its parts. */
#ifndef FLOCK_FL_H
#define FLOCK_FL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <eghostbuster/plugin.h>

#include "chain.h"
#include "flock.h"
#include "kernel.h"
#include "known.h"
#include "look.h"
#include "waits.h"

enum fl_action { FL_ACTION_REPORT, FL_ACTION_UNLOCK, FL_ACTION_SIGNAL };
enum fl_signal_to { FL_TO_HOLDERS, FL_TO_OLDEST };

/* What is done about a lock: the plugin's own options, or those of the first rule that matches. */
struct fl_treatment {
	uint64_t timeout_ns;
	int32_t action;    /* enum fl_action */
	int32_t signal;    /* index into fl_signals */
	int32_t signal_to; /* enum fl_signal_to */
};

struct fl_rule {
	struct gb_group group;
	struct fl_treatment treatment;
	const char *path;
	int32_t kind; /* enum fl_kind */
	struct gb_owner_match owner;
};

struct fl_config {
	struct fl_treatment treatment;
	int64_t max_tracked;
	struct gb_groups rules;
};

#define FL_OPTION_COUNT 6
extern const struct gb_option fl_options[FL_OPTION_COUNT];
extern const int fl_signals[]; /* the numbers of the choices of `signal` */

#define FL_CASE_WAITS 8 /* that are named */

/* One contended lock and all that is known of it. */
struct fl_case {
	struct fl_record lock;
	const struct fl_record *holdings; /* of its open file; for a POSIX lock, of its process */
	size_t holding_count;
	struct fl_slot acquisition;
	bool acquisition_known;
	bool taker_alive;
	uint64_t key;
	uint64_t age_ns;  /* a lower bound */
	uint64_t kept_ns; /* how long the longest waiter is kept out */
	const struct fl_waiting *waits[FL_CASE_WAITS];
	size_t wait_count; /* all of them */
	uint64_t magic;
	char path[PATH_MAX]; /* "" when it is not known */
};

enum fl_phase { FL_IDLE, FL_SURVEYING, FL_WANTING, FL_LOOKING, FL_LOOKING_AT_MAPPINGS, FL_JUDGING };

/* One scan, in slices. */
struct fl_sweep {
	enum fl_phase phase;
	uint64_t started_ns;
	uint64_t next_ns;
	size_t judged;
	uint64_t contended;
	struct fl_look look;
};

/* What reap() gets back. */
struct fl_proof {
	uint64_t file, inode, taken_ns, taker_start_ns, timeout_ns;
	int64_t start, end;
	uint32_t dev;
	int32_t taker;
	int32_t pid, fd; /* a holder with a descriptor */
	uint32_t holders_digest;
	uint8_t kind, action, signal, signal_to;
};

_Static_assert(sizeof(struct fl_proof) <= GB_PROOF_MAX, "a proof fits");

struct fl {
	const struct gb_host *host;
	const struct fl_config *config;
	struct fl_kernel kernel;
	struct fl_waits waits;
	struct fl_known_table known;
	struct fl_sweep sweep;
	uint64_t attached_ns;      /* when the tracepoints began to see */
	uint64_t trusted_since_ns; /* acquisitions from before may be wrong: an event was lost meanwhile */
	uint64_t missed, missed_waits, recursion_misses; /* as last seen */
	bool must_survey;
	struct fl_edge *edges; /* who waits for whom, of this sweep */
	size_t edge_count, edge_capacity;
};

/* case.c: the facts. `age` and `waits` are as of `now_ns`. */
void fl_case_fill(struct fl *fl, const struct fl_look *look, const struct fl_record *lock, uint64_t now_ns,
		  uint64_t memory_ns, struct fl_case *ret_case);
enum fl_verdict fl_case_judge(const struct fl *fl, const struct fl_look *look, const struct fl_case *seen,
			      uint64_t timeout_ns);
const char *fl_case_protection(const struct fl *fl, const struct fl_case *seen); /* NULL, or a reason to spare */
uint32_t fl_holders_digest(const struct fl_record *holdings, size_t count);
int fl_edges_fill(struct fl *fl, const struct fl_look *look, uint64_t now_ns);

/* rules.c */
struct fl_treatment fl_rules_treat(struct fl *fl, const struct fl_case *seen);
uint64_t fl_rules_shortest(const struct fl_config *config); /* timeout */
uint64_t fl_rules_longest(const struct fl_config *config);

/* describe.c: what people read */
const char *fl_verdict_reason(enum fl_verdict verdict);
/* Gives it to the host: a ghost, or spared when `reason` is set. */
void fl_case_tell(struct fl *fl, const struct fl_case *seen, const struct fl_treatment *treatment, const char *finding,
		  const char *reason);

/* sweep.c */
int fl_scan(struct fl *fl, struct gb_scan *scan);
void fl_sweep_abort(struct fl *fl); /* the next one begins anew, with a survey */
void fl_sweep_fini(struct fl *fl);
void fl_losses_note(struct fl *fl, uint64_t now_ns);

/* release.c */
int fl_reap(struct fl *fl, struct gb_reap *reap);

static inline uint64_t fl_now(const struct fl *fl)
{
	return fl->host->now_ns(fl->host);
}

#endif
