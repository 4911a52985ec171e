/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "match.h"

static bool asks_owner(const struct gb_owner_match *match)
{
	return match->comm || match->exe || match->unit || match->container || match->cgroup || match->netns ||
	       match->uid >= 0;
}

static bool path_matches(const char *pattern, const char *path)
{
	return path && (strcmp(pattern, path) == 0 || fnmatch(pattern, path, 0) == 0);
}

/* A namespace is the resource's own, with or without a holder that is known. */
static const struct gb_owner *matching_owner(const struct exemption *exemption, const struct guard_subject *subject)
{
	uint64_t netns = subject->ns.kind == GB_NS_NET ? subject->ns.inode : 0;

	for (uint32_t i = 0; i < subject->owner_count; i++)
		if (owner_matches(&exemption->owner, subject->owners[i], netns))
			return subject->owners[i];
	return NULL;
}

/* Does the exemption hold? *ret_owner: the holder for which it does, NULL when it asks for none. */
static bool exemption_holds(const struct exemption *exemption, const struct guard_subject *subject,
			    const struct gb_owner **ret_owner)
{
	const struct gb_range *port = &exemption->port;

	*ret_owner = NULL;
	if (port->first <= port->last && (!subject->port || subject->port < port->first || subject->port > port->last))
		return false;
	if (exemption->path && !path_matches(exemption->path, subject->path))
		return false;
	if (!asks_owner(&exemption->owner))
		return true;
	*ret_owner = matching_owner(exemption, subject);
	return *ret_owner != NULL;
}

static bool always_exempt(const struct guard *guard, const struct guard_subject *subject, struct guard_verdict *verdict)
{
	for (uint32_t i = 0; i < subject->owner_count; i++) {
		int32_t pid = subject->owners[i]->pid;

		if ((pid != 1 && pid != guard->self) || subject->owners[i]->flags & GB_OWNER_ENDED)
			continue;
		snprintf(verdict->detail, sizeof(verdict->detail), "held by %s, which is never touched",
			 pid == 1 ? "pid 1" : "ghostbuster itself");
		return true;
	}
	return false;
}

static bool has_living_owner(const struct guard_subject *subject)
{
	for (uint32_t i = 0; i < subject->owner_count; i++)
		if (!(subject->owners[i]->flags & GB_OWNER_ENDED))
			return true;
	return false;
}

static bool exempt(const struct guard *guard, const struct guard_subject *subject, struct guard_verdict *verdict)
{
	const struct gb_groups *list = &guard->settings->exempt;

	if (always_exempt(guard, subject, verdict))
		return true;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct exemption *exemption =
			(const struct exemption *)((const char *)list->items + (size_t)i * list->item_size);
		const struct gb_owner *owner;
		char who[64] = "";

		if (!exemption_holds(exemption, subject, &owner))
			continue;
		if (owner)
			snprintf(who, sizeof(who), ", which %s[%" PRId32 "] %s", owner->comm, owner->pid,
				 owner->flags & GB_OWNER_ENDED ? "matched when it lived" : "matches");
		if (exemption->group.file)
			snprintf(verdict->detail, sizeof(verdict->detail), "guard.exempt at %s:%" PRIu32 "%s",
				 exemption->group.file, exemption->group.line, who);
		else
			snprintf(verdict->detail, sizeof(verdict->detail), "guard.exempt of the command line%s", who);
		return true;
	}
	return false;
}

void guard_judge(const struct guard *guard, const struct guard_subject *subject, struct guard_verdict *ret_verdict)
{
	ret_verdict->reason = NULL;
	ret_verdict->detail[0] = '\0';
	if (subject->report_only)
		ret_verdict->reason = "report";
	/* Its holders can no longer be looked at: nobody knows whether one was exempt. The next scan decides. */
	else if (subject->holder_count && !has_living_owner(subject))
		ret_verdict->reason = "holder-gone";
	else if (exempt(guard, subject, ret_verdict))
		ret_verdict->reason = "exempt";
	else if (guard->observe)
		ret_verdict->reason = "observe";
	else if (subject->tripped)
		ret_verdict->reason = "breaker";
}
