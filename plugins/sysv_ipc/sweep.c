/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scan: one pass over the tasks gives the namespaces with anything in them and the sleepers, then each namespace is
 * visited and its objects are judged. In slices: every phase keeps its place.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ipc.h"

/* ---- scope -------------------------------------------------------------------------------------------------------- */

struct scope {
	uint32_t ipcns[4096]; /* as many as the kernel's map holds */
	size_t count;
};

static int scope_take(const struct gb_ns *ns, void *arg)
{
	struct scope *scope = arg;

	if (scope->count == sizeof(scope->ipcns) / sizeof(scope->ipcns[0]))
		return -E2BIG;
	scope->ipcns[scope->count++] = (uint32_t)ns->inode;
	return 0;
}

/* The scope's namespaces may come and go: the kernel's filter follows. */
static int scope_refresh(struct sysv *sysv)
{
	static struct scope scope; /* one thread, never re-entered */
	bool scoped = sysv->host->ns_scoped(sysv->host, GB_NS_IPC);
	uint64_t digest = scoped;
	int r = 0;

	scope.count = 0;
	if (scoped)
		r = sysv->host->ns_each(sysv->host, GB_NS_IPC, scope_take, &scope);
	for (size_t i = 0; i < scope.count; i++)
		digest = digest * UINT64_C(1099511628211) + scope.ipcns[i];
	if (r < 0 || digest == sysv->scope_digest)
		return r;
	r = sysv_kernel_scope(&sysv->kernel, scoped, scope.ipcns, scope.count);
	if (r == 0) {
		sysv->scope_digest = digest;
		sysv->scope_changed_ns = sysv->sweep.moment.now_ns;
	}
	return r;
}

/* ---- phases ------------------------------------------------------------------------------------------------------- */

static uint64_t clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * GB_SECOND + (uint64_t)now.tv_nsec;
}

static void clocks_read(struct sysv *sysv)
{
	struct sysv_moment *moment = &sysv->sweep.moment;

	moment->boot_ns = clock_read(CLOCK_BOOTTIME);
	moment->wall_ns = clock_read(CLOCK_REALTIME);
	sysv_clocks_see(&sysv->clocks, moment);
	sysv_kernel_clock(&sysv->kernel, moment->wall_ns - moment->boot_ns);
}

static int sweep_begin(struct sysv *sysv, const struct gb_scan *scan)
{
	struct sysv_sweep *sweep = &sysv->sweep;
	int r;

	sweep->moment.now_ns = scan->now_ns;
	sweep->incomplete = false;
	sweep->next_ns = scan->now_ns + sysv->timeout_ns;
	sweep->namespace_next = 0;
	sweep->fullest_count = sweep->namespaces = sweep->skipped = 0;
	sweep->visit.done = true;
	sweep->visit.count = sweep->visit.judged = 0;
	clocks_read(sysv);
	r = scope_refresh(sysv);
	sweep->moment.complete_ns = sysv->complete_ns >= sysv->scope_changed_ns ? sysv->complete_ns : 0;
	if (r == 0)
		r = sysv_tasks_begin(&sysv->tasks, &sysv->kernel);
	if (r < 0)
		return r;
	sweep->phase = SYSV_TASKS;
	return 0;
}

static int tasks_read(struct sysv *sysv, uint64_t until_ns)
{
	int r = sysv_tasks_read(&sysv->tasks, until_ns);

	if (r == 0)
		sysv->sweep.phase = SYSV_VISITING;
	return r;
}

static void usage_take(struct sysv *sysv)
{
	struct sysv_sweep *sweep = &sysv->sweep;
	const struct sysv_namespace *ns = &sweep->visit.ns;
	uint32_t percent = 0, at = sweep->fullest_count;

	sweep->usage = (struct sysv_usage){
		.shm_pages = ns->shm_pages, .semaphores = ns->used_sems, .limits = sweep->visit.limits};
	for (uint32_t kind = 0; kind < SYSV_KINDS; kind++)
		sweep->usage.objects[kind] = ns->in_use[kind];
	for (uint32_t kind = 0; kind < SYSV_KINDS; kind++)
		if (sysv_used_percent(&sweep->usage, kind) > percent)
			percent = sysv_used_percent(&sweep->usage, kind);
	if (at == SYSV_FULLEST && percent <= sweep->fullest[at - 1].percent)
		return;
	if (at < SYSV_FULLEST)
		sweep->fullest_count++;
	else
		at--;
	for (; at > 0 && sweep->fullest[at - 1].percent < percent; at--)
		sweep->fullest[at] = sweep->fullest[at - 1];
	sweep->fullest[at].ipcns = ns->ipcns;
	sweep->fullest[at].percent = percent;
	sweep->fullest[at].usage = sweep->usage;
}

