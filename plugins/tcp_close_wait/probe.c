/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the peer, by the kernel's own keepalive. A peer that has closed fully answers with a reset and the socket is gone
 * by plain TCP; one that has only half-closed acknowledges; one that vanished says nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cw.h"

#define TCP_CLOSE_STATE 7                     /* TCP_CLOSE of include/net/tcp_states.h */
#define FIRST_LOOK_NS (1200 * GB_MILLISECOND) /* the first probe leaves after CW_PROBE_IDLE_S */
#define LEAVING_NS (100 * GB_MILLISECOND)
#define ALIVE_DOUBLINGS 6 /* a peer that answers is asked again after 2, 4, ... 64 timeouts */

bool cw_probe_wanted(const struct cw_policy *policy, const struct cw_observation *seen)
{
	switch ((enum cw_peer_probe)policy->peer_probe) {
	case CW_PROBE_NEVER:
		return false;
	case CW_PROBE_ALWAYS:
		return true;
	case CW_PROBE_AUTO:
		break;
	}
	/* A fully closed peer still answers for tcp_fin_timeout: before that a probe cannot tell it from a half-close. */
	return policy->timeout_ns >= (uint64_t)seen->fin_timeout_ms * GB_MILLISECOND;
}

static void probing_tell(struct cw *cw)
{
	cw_kernel_tell_probe(&cw->kernel, cw->probing != 0, cw->config->probe_interval_ns);
	cw->host->number(cw->host, "probing", cw->probing);
	cw->host->number(cw->host, "probes", cw->probes);
	cw->host->number(cw->host, "probes_answered", cw->probes_answered);
}

/* An item of the namespace, not of the suspect: it must not be forgotten when the suspect has left the map. */
static void check_later(struct cw *cw, const struct cw_known *known, uint64_t after_ns)
{
	cw_agenda_add(&cw->agenda, &(struct cw_due){.at_ns = cw_now(cw) + after_ns, .netns = known->netns});
}

bool cw_probe_must_wait(struct cw *cw, struct gb_reap_item *item)
{
	if (cw->probing < CW_PROBES_MAX)
		return false;
	if (array_room(&cw->waiting, &cw->waiting_capacity, cw->waiting_count, sizeof(*cw->waiting)) < 0) {
		cw_item_set(item, GB_FAILED, -ENOMEM, "no room to wait for its probe");
		return true;
	}
	cw->waiting[cw->waiting_count++] = item->key;
	cw_item_set(item, GB_DEFERRED, 0, NULL);
	return true;
}

void cw_probe_admit(struct cw *cw)
{
	size_t admitted = 0;

	while (admitted < cw->waiting_count && cw->probing + admitted < CW_PROBES_MAX) {
		struct gb_settlement settlement = {
			.struct_size = sizeof(settlement), .outcome = GB_PENDING, .key = cw->waiting[admitted++]};

		cw->host->settle(cw->host, &settlement);
	}
	if (admitted == 0)
		return;
	cw->waiting_count -= admitted;
	memmove(cw->waiting, cw->waiting + admitted, cw->waiting_count * sizeof(*cw->waiting));
}

int cw_probe_begin(struct cw *cw, const struct gb_reap_item *item)
{
	const struct cw_proof *proof = item->proof;
	struct cw_known *known = cw_known_find(&cw->known, proof->cookie);

	if (!known || known->probe_started_ns)
		return -EEXIST;
	if (proof->sock)
		cw_kernel_probe_begin(&cw->kernel, proof->sock, proof->cookie);
	known->probe_started_ns = cw_now(cw);
	known->fd = -1;
	cw->probing++;
	cw->probes++;
	probing_tell(cw);
	check_later(cw, known, FIRST_LOOK_NS);
	return 0;
}

static void probe_end(struct cw *cw, struct cw_known *known)
{
	if (!known->probe_started_ns)
		return;
	known->probe_started_ns = 0;
	cw_kernel_probe_end(&cw->kernel, known->sock);
	cw->probing--;
	probing_tell(cw);
}

void cw_probe_abort(struct cw *cw, const struct gb_reap_item *item)
{
	struct cw_known *known = cw_known_find(&cw->known, ((const struct cw_proof *)item->proof)->cookie);

	if (known)
		probe_end(cw, known);
}

/* ---- by a duplicate of the holder's descriptor ---- */

struct keepalive {
	int on, idle_s, interval_s, count;
};

static int option_get(int fd, int level, int name, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return getsockopt(fd, level, name, ret_value, &size) < 0 ? -errno : 0;
}

static int keepalive_get(int fd, struct keepalive *ret)
{
	int r = option_get(fd, SOL_SOCKET, SO_KEEPALIVE, &ret->on);

	if (r == 0)
		r = option_get(fd, IPPROTO_TCP, TCP_KEEPIDLE, &ret->idle_s);
	if (r == 0)
		r = option_get(fd, IPPROTO_TCP, TCP_KEEPINTVL, &ret->interval_s);
	return r == 0 ? option_get(fd, IPPROTO_TCP, TCP_KEEPCNT, &ret->count) : r;
}

