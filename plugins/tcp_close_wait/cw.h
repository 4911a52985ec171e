/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_close_wait: the plugin's own state, shared by its parts. */
#ifndef TCP_CLOSE_WAIT_CW_H
#define TCP_CLOSE_WAIT_CW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <eghostbuster/plugin.h>

#include "aftermath.h"
#include "agenda.h"
#include "array.h"
#include "diag.h"
#include "duplicate.h"
#include "holders.h"
#include "iterator.h"
#include "kernel.h"
#include "known.h"
#include "look.h"
#include "netns.h"
#include "policy.h"
#include "tcp_close_wait.h"

enum cw_phase {
	CW_IDLE,
	CW_WALKING,
	CW_LOOKING,
	CW_SEEKING_HOLDERS,
	CW_ACCOUNTING,
	CW_JUDGING,
	CW_TIDYING,
	CW_WALKING_AGAIN
};

/* One scan, in slices. */
struct cw_sweep {
	enum cw_phase phase;
	bool asked, repairs;
	uint64_t started_ns;
	uint64_t spent_ns;
	struct cw_netns_set netns; /* to look at */
	size_t netns_next;
	struct cw_look look;
	struct cw_holders holders;
	size_t judged, tidied; /* of what was seen, of what was taken */
	struct cw_cursor walked;
	uint64_t walking_ns;  /* when the walk over the map began */
	struct cw_due *taken; /* what was due, from the agenda */
	size_t taken_count, taken_capacity;
	uint64_t tracked; /* suspects that the last walk found */
};

enum cw_release_phase {
	CW_TELLING,
	CW_ASKING_HOLDERS,
	CW_COMPARING_HOLDERS,
	CW_ACTING,
	CW_PASSING,
	CW_VERIFYING,
	CW_DRAINING,
	CW_BY_DIAG,
	CW_SETTLING,
	CW_RELEASED,
};

/* One handed-over set of ghosts, or as much of it as the kernel takes at a time, in slices. */
struct cw_release {
	enum cw_release_phase phase;
	struct gb_reap_item **items; /* NULL: none is under way; sorted by namespace */
	size_t count, at;            /* `at`: how far the phase has come */
	uint64_t begun_ns;
	bool stale;  /* the look at the holders of one of them, at least, is too old */
	bool passes; /* an iterator releases one of them, at least, or asks its peer */
	bool told;   /* the kernel holds condemned ones */
	int fd;      /* of the pass under way; -1 */
	struct cw_holders holders;
	struct cw_cursor drained;
	struct cw_sentence *sentences; /* sorted by socket once all are there */
	uint32_t sentence_count;
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
	uint64_t start_ticks; /* of `pid` */
};

_Static_assert(sizeof(struct cw_proof) <= GB_PROOF_MAX, "a proof fits");

struct cw {
	const struct gb_host *host;
	const struct cw_config *config;
	uint64_t timeout_ns; /* the shortest that any rule gives */
	struct cw_kernel kernel;
	bool getfd_refused; /* the kernel lets nobody duplicate descriptors, as was seen */
	bool destroys;      /* some way to destroy a socket was found; else ghosts are only reported */
	struct cw_known_table known;
	struct cw_agenda agenda;
	struct cw_sweep sweep;
	struct cw_release release;
	struct cw_aftermath aftermath;
	uint64_t missed, unplaced, recursion_misses; /* as last seen */
	uint64_t repaired_ns;                        /* when everything was looked at last */
	uint64_t scope_digest;
	uint64_t probes, probes_answered; /* since the start */
	size_t probing;                   /* sockets whose peer is being asked */
	uint64_t *waiting; /* keys of deferred ghosts whose peers are to be asked when others have answered */
	size_t waiting_count, waiting_capacity;
	struct cw_due *restores; /* sockets whose keepalive options are to be put back */
	size_t restore_count, restore_capacity;
	bool must_repair; /* something was missed: look at everything in the next scan */
};

/* sweep.c */
int cw_scan(struct cw *cw, struct gb_scan *scan);
void cw_sweep_fini(struct cw_sweep *sweep);

/* walk.c */
void cw_walk_begin(struct cw *cw);
int cw_walk_on(struct cw *cw, uint64_t until_ns); /* 1 when there is more to walk over, 0 when the agenda is complete */
void cw_known_heal(struct cw *cw, struct cw_known *known); /* it is gone, and no longer known */

