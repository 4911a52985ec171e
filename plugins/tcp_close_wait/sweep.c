/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scan: which namespaces hold suspects that are due, look at those, find the holders of what looks stale in one pass over
 * all processes, judge. In slices: every phase keeps its place.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cw.h"

/* After a scan the next one waits for at least this many times what the scan cost, so that a constant trickle of
 * deadlines takes a fifth of a processor at the most, however large the machine's socket table. */
#define PACE 4
#define PACE_LEAST_NS (5 * GB_MILLISECOND)
#define PACE_MOST_NS (1 * GB_SECOND)
#define A_LOOK_AT_THE_CLOCK 256 /* items */

static int netns_take(const struct gb_ns *ns, void *arg)
{
	return cw_netns_add(arg, (uint32_t)ns->inode);
}

/* The scope's namespaces may come and go by name: the kernel's filter follows, and a new one is looked at whole. */
static int scope_refresh(struct cw *cw)
{
	bool scoped = cw->host->ns_scoped(cw->host, GB_NS_NET);
	struct cw_netns_set found = {0};
	uint64_t digest = scoped;
	int r = 0;

	if (scoped)
		r = cw->host->ns_each(cw->host, GB_NS_NET, netns_take, &found);
	cw_netns_seal(&found);
	for (size_t i = 0; i < found.count; i++)
		digest = digest * 1099511628211U + found.items[i];
	if (r == 0 && digest != cw->scope_digest) {
		r = cw_kernel_scope(&cw->kernel, scoped, found.items, found.count);
		if (r == 0) {
			cw->scope_digest = digest;
			cw->sweep.repairs = true;
		}
	}
	cw_netns_fini(&found);
	return r;
}

/* ---- phases ---- */

/* Notes what was missed since the last scan. */
static void missed_note(struct cw *cw)
{
	uint64_t missed = cw_kernel_missed(&cw->kernel), unplaced = cw_kernel_unplaced(&cw->kernel);
	uint64_t recursion = cw_kernel_recursion_misses(&cw->kernel);

	if (missed != cw->missed)
		cw->host->log(
			cw->host, GB_LOG_WARNING,
			"%llu sockets found no room among the tracked (max_tracked = %lld): all will be looked at "
			"again; raise max_tracked if this goes on",
			(unsigned long long)(missed - cw->missed), (long long)cw->config->max_tracked);
	cw->must_repair |= missed != cw->missed || unplaced != cw->unplaced || recursion != cw->recursion_misses;
	cw->missed = missed;
	cw->unplaced = unplaced;
	cw->recursion_misses = recursion;
}

/* Looking at everything is for once a timeout at the most: while the map stays full it cannot help. */
static bool repair_due(const struct cw *cw)
{
	return cw->must_repair && (!cw->repaired_ns || cw->sweep.started_ns >= cw->repaired_ns + cw->timeout_ns);
}

static int namespaces_choose(struct cw *cw)
{
	struct cw_sweep *sweep = &cw->sweep;
	struct cw_due due;
	int r = 0;

	while (r == 0 && cw_agenda_take(&cw->agenda, sweep->started_ns, &due)) {
		r = array_room(&sweep->taken, &sweep->taken_capacity, sweep->taken_count, sizeof(*sweep->taken));
		if (r == 0) {
			sweep->taken[sweep->taken_count++] = due;
			r = cw_netns_add(&sweep->netns, due.netns);
		}
	}
	for (size_t i = 0; i < cw->agenda.count && sweep->asked && r == 0; i++)
		r = cw_netns_add(&sweep->netns, cw->agenda.items[i].netns);
	if (r == 0 && sweep->repairs)
		r = cw->host->ns_each(cw->host, GB_NS_NET, netns_take, &sweep->netns);
	cw_netns_seal(&sweep->netns);
	return r;
}

static int look_begin(struct cw *cw)
{
	int r;

	cw_agenda_sort(&cw->agenda);
	r = namespaces_choose(cw);
	if (r < 0)
		return r;
	cw_kernel_tell_look(&cw->kernel, cw->timeout_ns, cw->sweep.asked);
	cw_kernel_tell_holders(&cw->kernel, cw->sweep.started_ns, false);
	cw->sweep.phase = CW_LOOKING;
	return 0;
}

