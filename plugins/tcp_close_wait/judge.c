/* SPDX-License-Identifier: Apache-2.0 */
/* The policy beside the socket itself: who holds it, and whether they could have reacted at all. */
#include "cw.h"

const char *cw_paused_reason(uint32_t flags)
{
	if (flags & CW_HOLDER_TRACED)
		return "holder-traced";
	if (flags & CW_HOLDER_FROZEN)
		return "holder-frozen";
	if (flags & CW_HOLDER_STOPPED)
		return "holder-stopped";
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

/* How many of the processes are there still; what pauses any one of them goes into ret_flags. */
static uint32_t holders_alive(const struct cw *cw, const struct cw_holding *held, size_t count, uint32_t *ret_flags)
{
	uint32_t alive = 0, flags = cw_holders_flags(held, count);

	for (size_t i = 0; i < count; i++) {
		struct gb_owner owner = {.struct_size = sizeof(owner)};

		if (i && held[i].tgid == held[i - 1].tgid)
			continue;
		if (cw->host->owner(cw->host, held[i].tgid, cw_holding_start_ticks(&held[i]), &owner) < 0)
			continue;
		flags |= owner_flags(&owner);
		alive++;
	}
	*ret_flags = flags;
	return alive;
}

/* A holder that was paused and goes on gets the whole timeout again, counted from when it was first seen to go on. */
static const char *pause_judge(struct cw *cw, const struct cw_observation *seen, uint32_t flags)
{
	const char *reason = cw_paused_reason(flags);
	struct cw_known *known =
		reason ? cw_known_add(&cw->known, seen->cookie) : cw_known_find(&cw->known, seen->cookie);

	if (!known)
		return reason;
	if (reason) {
		known->paused = true;
		return reason;
	}
	if (known->paused) {
		known->paused = false;
		known->resumed_ns = cw->sweep.started_ns;
	}
	if (known->resumed_ns && cw->sweep.started_ns - known->resumed_ns < cw->config->timeout_ns)
		return "holder-resumed";
	return NULL;
}

static const char *holders_judge(struct cw *cw, const struct cw_observation *seen, const struct cw_holding *held,
				 size_t count)
{
	uint32_t flags = 0;
	const char *reason;

	if (holders_alive(cw, held, count, &flags) == 0)
		return "no-holder";
	reason = pause_judge(cw, seen, flags);
	if (reason)
		return reason;
	if (!cw->kernel.looks) { /* a dump does not tell */
		int repair = cw_diag_in_repair(held[0].tgid, held[0].fd);

		if (repair)
			return repair < 0 ? "not-examined" : cw_verdict_reason(CW_IN_REPAIR);
	}
	return NULL;
}

/* In the map a suspect carries its own next moment; what the next walk would find too late goes to the agenda. */
static void due_again(struct cw *cw, const struct cw_observation *seen, uint64_t due_ns)
{
	struct cw_due due = {.at_ns = due_ns, .sock = seen->sock, .netns = seen->tuple.netns};

	if (!cw->kernel.looks || due_ns < cw->agenda.walked_ns + cw->config->timeout_ns)
		cw_agenda_add(&cw->agenda, &due);
}

void cw_judge_seen(struct cw *cw, const struct cw_observation *seen)
{
	uint64_t timeout_ns = cw->config->timeout_ns, due_ns = cw->sweep.started_ns + timeout_ns;
	struct cw_known *known = cw_known_find(&cw->known, seen->cookie);
	enum cw_verdict verdict = cw_judge(seen, timeout_ns, cw->kernel.slack_ns);
	const struct cw_holding *held = NULL;
	const char *reason;
	size_t count = 0;

	if (known)
		known->seen_ns = cw->sweep.started_ns;
	if (verdict == CW_LEFT || verdict == CW_TOO_YOUNG)
		return;
	if (!cw->kernel.looks && known && known->due_ns > cw->sweep.started_ns && !cw->sweep.asked)
		return;
	reason = cw_verdict_reason(verdict);
	if (verdict == CW_NOT_SILENT)
		due_ns = cw->sweep.started_ns + timeout_ns - seen->silence_ns;
	if (verdict == CW_GHOST) {
		held = cw_holders_of(&cw->sweep.holders, cw->kernel.looks ? seen->sock : seen->inode, &count);
		reason = holders_judge(cw, seen, held, count);
	}
	due_again(cw, seen, due_ns);
	cw_report(cw, seen, held, count, reason, due_ns);
}
