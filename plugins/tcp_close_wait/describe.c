/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: the resource, the evidence, the reasons. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cw.h"

const char *cw_verdict_reason(enum cw_verdict verdict)
{
	switch (verdict) {
	case CW_UNSEEN:
		return "not-found";
	case CW_GHOST:
		return NULL;
	case CW_LEFT:
		return "left-close-wait";
	case CW_TOO_YOUNG:
		return "too-young";
	case CW_NOT_SILENT:
		return "not-silent";
	case CW_UNSENT:
		return "unsent-data";
	case CW_UNACCEPTED:
		return "not-accepted";
	case CW_IS_MPTCP:
		return "mptcp";
	case CW_IN_REPAIR:
		return "tcp-repair";
	case CW_HAS_ULP:
		return "ulp";
	case CW_IN_KERNEL:
		return "kernel-user";
	}
	return "unknown";
}

static void endpoint_format(int family, const uint8_t *address, uint16_t port, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	if (!inet_ntop(family, address, host, sizeof(host)))
		host[0] = 0;
	snprintf(text, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}

void cw_resource_format(const struct cw_tuple *tuple, char *text, size_t size)
{
	char local[INET6_ADDRSTRLEN + 9], remote[INET6_ADDRSTRLEN + 9];

	endpoint_format(tuple->family, tuple->local_addr, tuple->local_port, local, sizeof(local));
	endpoint_format(tuple->family, tuple->remote_addr, tuple->remote_port, remote, sizeof(remote));
	snprintf(text, size, "tcp %s -> %s", local, remote);
}

/* One holder for each process, with its lowest descriptor; returns how many processes there are. */
static uint32_t holders_list(const struct cw_holding *held, size_t count, struct gb_holder *list)
{
	uint32_t processes = 0;

	for (size_t i = 0; i < count; i++) {
		if (i && held[i].tgid == held[i - 1].tgid)
			continue;
		if (processes < GB_HOLDERS_MAX)
			list[processes] = (struct gb_holder){
				.pid = held[i].tgid, .fd = held[i].fd, .start_ticks = cw_holding_start_ticks(&held[i])};
		processes++;
	}
	return processes;
}

static void proof_fill(const struct cw *cw, const struct cw_finding *finding, struct cw_proof *proof)
{
	*proof = (struct cw_proof){
		.sock = finding->seen->sock,
		.cookie = finding->seen->cookie,
		.timeout_ns = finding->policy.timeout_ns,
		.judged_ns = cw->sweep.started_ns,
		.tuple = finding->seen->tuple,
		.inode = finding->seen->inode,
		.probe = finding->probe,
		.fd = -1,
		.holders_digest = cw_holders_digest(finding->held, finding->held_count),
	};
	if (finding->held_count) {
		proof->pid = finding->held[0].tgid;
		proof->fd = finding->held[0].fd;
		proof->start_ticks = cw_holding_start_ticks(&finding->held[0]);
	}
}

static const char *action_name(enum cw_action action)
{
	switch (action) {
	case CW_ACTION_REPORT:
		return "report";
	case CW_ACTION_SHUTDOWN:
		return "shutdown";
	case CW_ACTION_DESTROY:
		return "destroy";
	}
	return "report";
}

static uint32_t evidence_fill(const struct cw_finding *finding, uint32_t processes, struct gb_field *list)
{
	const struct cw_observation *seen = finding->seen;
	const struct cw_known *known = finding->known;
	uint32_t count = 0;

	list[count++] =
		(struct gb_field){.name = "class", .type = GB_FIELD_TEXT, .text = cw_class_name(cw_class_of(seen))};
	list[count++] = (struct gb_field){.name = "silence", .type = GB_FIELD_DURATION, .value = seen->silence_ns};
	list[count++] =
		(struct gb_field){.name = "timeout", .type = GB_FIELD_DURATION, .value = finding->policy.timeout_ns};
	list[count++] = (struct gb_field){.name = "receive_queue", .type = GB_FIELD_BYTES, .value = seen->rqueue};
	list[count++] = (struct gb_field){.name = "send_queue", .type = GB_FIELD_BYTES, .value = seen->wqueue};
	list[count++] = (struct gb_field){.name = "inode", .type = GB_FIELD_INTEGER, .value = seen->inode};
	list[count++] = (struct gb_field){.name = "holders", .type = GB_FIELD_INTEGER, .value = processes};
	if (finding->held_count)
		list[count++] = (struct gb_field){
			.name = "fd", .type = GB_FIELD_INTEGER, .value = (uint64_t)finding->held[0].fd};
	if (known && known->alive)
		list[count++] =
			(struct gb_field){.name = "probes_answered", .type = GB_FIELD_INTEGER, .value = known->alive};
	if (known && known->unanswered)
		list[count++] = (struct gb_field){.name = "probe", .type = GB_FIELD_TEXT, .text = "unanswered"};
	if (finding->policy.line)
		list[count++] =
			(struct gb_field){.name = "rule_line", .type = GB_FIELD_INTEGER, .value = finding->policy.line};
	return count;
}

static int known_note(struct cw *cw, const struct cw_finding *finding, uint32_t processes)
{
	struct cw_known *known = finding->known;

	if (!known)
		known = cw_known_add(&cw->known, finding->seen->cookie);
	if (!known)
		return -ENOMEM;
	known->sock = finding->seen->sock;
	known->netns = finding->seen->tuple.netns;
	known->seen_ns = cw->sweep.started_ns;
	known->due_ns = finding->due_ns;
	cw_told_note(known, finding, processes);
	return 0;
}

void cw_report(struct cw *cw, const struct cw_finding *finding)
{
	static struct gb_holder holders[GB_HOLDERS_MAX]; /* one thread, never re-entered */
	struct gb_field evidence[GB_EVIDENCE_MAX];
	char resource[160];
	struct cw_proof proof;
	uint32_t processes = holders_list(finding->held, finding->held_count, holders);
	struct gb_ghost ghost = {
		.struct_size = sizeof(ghost),
		.port = finding->seen->tuple.local_port,
		.key = finding->seen->cookie,
		.resource = resource,
		.action = action_name(finding->policy.action),
		.age_ns = finding->seen->age_ns,
		.ns = {.kind = GB_NS_NET, .inode = finding->seen->tuple.netns, .socket_fd = -1},
		.evidence = evidence,
		.evidence_count = evidence_fill(finding, processes, evidence),
		.holders = holders,
		.holder_count = processes < GB_HOLDERS_MAX ? processes : GB_HOLDERS_MAX,
		.proof = &proof,
		.proof_size = sizeof(proof),
	};

	if (known_note(cw, finding, processes) < 0)
		return; /* nothing is told, so nothing is released; the next look tries again */
	cw_resource_format(&finding->seen->tuple, resource, sizeof(resource));
	proof_fill(cw, finding, &proof);
	if (finding->reason)
		cw->host->spare(cw->host, &ghost, finding->reason);
	else
		cw->host->ghost(cw->host, &ghost);
}
