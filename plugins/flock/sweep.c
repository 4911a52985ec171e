/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scan: who is kept out, of which inodes; one look at these: their locks and all who hold them; judge. Without anybody
 * kept out there is nothing to look at. In slices: every phase keeps its place.
 */
#include <errno.h>
#include <string.h>

#include "fl.h"
#include "process.h"

#define PACE_LEAST_NS (50 * GB_MILLISECOND)

/* An event that no program saw may have been the end of a lock, or the taking of another: nothing older is trusted. */
void fl_losses_note(struct fl *fl, uint64_t now_ns)
{
	uint64_t missed = fl_kernel_missed(&fl->kernel), recursion = fl_kernel_recursion_misses(&fl->kernel);
	uint64_t missed_waits = fl_kernel_missed_waits(&fl->kernel);

	if (missed != fl->missed)
		fl->host->log(
			fl->host, GB_LOG_WARNING,
			"there was no room to remember who took a lock, %llu times (max_tracked = %lld): such locks "
			"are reported, not released; raise max_tracked if this goes on",
			(unsigned long long)(missed - fl->missed), (long long)fl->config->max_tracked);
	if (missed_waits != fl->missed_waits)
		fl->host->log(fl->host, GB_LOG_WARNING,
			      "there was no room to remember who waits for a lock, %llu times: looking at all locks",
			      (unsigned long long)(missed_waits - fl->missed_waits));
	if (recursion != fl->recursion_misses) {
		fl->host->log(
			fl->host, GB_LOG_WARNING,
			"the kernel left out the programs for locks, %llu times: who took the locks of before is not "
			"certain, and such locks are reported, not released",
			(unsigned long long)(recursion - fl->recursion_misses));
		fl->trusted_since_ns = now_ns;
	}
	fl->must_survey |= missed_waits != fl->missed_waits || recursion != fl->recursion_misses;
	fl->missed = missed;
	fl->missed_waits = missed_waits;
	fl->recursion_misses = recursion;
}

static int sweep_begin(struct fl *fl, const struct gb_scan *scan)
{
	struct fl_sweep *sweep = &fl->sweep;

	sweep->started_ns = scan->now_ns;
	sweep->next_ns = scan->now_ns + fl_rules_shortest(fl->config);
	sweep->judged = 0;
	sweep->contended = 0;
	fl_look_clear(&sweep->look);
	fl_losses_note(fl, scan->now_ns);
	if (!((scan->flags & GB_SCAN_FIRST) || fl->must_survey) || !fl->kernel.walks) {
		sweep->phase = FL_WANTING;
		return 0;
	}
	fl->must_survey = false;
	sweep->phase = FL_SURVEYING;
	return fl_look_begin(&sweep->look, &fl->kernel, FL_PASS_SURVEY);
}

static int surveying(struct fl *fl, uint64_t until_ns)
{
	struct fl_sweep *sweep = &fl->sweep;
	int r = fl_look_read(&sweep->look, until_ns);

	if (r)
		return r;
	r = fl_waits_add_standing(&fl->waits, &sweep->look.waiters, fl->attached_ns);
	fl_look_clear(&sweep->look);
	sweep->phase = FL_WANTING;
	return r;
}

static void wants_drop(struct fl *fl)
{
	for (size_t i = 0; i < fl->waits.count; i++)
		fl_kernel_unwant(&fl->kernel, &fl->waits.items[i].inode);
}

static int wanting(struct fl *fl)
{
	struct fl_sweep *sweep = &fl->sweep;
	int r = fl_waits_read(&fl->waits, &fl->kernel, sweep->started_ns, fl_rules_longest(fl->config));

	fl->must_survey |= fl->waits.lost;
	fl->waits.lost = false;
	for (size_t i = 0; i < fl->waits.count && r == 0; i++)
		r = fl_kernel_want(&fl->kernel, &fl->waits.items[i].inode);
	if (r < 0 && r != -E2BIG) /* more contended files than fit: the others have their turn when these are done */
		return r;
	if (!fl->waits.count) {
		sweep->phase = FL_JUDGING;
		return 0;
	}
	sweep->phase = FL_LOOKING;
	return fl_look_begin(&sweep->look, &fl->kernel, FL_PASS_LOOK);
}

static int looking(struct fl *fl, uint64_t until_ns)
{
	struct fl_sweep *sweep = &fl->sweep;
	int r = fl_look_read(&sweep->look, until_ns);

	if (r)
		return r;
	if (sweep->phase == FL_LOOKING && fl->kernel.maps) {
		sweep->phase = FL_LOOKING_AT_MAPPINGS;
		return fl_look_begin(&sweep->look, &fl->kernel, FL_PASS_MAPPINGS);
	}
	wants_drop(fl);
	fl_look_settle(&sweep->look, &fl->kernel);
	fl_waits_confirm(&fl->waits, &sweep->look.waiters);
	sweep->phase = FL_JUDGING;
	return fl_edges_fill(fl, &sweep->look, sweep->started_ns);
}

static void due_at(struct fl_sweep *sweep, uint64_t when_ns)
{
	if (when_ns < sweep->next_ns)
		sweep->next_ns = when_ns;
}