static int keepalive_set(int fd, const struct keepalive *keepalive)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive->idle_s, sizeof(int)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keepalive->interval_s, sizeof(int)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &keepalive->count, sizeof(int)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive->on, sizeof(int)) < 0)
		return -errno;
	return 0;
}

/* The values of the namespace, as a fresh socket of it has them. */
static int keepalive_fresh(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = keepalive_get(fd, arg);
	close(fd);
	return r;
}

static int keepalive_of_namespace(struct cw *cw, uint32_t netns, int32_t pid, int32_t fd, struct keepalive *ret)
{
	struct gb_ns ns = {.kind = GB_NS_NET, .pid = pid, .inode = netns, .socket_fd = fd};

	return cw->host->ns_run(cw->host, &ns, keepalive_fresh, ret);
}

/* A duplicate of the very socket, or -errno. */
static int duplicate_exact(int32_t pid, int32_t fd, uint64_t cookie)
{
	int copy = cw_duplicate_open(pid, fd);
	uint64_t found;

	if (copy >= 0 && (cw_duplicate_cookie(copy, &found) < 0 || found != cookie)) {
		close(copy);
		return -ENOENT;
	}
	return copy;
}

static bool is_ours(const struct keepalive *keepalive)
{
	return keepalive->on && keepalive->idle_s == CW_PROBE_IDLE_S && keepalive->count == CW_PROBE_COUNT;
}

static int duplicate_probe(struct cw *cw, int copy, const struct cw_proof *proof, struct gb_reap_item *item)
{
	struct keepalive now, fresh,
		asking = {.on = 1,
			  .idle_s = CW_PROBE_IDLE_S,
			  .interval_s = (int)(cw->config->probe_interval_ns / GB_SECOND),
			  .count = CW_PROBE_COUNT};
	int r = keepalive_get(copy, &now);

	if (r == 0)
		r = keepalive_of_namespace(cw, proof->tuple.netns, proof->pid, proof->fd, &fresh);
	if (r < 0)
		return r;
	if (is_ours(&now))
		return 0;
	if (now.on || now.idle_s != fresh.idle_s || now.interval_s != fresh.interval_s || now.count != fresh.count) {
		cw_item_set(item, GB_SPARED, 0, now.on ? "keepalive" : "keepalive-options");
		return -EEXIST;
	}
	return keepalive_set(copy, &asking);
}

void cw_probe_by_duplicate(struct cw *cw, struct gb_reap_item *item)
{
	const struct cw_proof *proof = item->proof;
	int copy = duplicate_exact(proof->pid, proof->fd, proof->cookie), r;
	struct cw_known *known = cw_known_find(&cw->known, proof->cookie);

	if (copy < 0 || cw_duplicate_state(copy) != CW_TCP_CLOSE_WAIT || !known) {
		if (copy == -EPERM)
			cw_item_set(item, GB_SPARED, 0, "not-examined");
		else
			cw_item_set(item, GB_HEALED, 0, NULL);
		if (copy >= 0)
			close(copy);
		return;
	}
	r = duplicate_probe(cw, copy, proof, item);
	close(copy);
	if (r < 0) {
		if (item->outcome == GB_PENDING)
			cw_item_set(item, GB_FAILED, r, "keepalive");
		return;
	}
	cw_probe_begin(cw, item);
	known->pid = proof->pid;
	known->fd = proof->fd;
	cw_item_set(item, GB_DEFERRED, 0, NULL);
}

static void duplicate_restore(struct cw *cw, int32_t pid, int32_t fd, uint64_t cookie, uint32_t netns)
{
	int copy = duplicate_exact(pid, fd, cookie);
	struct keepalive now, fresh;

	if (copy < 0)
		return;
	if (keepalive_get(copy, &now) == 0 && is_ours(&now) && keepalive_of_namespace(cw, netns, pid, fd, &fresh) == 0)
		keepalive_set(copy, &fresh);
	close(copy);
}

/* ---- putting back ---- */

static void restore_later(struct cw *cw, uint64_t sock, uint64_t cookie, uint32_t netns)
{
	struct cw_due restore = {.at_ns = cookie, .sock = sock, .netns = netns};

	if (array_room(&cw->restores, &cw->restore_capacity, cw->restore_count, sizeof(*cw->restores)) == 0)
		cw->restores[cw->restore_count++] = restore;
}

static void restore(struct cw *cw, const struct cw_known *known)
{
	if (known->fd >= 0)
		duplicate_restore(cw, known->pid, known->fd, known->cookie, known->netns);
	else
		restore_later(cw, known->sock, known->cookie, known->netns);
}

static int restore_compare(const void *a, const void *b)
{
	const struct cw_due *x = a, *y = b;

	return (x->netns > y->netns) - (x->netns < y->netns);
}