static int sweep_begin(struct cw *cw, const struct gb_scan *scan)
{
	struct cw_sweep *sweep = &cw->sweep;
	int r;

	sweep->started_ns = scan->now_ns;
	sweep->spent_ns = 0;
	sweep->asked = scan->flags & GB_SCAN_ASKED;
	missed_note(cw);
	sweep->repairs = repair_due(cw) || scan->flags & GB_SCAN_FIRST;
	if (sweep->repairs) {
		cw->must_repair = false;
		cw->repaired_ns = sweep->started_ns;
	}
	sweep->netns.count = sweep->netns_next = sweep->taken_count = sweep->look.count = 0;
	sweep->judged = sweep->tidied = 0;
	sweep->holders.count = 0;
	r = scope_refresh(cw);
	if (r < 0)
		return r;
	sweep->phase = CW_WALKING;
	if (sweep->repairs || sweep->asked || !cw->kernel.looks ||
	    sweep->started_ns >= cw->agenda.walked_ns + cw->timeout_ns)
		cw_walk_begin(cw);
	else
		r = look_begin(cw);
	return r;
}

static int walking(struct cw *cw, uint64_t until_ns)
{
	int r = cw_walk_on(cw, until_ns);

	return r == 0 ? look_begin(cw) : r;
}

/* No process lives in the namespace: perhaps one that moved on still holds a socket of it, and the socket is a way in. */
static int look_begin_by_socket(struct cw *cw, struct gb_ns *ns)
{
	struct cw_holders *holders = &cw->sweep.holders;
	int r = -ESRCH;

	if (!cw->kernel.looks)
		return r;
	cw_kernel_tell_holders(&cw->kernel, 0, false);
	if (cw_holders_begin(holders, &cw->kernel) == 0) {
		while (cw_holders_read(holders, UINT64_MAX) == 1)
			;
		for (size_t i = 0; i < cw->sweep.taken_count && r == -ESRCH; i++) {
			const struct cw_due *due = &cw->sweep.taken[i];
			const struct cw_holding *held;
			size_t count;

			held = cw_holders_of(holders, due->netns == ns->inode ? due->sock : 0, &count);
			if (due->netns != ns->inode || count == 0)
				continue;
			ns->pid = held->tgid;
			ns->socket_fd = held->fd;
			r = cw_look_begin(cw, ns);
			break;
		}
	}
	holders->count = 0;
	cw_kernel_tell_holders(&cw->kernel, cw->sweep.started_ns, false);
	return r;
}

/* Spares what is due in a namespace that nobody can enter; its sockets may be in flight between processes. */
static void namespace_spare(struct cw *cw, uint32_t netns)
{
	for (size_t i = 0; i < cw->sweep.taken_count; i++) {
		const struct cw_due *due = &cw->sweep.taken[i];
		struct cw_observation seen = {.sock = due->sock, .state = CW_TCP_CLOSE_WAIT};
		struct cw_suspect suspect;

		if (due->netns != netns || !due->sock || cw_kernel_find(&cw->kernel, due->sock, &suspect) < 0 ||
		    !suspect.cookie)
			continue;
		seen.cookie = suspect.cookie;
		seen.tuple = suspect.tuple;
		seen.age_ns = cw->sweep.started_ns - suspect.since_ns;
		cw_report(cw, &(struct cw_finding){.seen = &seen,
						   .known = cw_known_find(&cw->known, suspect.cookie),
						   .policy = {.timeout_ns = cw->timeout_ns},
						   .reason = "netns-unreachable",
						   .due_ns = cw->sweep.started_ns + cw->timeout_ns});
	}
}

static int looking(struct cw *cw, uint64_t until_ns)
{
	struct cw_sweep *sweep = &cw->sweep;
	struct gb_ns ns = {.kind = GB_NS_NET, .socket_fd = -1};
	int r = 0;

	if (sweep->look.fd < 0) {
		if (sweep->netns_next == sweep->netns.count) {
			sweep->phase = sweep->look.count || cw_aftermath_due(cw, sweep->started_ns) ? CW_SEEKING_HOLDERS
												    : CW_JUDGING;
			return 0;
		}
		ns.inode = sweep->netns.items[sweep->netns_next++];
		r = cw_look_begin(cw, &ns);
		if (r == -ESRCH)
			r = look_begin_by_socket(cw, &ns);
		if (r < 0) {
			namespace_spare(cw, (uint32_t)ns.inode);
			return 0;
		}
	}
	return cw_look_read(cw, until_ns);
}

