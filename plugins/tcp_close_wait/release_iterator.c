/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releasing under the socket's lock: the kernel is told whom, judges each once more in the same step as it destroys it, and
 * a second pass looks whether any is still there.
 */
#include <errno.h>
#include <unistd.h>

#include "cw.h"

bool cw_by_iterator(const struct cw *cw, const struct gb_reap_item *item)
{
	return !cw_is_gentle(item) && (cw->kernel.releases || (cw->kernel.acts && cw_proof_of(item)->probe));
}

int cw_condemn_some(struct cw *cw)
{
	static struct cw_condemned doomed[CW_TOLD_AT_ONCE]; /* one thread, never re-entered */
	static uint64_t socks[CW_TOLD_AT_ONCE];
	struct cw_release *release = &cw->release;
	uint32_t count = 0;

	for (; release->at < release->count && count < CW_TOLD_AT_ONCE; release->at++) {
		const struct gb_reap_item *item = release->items[release->at];
		const struct cw_proof *proof = cw_proof_of(item);

		doomed[count] = (struct cw_condemned){.cookie = proof->cookie,
						      .timeout_ns = proof->timeout_ns,
						      .task = !cw_by_iterator(cw, item) ? CW_TASK_NONE
							      : proof->probe            ? CW_TASK_PROBE
											: CW_TASK_DESTROY};
		socks[count++] = proof->sock;
	}
	release->told = true;
	return cw_kernel_condemn(&cw->kernel, socks, doomed, count);
}

static int release_open(void *arg)
{
	return cw_kernel_pass(arg, CW_PASS_RELEASE);
}

int cw_namespace_pass(struct cw *cw, uint32_t netns, int32_t pid, int32_t fd_hint)
{
	struct gb_ns ns = {.kind = GB_NS_NET, .pid = pid, .inode = netns, .socket_fd = fd_hint};

	return cw->host->ns_run(cw->host, &ns, release_open, &cw->kernel);
}

static int met_take(const void *record, void *arg)
{
	(void)record;
	(void)arg;
	return 0;
}

int cw_pass_read(int fd, uint64_t until_ns)
{
	return iterator_read(fd, sizeof(struct cw_met), until_ns, met_take, NULL);
}

size_t cw_namespace_skip(struct cw_release *release, size_t at, int error)
{
	uint32_t netns = cw_proof_of(release->items[at])->tuple.netns;

	for (; at < release->count && cw_proof_of(release->items[at])->tuple.netns == netns; at++)
		if (error < 0 && error != -ESRCH && cw_is_pending(release->items[at]))
			cw_item_set(release->items[at], GB_FAILED, error, "its network namespace cannot be entered");
	return at;
}

int cw_release_passing(struct cw *cw, uint64_t until_ns)
{
	struct cw_release *release = &cw->release;
	const struct cw_proof *proof = cw_proof_of(release->items[release->at]);
	int r;

	cw_kernel_tell_release(&cw->kernel, release->phase == CW_VERIFYING);
	if (release->fd < 0)
		release->fd = cw_namespace_pass(cw, proof->tuple.netns, proof->pid, proof->fd);
	r = release->fd < 0 ? release->fd : cw_pass_read(release->fd, until_ns);
	if (r == 1)
		return 0;
	if (release->fd >= 0)
		close(release->fd);
	release->fd = -1;
	release->at = cw_namespace_skip(release, release->at, r);
	if (release->at == release->count)
		cw_release_next(release,
				release->phase == CW_PASSING && cw->kernel.releases ? CW_VERIFYING : CW_DRAINING);
	return 0;
}

static int sentence_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct cw_sentence *)a)->sock, y = ((const struct cw_sentence *)b)->sock;

	return (x > y) - (x < y);
}

int cw_release_draining(struct cw *cw)
{
	struct cw_release *release = &cw->release;
	uint32_t count;
	int r;

	if (!release->sentences)
		release->sentences = reallocarray(NULL, release->count + CW_DRAIN_MAX, sizeof(*release->sentences));
	if (!release->sentences)
		return -ENOMEM;
	if (release->sentence_count > release->count)
		return -EPROTO;
	r = cw_kernel_drain(&cw->kernel, &release->drained, release->sentences + release->sentence_count, &count);
	if (r < 0)
		return r;
	release->sentence_count += count;
	if (r == 1)
		return 0;
	release->told = false;
	qsort(release->sentences, release->sentence_count, sizeof(release->sentences[0]), sentence_compare);
	cw_release_next(release, CW_BY_DIAG);
	return 0;
}

/* The passes did not meet it: it has gone, or the walks missed it, which happens while the socket table changes. */
static void unseen_set(const struct cw *cw, struct gb_reap_item *item)
{
	const struct cw_proof *proof = cw_proof_of(item);
	struct cw_suspect suspect;

	if (cw_kernel_find(&cw->kernel, proof->sock, &suspect) < 0 || suspect.cookie != proof->cookie)
		cw_item_set(item, GB_HEALED, 0, NULL);
	else
		cw_item_set(item, GB_SPARED, 0, cw_verdict_reason(CW_UNSEEN));
}

void cw_outcome_set(const struct cw *cw, struct gb_reap_item *item)
{
	const struct cw_release *release = &cw->release;
	const struct cw_sentence key = {.sock = cw_proof_of(item)->sock};
	const struct cw_sentence *sentence =
		bsearch(&key, release->sentences, release->sentence_count, sizeof(key), sentence_compare);
	struct cw_condemned doomed = sentence ? sentence->condemned : (struct cw_condemned){0};

	switch ((enum cw_verdict)doomed.verdict) {
	case CW_UNSEEN:
		unseen_set(cw, item);
		break;
	case CW_GHOST:
		if (cw_proof_of(item)->probe && !doomed.error)
			cw_item_set(item, GB_DEFERRED, 0, NULL);
		else if (cw_proof_of(item)->probe)
			cw_item_set(item, GB_FAILED, doomed.error, "bpf_setsockopt");
		else if (doomed.error)
			cw_item_set(item, GB_FAILED, doomed.error, "bpf_sock_destroy");
		else if (doomed.remains)
			cw_item_set(item, GB_FAILED, -EBUSY, "still there after bpf_sock_destroy");
		else
			cw_item_set(item, GB_REAPED, 0, NULL);
		break;
	case CW_LEFT:
		cw_item_set(item, GB_HEALED, 0, NULL);
		break;
	default:
		cw_item_set(item, GB_SPARED, 0, cw_verdict_reason((enum cw_verdict)doomed.verdict));
	}
}
