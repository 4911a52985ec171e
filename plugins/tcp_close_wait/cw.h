/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_close_wait: the plugin's own state, shared by its parts. */
#ifndef TCP_CLOSE_WAIT_CW_H
#define TCP_CLOSE_WAIT_CW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <eghostbuster/plugin.h>

#include "agenda.h"
#include "diag.h"
#include "duplicate.h"
#include "holders.h"
#include "kernel.h"
#include "known.h"
#include "look.h"
#include "policy.h"
#include "tcp_close_wait.h"

enum cw_phase { CW_IDLE, CW_LOOKING, CW_SEEKING_HOLDERS, CW_JUDGING };

/* One scan, in slices. */
struct cw_sweep {
	enum cw_phase phase;
	bool asked, repairs;
	uint64_t started_ns;
	uint64_t spent_ns;
	uint32_t *netns; /* to look at */
	size_t netns_count, netns_capacity, netns_next;
	struct cw_look look;
	struct cw_holders holders;
	size_t judged;
	struct cw_due *taken; /* what was due, from the agenda */
	size_t taken_count, taken_capacity;
	uint64_t tracked; /* suspects that the last walk found */
};

/* What reap() gets back: enough to know the socket again, and to judge it by the same limits. */
struct cw_proof {
	uint64_t sock, cookie;
	uint64_t timeout_ns;
	uint64_t judged_ns;
	struct cw_tuple tuple;
	uint32_t inode;
	uint32_t probe;  /* 1: ask the peer first */
	int32_t pid, fd; /* one holder: a way into the namespace, and to its descriptor */
	uint32_t holders_digest;
};

_Static_assert(sizeof(struct cw_proof) <= GB_PROOF_MAX, "a proof fits");

struct cw {
	const struct gb_host *host;
	const struct cw_config *config;
	uint64_t timeout_ns; /* the shortest that any rule gives */
	struct cw_kernel kernel;
	bool destroys; /* some way to destroy a socket was found; else ghosts are only reported */
	struct cw_known_table known;
	struct cw_agenda agenda;
	struct cw_sweep sweep;
	uint64_t missed, unplaced, recursion_misses; /* as last seen */
	uint64_t repaired_ns;                        /* when everything was looked at last */
	uint64_t scope_digest;
	uint64_t probes, probes_answered; /* since the start */
	size_t probing;                   /* sockets whose peer is being asked */
	struct cw_due *restores;          /* sockets whose keepalive options are to be put back */
	size_t restore_count, restore_capacity;
	bool must_repair; /* something was missed: look at everything in the next scan */
};

/* sweep.c */
int cw_scan(struct cw *cw, struct gb_scan *scan);
void cw_sweep_fini(struct cw_sweep *sweep);

/* judge.c */
void cw_judge_seen(struct cw *cw, const struct cw_observation *seen);
/* In the map a suspect carries its own next moment; what the next walk would find too late goes to the agenda. */
void cw_due_again(struct cw *cw, const struct cw_observation *seen, uint64_t due_ns);
const char *cw_paused_reason(uint32_t holding_flags); /* NULL: none is paused */

/* release.c, release_diag.c, release_shutdown.c */
int cw_reap(struct cw *cw, struct gb_reap *reap);
void cw_release_by_diag(struct cw *cw, struct gb_reap_item **items, size_t count); /* sorted by namespace */
void cw_release_by_shutdown(struct cw *cw, struct gb_reap_item *item);
void cw_item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail);

/* probe.c */
bool cw_probe_wanted(const struct cw_policy *policy, const struct cw_observation *seen);
int cw_probe_begin(struct cw *cw, const struct gb_reap_item *item);   /* before the pass that asks */
void cw_probe_abort(struct cw *cw, const struct gb_reap_item *item);  /* the pass did not ask after all */
void cw_probe_by_duplicate(struct cw *cw, struct gb_reap_item *item); /* where no iterator can ask */
bool cw_probe_judge(struct cw *cw, const struct cw_observation *seen, struct cw_known *known); /* true: now a ghost */
/* A daemon that was killed left its values behind. */
void cw_probe_leftover(struct cw *cw, const struct cw_observation *seen, const struct cw_holding *held, size_t count);
void cw_probe_gone(struct cw *cw, struct cw_known *known); /* it has left CLOSE_WAIT while its peer was being asked */
void cw_probe_restore_all(struct cw *cw);                  /* what was put down for it */
void cw_probe_fini(struct cw *cw);

/* One pass of CW_PASS_RELEASE over the namespace of this proof; -ESRCH when it is gone. release.c */
int cw_namespace_pass(struct cw *cw, uint32_t netns, int32_t pid, int32_t fd);

/* describe.c: what people read */
const char *cw_verdict_reason(enum cw_verdict verdict);
void cw_resource_format(const struct cw_tuple *tuple, char *text, size_t size);

/* What is told to the host about one suspect. */
struct cw_finding {
	const struct cw_observation *seen;
	const struct cw_holding *held; /* may be NULL */
	size_t held_count;
	struct cw_policy policy;
	const char *reason; /* to spare it; NULL: it is a ghost */
	bool probe;         /* its peer is to be asked before the release */
	uint64_t due_ns;    /* when it is to be judged again */
};
void cw_report(struct cw *cw, const struct cw_finding *finding);

/* explain.c */
int cw_explain(struct cw *cw, uint64_t key, const struct gb_explain *explain);
void cw_told_note(struct cw_known *known, const struct cw_finding *finding, uint32_t processes);
const char *cw_class_advice(enum cw_class class);

static inline uint64_t cw_now(const struct cw *cw)
{
	return cw->host->now_ns(cw->host);
}

#endif