static void inodes_tell(struct cw *cw, bool want)
{
	const struct cw_look *look = &cw->sweep.look;

	for (size_t i = 0; i < look->count && !cw->kernel.looks; i++) {
		enum cw_verdict verdict = cw_judge(&look->seen[i], cw->timeout_ns, cw->kernel.slack_ns);
		bool probed = (verdict == CW_NOT_SILENT || verdict == CW_TOO_YOUNG) && look->seen[i].flags & CW_PROBED;

		if (verdict != CW_GHOST && !probed)
			continue;
		if (want)
			cw_kernel_want_inode(&cw->kernel, look->seen[i].inode);
		else
			cw_kernel_unwant_inode(&cw->kernel, look->seen[i].inode);
	}
}

static int seeking_holders(struct cw *cw, uint64_t until_ns)
{
	struct cw_holders *holders = &cw->sweep.holders;
	int r = 0;

	if (holders->fd < 0) {
		inodes_tell(cw, true);
		cw_aftermath_begin(cw, cw->sweep.started_ns);
		r = cw_holders_begin(holders, &cw->kernel);
	}
	if (r == 0)
		r = cw_holders_read(holders, until_ns);
	if (r == 1)
		return 1;
	inodes_tell(cw, false);
	cw_aftermath_end(cw, r == 0);
	cw->sweep.phase = CW_ACCOUNTING;
	return r;
}

static int accounting(struct cw *cw, uint64_t until_ns)
{
	int r = cw_aftermath_take(cw, until_ns);

	if (r == 0)
		cw->sweep.phase = CW_JUDGING;
	return r;
}

/*
 * A suspect that was due and that a complete look did not show is not in CLOSE_WAIT: its leaving was missed. Or the walk
 * missed it, which happens before Linux 6.17 while the socket table changes: looking at everything finds it again.
 */
static void stale_forget(struct cw *cw, const struct cw_due *due)
{
	uint64_t now = cw->sweep.started_ns;
	const struct cw_known *known;
	struct cw_suspect suspect;

	if (!due->sock || cw_kernel_find(&cw->kernel, due->sock, &suspect) < 0 ||
	    suspect.checked_ns + cw->timeout_ns > now)
		return;
	known = suspect.cookie ? cw_known_find(&cw->known, suspect.cookie) : NULL;
	if (known && known->due_ns > now)
		return;
	cw_kernel_forget(&cw->kernel, due->sock);
	cw->must_repair = true;
}

static bool is_tracked(const struct cw *cw, const struct cw_known *known)
{
	struct cw_suspect suspect;

	return known->sock && cw_kernel_find(&cw->kernel, known->sock, &suspect) == 0 &&
	       (!suspect.cookie || suspect.cookie == known->cookie);
}

/*
 * In a namespace that was looked at whole; or in one that is none any more, where everything was looked at. A reload has
 * forgotten when to look where.
 */
static bool must_have_shown(const struct cw *cw, const struct cw_known *known)
{
	return cw_netns_has(&cw->sweep.netns, known->netns) || (cw->sweep.repairs && !is_tracked(cw, known));
}

/*
 * A socket that must have shown and did not has left CLOSE_WAIT: every one in a dump, those whose peer is being asked in
 * the iterator's.
 */
static void missing_heal(struct cw *cw)
{
	struct cw_known *known, *next;

	HASH_ITER (hh, cw->known.head, known, next)
		if ((!cw->kernel.looks || known->probe_started_ns) && known->seen_ns != cw->sweep.started_ns &&
		    must_have_shown(cw, known)) {
			if (known->probe_started_ns)
				cw_probe_missing(cw, known);
			else
				cw_known_heal(cw, known);
		}
}

static int judging(struct cw *cw, uint64_t until_ns)
{
	struct cw_sweep *sweep = &cw->sweep;

	while (sweep->judged < sweep->look.count) {
		cw_judge_seen(cw, &sweep->look.seen[sweep->judged++]);
		if (sweep->judged % A_LOOK_AT_THE_CLOCK == 0 && cw_now(cw) >= until_ns)
			return 1;
	}
	sweep->phase = CW_TIDYING;
	return 0;
}

