/* SPDX-License-Identifier: Apache-2.0 */
/* The policy beside the socket itself: who holds it, and whether they could have reacted at all. */
#include "cw.h"

const char *cw_paused_reason(uint32_t flags)
{
	if (flags & CW_HOLDER_TRACED)
		return "holder-traced";
	/* Before frozen: the kernel marks a task that a signal stopped as frozen, too (cgroup_enter_frozen). */
	if (flags & CW_HOLDER_STOPPED)
		return "holder-stopped";
	if (flags & CW_HOLDER_FROZEN)
		return "holder-frozen";
	return NULL;
}

static uint32_t owner_flags(const struct gb_owner *owner)
{
	uint32_t flags = 0;

	if (owner->flags & GB_OWNER_STOPPED)
		flags |= CW_HOLDER_STOPPED;
	if (owner->flags & GB_OWNER_TRACED)
		flags |= CW_HOLDER_TRACED;
	if (owner->flags & GB_OWNER_FROZEN)
		flags |= CW_HOLDER_FROZEN;
	return flags;
}

/* The processes that are there still, at most GB_HOLDERS_MAX; what pauses any one of them goes into ret_flags. */
static uint32_t owners_find(const struct cw *cw, const struct cw_holding *held, size_t count, struct gb_owner *owners,
			    uint32_t *ret_flags)
{
	uint32_t alive = 0, flags = cw_holders_flags(held, count);

	for (size_t i = 0; i < count && alive < GB_HOLDERS_MAX; i++) {
		struct gb_owner *owner = &owners[alive];

		if (i && held[i].tgid == held[i - 1].tgid)
			continue;
		*owner = (struct gb_owner){.struct_size = sizeof(*owner)};
		if (cw->host->owner(cw->host, held[i].tgid, cw_holding_start_ticks(&held[i]), owner) < 0)
			continue;
		flags |= owner_flags(owner);
		alive++;
	}
	*ret_flags = flags;
	return alive;
}

/*
 * A holder that was paused and goes on gets the whole timeout again: counted from its SIGCONT, and where there is none to
 * see (a debugger, the freezer), from when it was first seen to go on.
 */
static const char *pause_judge(struct cw *cw, struct cw_finding *finding, uint32_t flags)
{
	uint64_t now = cw->sweep.started_ns, timeout_ns = finding->policy.timeout_ns;
	uint64_t continued_ns = cw_holders_continued(finding->held, finding->held_count);
	const char *reason = cw_paused_reason(flags);
	struct cw_known *known;

	if (reason && !finding->known)
		finding->known = cw_known_add(&cw->known, finding->seen->cookie);
	known = finding->known;
	if (known && reason)
		known->paused = true;
	if (reason)
		return reason;
	if (known && known->paused) {
		known->paused = false;
		known->resumed_ns = cw_now(cw); /* it may have been paused still when the scan began */
	}
	if (known && known->resumed_ns > continued_ns)
		continued_ns = known->resumed_ns;
	if (!continued_ns || now >= continued_ns + timeout_ns)
		return NULL;
	if (continued_ns > now)
		finding->due_ns = continued_ns + timeout_ns;
	return "holder-resumed";
}

/* Judges what the socket's own state condemned; sets the policy that applies. */
static void holders_judge(struct cw *cw, struct cw_finding *finding)
{
	static struct gb_owner owners[GB_HOLDERS_MAX]; /* one thread, never re-entered */
	const struct cw_observation *seen = finding->seen;
	uint64_t id = cw->kernel.looks ? seen->sock : seen->inode;
	uint32_t flags = 0, alive;

	finding->held = cw_holders_of(&cw->sweep.holders, id, &finding->held_count);
	alive = owners_find(cw, finding->held, finding->held_count, owners, &flags);
	if (alive == 0) {
		finding->reason = "no-holder";
		return;
	}
	if (cw_holders_processes(finding->held, finding->held_count) > GB_HOLDERS_MAX) {
		finding->reason = "too-many-holders"; /* the guard could not look at all of them */
		return;
	}
	finding->policy = cw_policy_of(cw->config, cw->host, seen, owners, alive);
	if (finding->policy.action == CW_ACTION_SHUTDOWN && cw->getfd_refused &&
	    cw->config->shutdown_refused == CW_REFUSED_DESTROY)
		finding->policy.action = CW_ACTION_DESTROY;
	if (finding->policy.action == CW_ACTION_DESTROY && !cw->destroys)
		finding->policy.action = CW_ACTION_REPORT;
	finding->reason = pause_judge(cw, finding, flags);
	if (!finding->reason && !cw->kernel.looks) { /* a dump does not tell */
		int repair = cw_duplicate_in_repair(finding->held[0].tgid, finding->held[0].fd);

		if (repair)
			finding->reason = repair < 0 ? "not-examined" : cw_verdict_reason(CW_IN_REPAIR);
	}
}

