/* SPDX-License-Identifier: Apache-2.0 */
/* sysv_ipc: the plugin's own state, shared by its parts. */
#ifndef SYSV_IPC_IPC_H
#define SYSV_IPC_IPC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <eghostbuster/plugin.h>

#include "kernel.h"
#include "known.h"
#include "object.h"
#include "people.h"
#include "policy.h"
#include "sysv_ipc.h"
#include "tasks.h"

/* How full a namespace is. */
struct sysv_usage {
	uint64_t objects[SYSV_KINDS];
	uint64_t shm_pages, semaphores;
	struct sysv_limits_of_ns limits;
};

/* A slice of looking at one namespace, on a thread inside of it. */
struct sysv_visit {
	const struct sysv_kernel *kernel;
	struct sysv_namespace ns;
	bool begun, done;
	uint32_t kind, index; /* the next to look at */
	int last_index;
	struct sysv_limits_of_ns limits;
	struct sysv_object objects[SYSV_QUERIES];
	uint32_t count, judged;
};

enum sysv_phase { SYSV_IDLE, SYSV_TASKS, SYSV_VISITING };

#define SYSV_FULLEST 16 /* namespaces whose fill is told */

/* One scan, in slices. */
struct sysv_sweep {
	enum sysv_phase phase;
	struct sysv_moment moment; /* its begin */
	bool incomplete;           /* a namespace that is there could not be looked at */
	uint64_t next_ns;
	size_t namespace_next;
	struct sysv_visit visit;
	struct sysv_usage usage; /* of the namespace under way */
	struct {
		uint32_t ipcns;
		uint32_t percent;
		struct sysv_usage usage;
	} fullest[SYSV_FULLEST];
	uint32_t fullest_count, namespaces, skipped;
};

struct sysv_given_back {
	uint64_t segments, bytes, sets, semaphores, queues;
};

/* What reap() gets back: enough to know the object again. */
struct sysv_proof {
	uint32_t ipcns;
	int32_t pid; /* a process to enter by */
	uint32_t kind;
	int32_t id;
	uint32_t index, key, uid, creator_uid, mode;
	int64_t changed_s, used_s;
	uint64_t size, count;
	uint64_t users; /* digest of who used it */
};

_Static_assert(sizeof(struct sysv_proof) <= GB_PROOF_MAX, "a proof fits");

struct sysv {
	const struct gb_host *host;
	const struct sysv_config *config;
	uint64_t timeout_ns; /* the shortest that any rule gives */
	struct sysv_kernel kernel;
	struct sysv_tasks tasks;
	struct sysv_known_table known;
	struct sysv_people people;
	struct sysv_sweep sweep;
	struct sysv_clocks clocks;
	uint64_t complete_ns; /* when the last complete scan began; 0: none yet */
	uint64_t scope_digest;
	uint64_t scope_changed_ns; /* namespaces may have come into scope that were not looked at before */
	struct sysv_given_back given_back;
	uint32_t fullest_told; /* lines of `status` */
	bool missed_told;
};

/* sweep.c */
int sysv_scan(struct sysv *sysv, struct gb_scan *scan);

/* visit.c: the function for gb_host.ns_run, and what it leaves to be done outside. */
void sysv_visit_begin(struct sysv_visit *visit, const struct sysv_kernel *kernel, const struct sysv_namespace *ns);
int sysv_visit_run(void *visit);

/* Asks the kernel whose the objects are; on a thread inside of their namespace. */
int sysv_objects_answer(const struct sysv_kernel *kernel, uint32_t ipcns, struct sysv_object *objects, uint32_t count);

/* judge.c */
void sysv_judge_object(struct sysv *sysv, const struct sysv_object *object);
uint32_t sysv_used_percent(const struct sysv_usage *usage, uint32_t kind);
uint64_t sysv_users_digest(const struct sysv_query *answer);
const char *sysv_verdict_reason(enum sysv_verdict verdict);

/* What is told to the host about one object: describe.c */
struct sysv_finding {
	const struct sysv_object *object;
	struct sysv_policy policy;
	uint64_t key;
	uint64_t unused_ns;
	const char *reason; /* to spare it; NULL: it is a ghost */
	const struct sysv_known *known;
	const struct sysv_person *people[SYSV_USERS_MAX]; /* of answer.users[]; NULL: no room to remember it */
	uint32_t people_count;
};
void sysv_report(struct sysv *sysv, const struct sysv_finding *finding);
void sysv_numbers_tell(struct sysv *sysv);

/* release.c */
int sysv_reap(struct sysv *sysv, struct gb_reap *reap);

static inline uint64_t sysv_now(const struct sysv *sysv)
{
	return sysv->host->now_ns(sysv->host);
}

#endif