/* The next slice of the namespace under way, or the begin of the next one. A namespace that vanished is skipped. */
static void visit_run(struct sysv *sysv)
{
	struct sysv_visit *visit = &sysv->sweep.visit;
	struct gb_ns ns = {.kind = GB_NS_IPC, .pid = visit->ns.pid, .inode = visit->ns.ipcns, .socket_fd = -1};
	bool fresh = !visit->begun;
	int r;

	r = sysv->host->ns_run(sysv->host, &ns, sysv_visit_run, visit);
	if (r < 0) {
		if (r != -ESRCH) {
			sysv->host->log(sysv->host, GB_LOG_WARNING, "ipc:[%u] cannot be looked at: %s; skipping it",
					visit->ns.ipcns, strerror(-r));
			sysv->sweep.incomplete = true;
		}
		visit->done = true;
		visit->count = 0;
		return;
	}
	if (fresh) {
		sysv->sweep.namespaces++;
		usage_take(sysv);
	}
}

/* 1 when `until_ns` has passed. */
static int visiting(struct sysv *sysv, uint64_t until_ns)
{
	struct sysv_sweep *sweep = &sysv->sweep;
	struct sysv_visit *visit = &sweep->visit;

	for (;;) {
		while (visit->judged < visit->count) {
			sysv_judge_object(sysv, &visit->objects[visit->judged++]);
			if (visit->judged % 32 == 0 && sysv_now(sysv) >= until_ns)
				return 1;
		}
		if (visit->done && sweep->namespace_next == sysv->tasks.namespace_count)
			break;
		if (sysv_now(sysv) >= until_ns)
			return 1;
		if (visit->done)
			sysv_visit_begin(visit, &sysv->kernel, &sysv->tasks.namespaces[sweep->namespace_next++]);
		visit_run(sysv);
	}
	sweep->phase = SYSV_IDLE;
	return 0;
}

/* Everything was looked at: what was not met is gone. */
static void unseen_forget(struct sysv *sysv)
{
	const struct sysv_moment *moment = &sysv->sweep.moment;
	struct sysv_known *known, *next;

	HASH_ITER (hh, sysv->known.head, known, next) {
		if (known->seen_ns == moment->now_ns)
			continue;
		if (known->told)
			sysv->host->heal(sysv->host, known->key);
		sysv_known_remove(&sysv->known, known);
	}
	sysv_people_sweep(&sysv->people, &sysv->kernel, moment->now_ns);
	sysv_kernel_creators_prune(&sysv->kernel, moment->now_ns);
	sysv->complete_ns = moment->now_ns;
}

/* Once: it stays true. */
static void missed_tell(struct sysv *sysv)
{
	uint64_t missed = sysv_kernel_missed(&sysv->kernel);

	if (!missed || sysv->missed_told)
		return;
	sysv->missed_told = true;
	sysv->host->log(
		sysv->host, GB_LOG_WARNING,
		"%llu processes ended between two scans for whom there was no room to note who they were; what "
		"they may have made or used, and nobody else is known to, is spared from here on as "
		"\"user-forgotten\" unless a rule names it; their number is forgotten_users in `ghostbuster status`",
		(unsigned long long)missed);
}

static void sweep_end(struct sysv *sysv)
{
	if (!sysv->sweep.incomplete)
		unseen_forget(sysv);
	missed_tell(sysv);
	sysv_numbers_tell(sysv);
}

static int phase_run(struct sysv *sysv, struct gb_scan *scan)
{
	switch (sysv->sweep.phase) {
	case SYSV_IDLE:
		return sweep_begin(sysv, scan);
	case SYSV_TASKS:
		return tasks_read(sysv, scan->until_ns);
	case SYSV_VISITING:
		return visiting(sysv, scan->until_ns);
	}
	return -EINVAL;
}

int sysv_scan(struct sysv *sysv, struct gb_scan *scan)
{
	int r;

	do {
		r = phase_run(sysv, scan);
		if (r < 0) {
			sysv->sweep.phase = SYSV_IDLE;
			return r;
		}
		if (sysv->sweep.phase == SYSV_IDLE)
			break;
	} while (r == 0 && sysv_now(sysv) < scan->until_ns);
	if (sysv->sweep.phase != SYSV_IDLE)
		return GB_MORE;
	sweep_end(sysv);
	scan->next_ns = sysv->sweep.next_ns;
	return GB_DONE;
}