static void restore_namespace(struct cw *cw, const struct cw_due *list, size_t count)
{
	int fd;

	for (size_t i = 0; i < count; i++)
		cw_kernel_condemn(&cw->kernel, &list[i].sock,
				  &(struct cw_condemned){.cookie = list[i].at_ns, .task = CW_TASK_RESTORE}, 1);
	fd = cw_namespace_pass(cw, list[0].netns, 0, -1);
	if (fd >= 0) {
		cw_pass_read(fd, UINT64_MAX);
		close(fd);
	}
	for (size_t i = 0; i < count; i++)
		cw_kernel_pardon(&cw->kernel, list[i].sock);
}

void cw_probe_restore_all(struct cw *cw)
{
	size_t end;

	if (cw->restore_count)
		qsort(cw->restores, cw->restore_count, sizeof(*cw->restores), restore_compare);
	for (size_t at = 0; at < cw->restore_count; at = end) {
		const struct cw_due *first = &cw->restores[at];

		for (end = at; end < cw->restore_count && end - at < cw->kernel.condemned_max; end++)
			if (cw->restores[end].netns != first->netns)
				break;
		restore_namespace(cw, first, end - at);
	}
	cw->restore_count = 0;
}

void cw_probe_leftover(struct cw *cw, const struct cw_observation *seen, const struct cw_holding *held, size_t count)
{
	if (cw->kernel.acts)
		restore_later(cw, seen->sock, seen->cookie, seen->tuple.netns);
	else if (count)
		duplicate_restore(cw, held[0].tgid, held[0].fd, seen->cookie, seen->tuple.netns);
}

/* ---- the answer ---- */

static void settle(struct cw *cw, const struct cw_known *known, enum gb_outcome outcome, const char *action,
		   const char *detail)
{
	struct gb_settlement settlement = {.struct_size = sizeof(settlement),
					   .outcome = outcome,
					   .key = known->cookie,
					   .action = action,
					   .detail = detail};

	cw->host->settle(cw->host, &settlement);
}

/* How long the peer has been asked, and how long it may be. */
static uint64_t elapsed_ns_of(const struct cw *cw, const struct cw_known *known)
{
	uint64_t now = cw->sweep.started_ns;

	return now > known->probe_started_ns ? now - known->probe_started_ns : 0;
}

static uint64_t patience_ns_of(const struct cw *cw)
{
	return CW_PROBE_IDLE_S * (uint64_t)GB_SECOND +
	       (uint64_t)cw->config->probe_count * cw->config->probe_interval_ns;
}

bool cw_probe_judge(struct cw *cw, const struct cw_observation *seen, struct cw_known *known)
{
	uint64_t now = cw->sweep.started_ns;
	uint64_t elapsed_ns = elapsed_ns_of(cw, known);

	if (seen->silence_ns + cw->kernel.slack_ns < elapsed_ns) {
		uint8_t doublings = known->alive < ALIVE_DOUBLINGS ? ++known->alive : ALIVE_DOUBLINGS;

		restore(cw, known);
		cw->probes_answered++;
		probe_end(cw, known);
		known->due_ns = now + (cw->timeout_ns << doublings);
		cw_due_again(cw, seen, known->due_ns);
		settle(cw, known, GB_SPARED, NULL, "peer-alive");
	} else if (elapsed_ns >= patience_ns_of(cw)) {
		restore(cw, known);
		probe_end(cw, known);
		known->unanswered = true;
		known->due_ns = 0;
		settle(cw, known, GB_PENDING, NULL, NULL);
		return true;
	} else {
		check_later(cw, known, cw->config->probe_interval_ns);
	}
	return false;
}

void cw_probe_gone(struct cw *cw, struct cw_known *known)
{
	struct cw_probe probe = {0};
	bool known_end = known->sock && cw_kernel_probe_find(&cw->kernel, known->sock, &probe) == 0 && probe.ended;

	if (known_end && probe.ended == TCP_CLOSE_STATE) {
		settle(cw, known, GB_REAPED, "probe", probe.error == EPIPE ? "the peer answered with a reset" : NULL);
		cw_aftermath_note(cw,
				  &(struct cw_dead){.id = known->sock,
						    .cookie = known->cookie,
						    .pid = known->told.pid,
						    .start_ticks = known->told.start_ticks},
				  known->told.inode);
	} else {
		settle(cw, known, GB_HEALED, NULL, NULL);
	}
	probe_end(cw, known);
}

void cw_probe_missing(struct cw *cw, struct cw_known *known)
{
	struct cw_suspect suspect;

	if (elapsed_ns_of(cw, known) < patience_ns_of(cw) && known->sock &&
	    cw_kernel_find(&cw->kernel, known->sock, &suspect) == 0 &&
	    (!suspect.cookie || suspect.cookie == known->cookie))
		check_later(cw, known, LEAVING_NS);
	else
		cw_known_heal(cw, known);
}

void cw_probe_fini(struct cw *cw)
{
	struct cw_known *known, *next;

	HASH_ITER (hh, cw->known.head, known, next) {
		if (!known->probe_started_ns)
			continue;
		restore(cw, known);
		probe_end(cw, known);
	}
	cw_probe_restore_all(cw);
	free(cw->restores);
	free(cw->waiting);
}