void cw_due_again(struct cw *cw, const struct cw_observation *seen, uint64_t due_ns)
{
	struct cw_due due = {.at_ns = due_ns, .sock = seen->sock, .netns = seen->tuple.netns};

	if (!cw->kernel.looks || due_ns < cw->agenda.walked_ns + cw->timeout_ns)
		cw_agenda_add(&cw->agenda, &due);
}

/* Its rule gives it more time than the shortest of all. Nobody is told of it yet, but it need not be looked at before. */
static void postpone(struct cw *cw, const struct cw_observation *seen, uint64_t due_ns)
{
	struct cw_known *known = cw_known_add(&cw->known, seen->cookie);

	if (known) {
		known->sock = seen->sock;
		known->netns = seen->tuple.netns;
		known->seen_ns = cw->sweep.started_ns;
		known->due_ns = due_ns;
	}
	cw_due_again(cw, seen, due_ns);
}

/* Where the application has keepalive on, the kernel asks by itself, and ends the socket when nobody answers. */
static void probe_decide(struct cw_finding *finding, const struct cw_known *known)
{
	if (finding->policy.action == CW_ACTION_REPORT || (known && known->unanswered) ||
	    !cw_probe_wanted(&finding->policy, finding->seen))
		return;
	if (finding->seen->flags & CW_KEEPALIVE)
		finding->reason = "keepalive";
	else if (finding->seen->flags & CW_KEEPALIVE_SET)
		finding->reason = "keepalive-options";
	else
		finding->probe = true;
}

void cw_judge_seen(struct cw *cw, const struct cw_observation *seen)
{
	uint64_t now = cw->sweep.started_ns, slack_ns = cw->kernel.slack_ns;
	struct cw_known *known = cw_known_find(&cw->known, seen->cookie);
	enum cw_verdict verdict = cw_judge(seen, cw->timeout_ns, slack_ns);
	struct cw_finding finding = {
		.seen = seen, .known = known, .policy = cw_policy_of(cw->config, cw->host, seen, NULL, 0)};

	if (known)
		known->seen_ns = now;
	if (known && known->probe_started_ns) {
		if (!cw_probe_judge(cw, seen, known))
			return;
	} else if (cw->kernel.acts && seen->flags & CW_PROBED) {
		cw_probe_leftover(cw, seen, NULL, 0);
	}
	/* A peer that answers a probe which nobody ended is never silent, and one that was never silent never old. */
	if (!cw->kernel.acts && (verdict == CW_NOT_SILENT || verdict == CW_TOO_YOUNG) && seen->flags & CW_PROBED) {
		holders_judge(cw, &finding);
		cw_probe_leftover(cw, seen, finding.held, finding.held_count);
	}
	if (verdict == CW_LEFT || verdict == CW_TOO_YOUNG)
		return;
	if (known && known->due_ns > now && !cw->sweep.asked) {
		cw_due_again(cw, seen, known->due_ns);
		return;
	}
	if (known && verdict == CW_NOT_SILENT)
		known->unanswered = false;
	if (verdict == CW_GHOST) {
		holders_judge(cw, &finding);
		if (!cw->kernel.acts && !(known && known->alive) && seen->flags & (CW_PROBED | CW_KEEPALIVE))
			cw_probe_leftover(cw, seen, finding.held, finding.held_count);
		verdict = cw_judge(seen, finding.policy.timeout_ns, slack_ns);
	}
	if (verdict == CW_TOO_YOUNG) {
		postpone(cw, seen, now + finding.policy.timeout_ns - seen->age_ns);
		return;
	}
	if (!finding.due_ns || verdict == CW_NOT_SILENT)
		finding.due_ns = now + finding.policy.timeout_ns;
	if (verdict == CW_NOT_SILENT)
		finding.due_ns -= seen->silence_ns;
	if (verdict != CW_GHOST)
		finding.reason = cw_verdict_reason(verdict);
	else if (!finding.reason)
		probe_decide(&finding, known);
	cw_due_again(cw, seen, finding.due_ns);
	cw_report(cw, &finding);
}