/* A POSIX lock ends with its process and cannot be released by another: it is only told of. */
static void verdict_tell(struct fl *fl, const struct fl_case *seen, struct fl_treatment *treatment,
			 enum fl_verdict verdict)
{
	const char *finding = fl_verdict_reason(verdict), *protection = fl_case_protection(fl, seen);

	if (seen->lock.kind == FL_POSIX) {
		treatment->action = FL_ACTION_REPORT;
		fl_case_tell(fl, seen, treatment, "blocks", NULL);
	} else if (protection) {
		fl_case_tell(fl, seen, treatment, finding ? finding : "leaked", protection);
	} else if (verdict == FL_GHOST) {
		fl_case_tell(fl, seen, treatment, "leaked", NULL);
	} else if (verdict == FL_ACQUISITION_UNKNOWN || verdict == FL_MAPPINGS_UNKNOWN) {
		treatment->action = FL_ACTION_REPORT;
		fl_case_tell(fl, seen, treatment, finding, NULL);
	} else {
		fl_case_tell(fl, seen, treatment, finding, finding);
	}
}

static int lock_judge(struct fl *fl, const struct fl_record *lock)
{
	static struct fl_case seen; /* one thread, never re-entered */
	struct fl_sweep *sweep = &fl->sweep;
	struct fl_treatment treatment;
	struct fl_known *known;
	enum fl_verdict verdict;

	fl_case_fill(fl, &sweep->look, lock, sweep->started_ns, fl_rules_longest(fl->config), &seen);
	if (!seen.wait_count || !fl->host->path_in_scope(fl->host, seen.path))
		return 0;
	sweep->contended++;
	treatment = fl_rules_treat(fl, &seen);
	fl_case_fill(fl, &sweep->look, lock, sweep->started_ns, treatment.timeout_ns, &seen);
	if (!seen.wait_count)
		return 0;
	known = fl_known_add(&fl->known, seen.key);
	if (!known)
		return -ENOMEM;
	if (!known->first_ns)
		known->first_ns = sweep->started_ns;
	known->seen_ns = sweep->started_ns;
	verdict = fl_case_judge(fl, &sweep->look, &seen, treatment.timeout_ns);
	if (seen.age_ns < treatment.timeout_ns) {
		due_at(sweep, sweep->started_ns + treatment.timeout_ns - seen.age_ns);
		return 0;
	}
	verdict_tell(fl, &seen, &treatment, verdict);
	known->told = true;
	return 0;
}

/* What was told of, and keeps nobody out any more. */
static void known_heal(struct fl *fl)
{
	struct fl_known *known, *next;

	HASH_ITER (hh, fl->known.head, known, next) {
		if (known->seen_ns == fl->sweep.started_ns)
			continue;
		if (known->told)
			fl->host->heal(fl->host, known->key);
		fl_known_remove(&fl->known, known);
	}
}

static int judging(struct fl *fl, uint64_t until_ns)
{
	struct fl_sweep *sweep = &fl->sweep;

	while (sweep->judged < sweep->look.locks.count) {
		int r = lock_judge(fl, &sweep->look.locks.items[sweep->judged++]);

		if (r < 0)
			return r;
		if (fl_now(fl) >= until_ns)
			return 1;
	}
	known_heal(fl);
	sweep->phase = FL_IDLE;
	return 0;
}

static int phase_run(struct fl *fl, struct gb_scan *scan)
{
	switch (fl->sweep.phase) {
	case FL_IDLE:
		return sweep_begin(fl, scan);
	case FL_SURVEYING:
		return surveying(fl, scan->until_ns);
	case FL_WANTING:
		return wanting(fl);
	case FL_LOOKING:
	case FL_LOOKING_AT_MAPPINGS:
		return looking(fl, scan->until_ns);
	case FL_JUDGING:
		return judging(fl, scan->until_ns);
	}
	return -EINVAL;
}

void fl_sweep_abort(struct fl *fl)
{
	wants_drop(fl);
	fl_look_clear(&fl->sweep.look);
	fl->sweep.phase = FL_IDLE;
	fl->must_survey = true;
}

static void sweep_end(struct fl *fl, struct gb_scan *scan)
{
	uint64_t now_ns = fl_now(fl);

	fl_look_fini(&fl->sweep.look);
	fl->host->number(fl->host, "contended", fl->sweep.contended);
	fl->host->number(fl->host, "waiting", fl->waits.count);
	fl->host->number(fl->host, "max_tracked", (uint64_t)fl->config->max_tracked);
	fl->host->number(fl->host, "missed", fl->missed);
	fl->host->number(fl->host, "left_out", fl->recursion_misses);
	scan->next_ns = fl->sweep.next_ns < now_ns + PACE_LEAST_NS ? now_ns + PACE_LEAST_NS : fl->sweep.next_ns;
}

int fl_scan(struct fl *fl, struct gb_scan *scan)
{
	for (;;) {
		int r = phase_run(fl, scan);

		if (r < 0) {
			fl_sweep_abort(fl);
			return r;
		}
		if (fl->sweep.phase == FL_IDLE)
			break;
		if (fl_now(fl) >= scan->until_ns)
			return GB_MORE;
	}
	sweep_end(fl, scan);
	return GB_DONE;
}

void fl_sweep_fini(struct fl *fl)
{
	wants_drop(fl);
	fl_look_fini(&fl->sweep.look);
	fl->sweep = (struct fl_sweep){.look.fd = -1};
}
