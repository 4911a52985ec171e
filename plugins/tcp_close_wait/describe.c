/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: the resource, the evidence, the reasons. */
#include <arpa/inet.h>
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

/* By what the application left in the receive queue: the FIN counts as one byte until it is read. */
const char *cw_class(const struct cw_observation *seen)
{
	if (!(seen->flags & CW_ACCEPTED))
		return "unaccepted";
	if (seen->rqueue == 0)
		return "leaked-after-eof";
	return seen->rqueue == 1 ? "never-looked" : "stuck-reader";
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

static void proof_fill(const struct cw *cw, const struct cw_observation *seen, const struct cw_holding *held,
		       size_t held_count, struct cw_proof *proof)
{
	*proof = (struct cw_proof){
		.sock = seen->sock,
		.cookie = seen->cookie,
		.timeout_ns = cw->config->timeout_ns,
		.judged_ns = cw->sweep.started_ns,
		.tuple = seen->tuple,
		.inode = seen->inode,
		.fd = -1,
		.holders_digest = cw_holders_digest(held, held_count),
	};
	if (held_count) {
		proof->pid = held[0].tgid;
		proof->fd = held[0].fd;
	}
}

void cw_report(struct cw *cw, const struct cw_observation *seen, const struct cw_holding *held, size_t held_count,
	       const char *reason, uint64_t due_ns)
{
	static struct gb_holder holders[GB_HOLDERS_MAX];
	char resource[160];
	struct cw_proof proof;
	uint32_t processes = holders_list(held, held_count, holders);
	const struct gb_field evidence[] = {
		{.name = "class", .type = GB_FIELD_TEXT, .text = cw_class(seen)},
		{.name = "silence", .type = GB_FIELD_DURATION, .value = seen->silence_ns},
		{.name = "receive_queue", .type = GB_FIELD_BYTES, .value = seen->rqueue},
		{.name = "send_queue", .type = GB_FIELD_BYTES, .value = seen->wqueue},
		{.name = "holders", .type = GB_FIELD_INTEGER, .value = processes},
		{.name = "fd", .type = GB_FIELD_INTEGER, .value = held_count ? (uint64_t)held[0].fd : 0},
		{.name = "inode", .type = GB_FIELD_INTEGER, .value = seen->inode},
	};
	struct gb_ghost ghost = {
		.struct_size = sizeof(ghost),
		.port = seen->tuple.local_port,
		.key = seen->cookie,
		.resource = resource,
		.action = cw->config->action == CW_ACTION_DESTROY ? "destroy" : "report",
		.age_ns = seen->age_ns,
		.ns = {.kind = GB_NS_NET, .inode = seen->tuple.netns, .socket_fd = -1},
		.evidence = evidence,
		.evidence_count = GB_COUNT(evidence),
		.holders = holders,
		.holder_count = processes < GB_HOLDERS_MAX ? processes : GB_HOLDERS_MAX,
		.proof = &proof,
		.proof_size = sizeof(proof),
	};
	struct cw_known *known = cw_known_add(&cw->known, seen->cookie);

	if (!known)
		return; /* no memory: nothing is told, nothing is released; the next look tries again */
	known->sock = seen->sock;
	known->netns = seen->tuple.netns;
	known->seen_ns = cw->sweep.started_ns;
	known->due_ns = due_ns;
	cw_resource_format(&seen->tuple, resource, sizeof(resource));
	proof_fill(cw, seen, held, held_count, &proof);
	if (reason)
		cw->host->spare(cw->host, &ghost, reason);
	else
		cw->host->ghost(cw->host, &ghost);
}