static int tidying(struct cw *cw, uint64_t until_ns)
{
	struct cw_sweep *sweep = &cw->sweep;
	bool all_shown = !cw->kernel.looks || sweep->look.count >= sweep->taken_count;

	while (!all_shown && sweep->tidied < sweep->taken_count) {
		stale_forget(cw, &sweep->taken[sweep->tidied++]);
		if (sweep->tidied % A_LOOK_AT_THE_CLOCK == 0 && cw_now(cw) >= until_ns)
			return 1;
	}
	if (!cw->kernel.looks || cw->probing)
		missing_heal(cw);
	cw_probe_restore_all(cw);
	cw_probe_admit(cw);
	sweep->phase = sweep->repairs ? CW_WALKING_AGAIN : CW_IDLE;
	if (sweep->repairs)
		cw_walk_begin(cw);
	return 0;
}

static int walking_again(struct cw *cw, uint64_t until_ns)
{
	int r = cw_walk_on(cw, until_ns);

	if (r == 0)
		cw->sweep.phase = CW_IDLE;
	return r;
}

static void numbers_tell(struct cw *cw)
{
	cw->host->number(cw->host, "tracked", cw->sweep.tracked);
	cw->host->number(cw->host, "max_tracked", (uint64_t)cw->config->max_tracked);
	cw->host->number(cw->host, "missed", cw->missed);
}

static uint64_t sweep_end(struct cw *cw)
{
	struct cw_sweep *sweep = &cw->sweep;
	uint64_t pace = sweep->spent_ns * PACE, now = cw_now(cw), next;

	cw_look_clear(&sweep->look);
	cw_holders_fini(&sweep->holders);
	numbers_tell(cw);
	cw_agenda_sort(&cw->agenda);
	next = cw_agenda_next(&cw->agenda, cw->agenda.walked_ns + cw->timeout_ns);
	if (cw_aftermath_next(cw) < next)
		next = cw_aftermath_next(cw);
	if (cw->must_repair && cw->repaired_ns + cw->timeout_ns < next)
		next = cw->repaired_ns + cw->timeout_ns;
	if (pace < PACE_LEAST_NS)
		pace = PACE_LEAST_NS;
	if (pace > PACE_MOST_NS)
		pace = PACE_MOST_NS;
	return next < now + pace ? now + pace : next;
}

static int phase_run(struct cw *cw, struct gb_scan *scan)
{
	switch (cw->sweep.phase) {
	case CW_IDLE:
		return sweep_begin(cw, scan);
	case CW_WALKING:
		return walking(cw, scan->until_ns);
	case CW_LOOKING:
		return looking(cw, scan->until_ns);
	case CW_SEEKING_HOLDERS:
		return seeking_holders(cw, scan->until_ns);
	case CW_ACCOUNTING:
		return accounting(cw, scan->until_ns);
	case CW_JUDGING:
		return judging(cw, scan->until_ns);
	case CW_TIDYING:
		return tidying(cw, scan->until_ns);
	case CW_WALKING_AGAIN:
		return walking_again(cw, scan->until_ns);
	}
	return -EINVAL;
}

/* Nothing of a scan that failed is used; the next one looks at everything. */
static void sweep_abort(struct cw *cw)
{
	cw_look_clear(&cw->sweep.look);
	cw_aftermath_end(cw, false);
	cw_holders_fini(&cw->sweep.holders);
	cw->sweep.phase = CW_IDLE;
	cw->must_repair = true;
	cw->repaired_ns = 0;
}

/* What a scan costs is its processor time: a busy machine must not make the next one late. */
static uint64_t cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * GB_SECOND + (uint64_t)now.tv_nsec;
}

int cw_scan(struct cw *cw, struct gb_scan *scan)
{
	uint64_t begun = cpu_now();
	int r;

	for (;;) {
		r = phase_run(cw, scan);
		if (r < 0) {
			sweep_abort(cw);
			return r;
		}
		if (cw->sweep.phase == CW_IDLE)
			break;
		if (cw_now(cw) >= scan->until_ns) {
			cw->sweep.spent_ns += cpu_now() - begun;
			return GB_MORE;
		}
	}
	cw->sweep.spent_ns += cpu_now() - begun;
	scan->next_ns = sweep_end(cw);
	return GB_DONE;
}

void cw_sweep_fini(struct cw_sweep *sweep)
{
	cw_look_clear(&sweep->look);
	cw_holders_fini(&sweep->holders);
	cw_netns_fini(&sweep->netns);
	free(sweep->taken);
	*sweep = (struct cw_sweep){.look.fd = -1, .holders.fd = -1};
}