/* judge.c */
void cw_judge_seen(struct cw *cw, const struct cw_observation *seen);
/* In the map a suspect carries its own next moment; what the next walk would find too late goes to the agenda. */
void cw_due_again(struct cw *cw, const struct cw_observation *seen, uint64_t due_ns);
const char *cw_paused_reason(uint32_t holding_flags); /* NULL: none is paused */

/* release.c */
int cw_reap(struct cw *cw, struct gb_reap *reap);
void cw_release_fini(struct cw *cw);
void cw_item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail);

static inline void cw_release_next(struct cw_release *release, enum cw_release_phase phase)
{
	release->phase = phase;
	release->at = 0;
}

static inline const struct cw_proof *cw_proof_of(const struct gb_reap_item *item)
{
	return item->proof;
}

static inline bool cw_is_pending(const struct gb_reap_item *item)
{
	return item->outcome == GB_PENDING;
}

/* release_iterator.c: phases return 0 or -errno, and go on to the next by themselves */
#define CW_TOLD_AT_ONCE 8192 /* in one system call */
/* What an iterator does under the lock: to ask a peer, and where the kernel can, to destroy. */
bool cw_by_iterator(const struct cw *cw, const struct gb_reap_item *item);
int cw_condemn_some(struct cw *cw); /* tells the kernel whom the next passes are about */
int cw_release_passing(struct cw *cw, uint64_t until_ns);
int cw_release_draining(struct cw *cw); /* takes the answers; nobody is condemned afterwards */
void cw_outcome_set(const struct cw *cw, struct gb_reap_item *item); /* by the answer */
/* Behind the last item of the namespace of the item at `at`; an error of the namespace is the error of these items only. */
size_t cw_namespace_skip(struct cw_release *release, size_t at, int error);
/* Opens a CW_PASS_RELEASE over the namespace of this proof; -ESRCH when it is gone. */
int cw_namespace_pass(struct cw *cw, uint32_t netns, int32_t pid, int32_t fd);
int cw_pass_read(int fd, uint64_t until_ns); /* 1 at `until_ns`, 0 when the pass is over, -errno */

/* release_diag.c: of one namespace, some or all: how many from the first on are decided now, at least one */
size_t cw_release_by_diag(struct cw *cw, struct gb_reap_item **items, size_t count, uint64_t until_ns);

/* release_shutdown.c */
bool cw_is_gentle(const struct gb_reap_item *item); /* its action is `shutdown` */
void cw_release_by_shutdown(struct cw *cw, struct gb_reap_item *item);

/* probe.c */
bool cw_probe_wanted(const struct cw_policy *policy, const struct cw_observation *seen);
/* Enough are being asked: the item is deferred until cw_probe_admit(), in a scan, puts it back into the queue. */
bool cw_probe_must_wait(struct cw *cw, struct gb_reap_item *item);
void cw_probe_admit(struct cw *cw);
int cw_probe_begin(struct cw *cw, const struct gb_reap_item *item);   /* before the pass that asks */
void cw_probe_abort(struct cw *cw, const struct gb_reap_item *item);  /* the pass did not ask after all */
void cw_probe_by_duplicate(struct cw *cw, struct gb_reap_item *item); /* where no iterator can ask */
bool cw_probe_judge(struct cw *cw, const struct cw_observation *seen, struct cw_known *known); /* true: now a ghost */
/* A daemon that was killed left its values behind. */
void cw_probe_leftover(struct cw *cw, const struct cw_observation *seen, const struct cw_holding *held, size_t count);
void cw_probe_gone(struct cw *cw, struct cw_known *known); /* it has left CLOSE_WAIT while its peer was being asked */
/*
 * A look at its namespace did not show it. It has left, and that heals it; or it is leaving: the kernel takes a socket out of
 * its table before the tracepoint tells the new state (tcp_set_state() of net/ipv4/tcp.c). Or, before Linux 6.17, the walk
 * missed it while the table changed. What the map of suspects still has is looked at again.
 */
void cw_probe_missing(struct cw *cw, struct cw_known *known);
void cw_probe_restore_all(struct cw *cw); /* what was put down for it */
void cw_probe_fini(struct cw *cw);

/* describe.c: what people read */
const char *cw_verdict_reason(enum cw_verdict verdict);
void cw_resource_format(const struct cw_tuple *tuple, char *text, size_t size);

/* What is told to the host about one suspect. */
struct cw_finding {
	const struct cw_observation *seen;
	struct cw_known *known;        /* NULL: it is not known yet */
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
