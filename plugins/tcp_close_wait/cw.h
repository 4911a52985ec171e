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
	int32_t pid, fd; /* one holder: a way into the namespace, and to its descriptor */
	uint32_t holders_digest;
};

_Static_assert(sizeof(struct cw_proof) <= GB_PROOF_MAX, "a proof fits");

struct cw {
	const struct gb_host *host;
	const struct cw_config *config;
	uint64_t timeout_ns; /* the shortest that any rule gives */
	struct cw_kernel kernel;
	struct cw_known_table known;
	struct cw_agenda agenda;
	struct cw_sweep sweep;
	uint64_t missed, recursion_misses; /* as last seen */
	uint64_t scope_digest;
	bool must_repair; /* something was missed: look at everything in the next scan */
};

/* sweep.c */
int cw_scan(struct cw *cw, struct gb_scan *scan);
void cw_sweep_fini(struct cw_sweep *sweep);

/* judge.c */
void cw_judge_seen(struct cw *cw, const struct cw_observation *seen);
const char *cw_paused_reason(uint32_t holding_flags); /* NULL: none is paused */

/* release.c, release_diag.c, release_shutdown.c */
int cw_reap(struct cw *cw, struct gb_reap *reap);
void cw_release_by_diag(struct cw *cw, struct gb_reap_item **items, size_t count); /* sorted by namespace */
void cw_release_by_shutdown(struct cw *cw, struct gb_reap_item *item);
void cw_item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail);

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
	uint64_t due_ns;    /* when it is to be judged again */
};
void cw_report(struct cw *cw, const struct cw_finding *finding);

static inline uint64_t cw_now(const struct cw *cw)
{
	return cw->host->now_ns(cw->host);
}

#endif
