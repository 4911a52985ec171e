/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releasing under the socket's lock: the kernel is told whom, judges each once more in the same step as it destroys it, and
 * a second pass looks whether any is still there. Each call takes one chunk from begin to end, which bounds a slice.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cw.h"

#define CHUNK CW_CONDEMNED_MAX
#define FRESH_NS (1 * GB_SECOND) /* a look at the holders this young needs no repeating */

/* One thread, never re-entered. */
static struct gb_reap_item *chunk[CHUNK];
static struct cw_sentence sentences[CHUNK]; /* sorted by socket */
static uint32_t sentence_count;

static const struct cw_proof *proof_of(const struct gb_reap_item *item)
{
	return item->proof;
}

void cw_item_set(struct gb_reap_item *item, enum gb_outcome outcome, int error, const char *detail)
{
	item->outcome = outcome;
	item->error = error;
	item->detail = detail;
}

static size_t chunk_fill(struct gb_reap *reap)
{
	size_t count = 0;

	for (uint32_t i = 0; i < reap->count && count < CHUNK; i++) {
		struct gb_reap_item *item = &reap->items[i];

		if (item->outcome != GB_PENDING)
			continue;
		if (item->proof_size != sizeof(struct cw_proof))
			cw_item_set(item, GB_FAILED, -EINVAL, "the proof is not of this plugin");
		else
			chunk[count++] = item;
	}
	return count;
}

/* What an iterator does under the lock: to ask a peer, and where the kernel can, to destroy. */
static bool by_iterator(const struct cw *cw, const struct gb_reap_item *item)
{
	return cw->kernel.releases || (cw->kernel.acts && proof_of(item)->probe);
}

/* Tells the kernel whom the next pass is about: who is undecided, and of these only what an iterator is to release. */
static int chunk_condemn(const struct cw *cw, size_t count, bool to_release)
{
	static struct cw_condemned doomed[CHUNK];
	static uint64_t socks[CHUNK];
	uint32_t wanted = 0;

	for (size_t i = 0; i < count; i++) {
		const struct cw_proof *proof = proof_of(chunk[i]);

		if (chunk[i]->outcome != GB_PENDING || (to_release && !by_iterator(cw, chunk[i])))
			continue;
		doomed[wanted] = (struct cw_condemned){.cookie = proof->cookie,
						       .timeout_ns = proof->timeout_ns,
						       .task = proof->probe ? CW_TASK_PROBE : CW_TASK_DESTROY};
		socks[wanted++] = proof->sock;
	}
	return wanted ? cw_kernel_condemn(&cw->kernel, socks, doomed, wanted) : 0;
}

static int sentence_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct cw_sentence *)a)->sock, y = ((const struct cw_sentence *)b)->sock;

	return (x > y) - (x < y);
}

/* Takes the answers; nobody is condemned afterwards. */
static int chunk_drain(const struct cw *cw)
{
	int r = cw_kernel_drain(&cw->kernel, sentences, &sentence_count);

	if (r == 0 && sentence_count)
		qsort(sentences, sentence_count, sizeof(sentences[0]), sentence_compare);
	return r;
}

static void inodes_tell(const struct cw *cw, size_t count, bool want)
{
	for (size_t i = 0; i < count; i++) {
		if (want)
			cw_kernel_want_inode(&cw->kernel, proof_of(chunk[i])->inode);
		else
			cw_kernel_unwant_inode(&cw->kernel, proof_of(chunk[i])->inode);
	}
}

/* The reason to spare it after all, from a new look at its holders. */
static const char *holders_compare(const struct cw *cw, const struct cw_proof *proof, const struct cw_holders *holders)
{
	size_t count;
	const struct cw_holding *held = cw_holders_of(holders, cw->kernel.looks ? proof->sock : proof->inode, &count);
	const char *reason = cw_paused_reason(cw_holders_flags(held, count));

	if (count == 0)
		return "no-holder";
	if (reason)
		return reason;
	if (cw_holders_continued(held, count) > proof->judged_ns)
		return "holder-resumed";
	return cw_holders_digest(held, count) == proof->holders_digest ? NULL : "holders-changed";
}

static int holders_look(struct cw *cw, size_t count, struct cw_holders *holders)
{
	int r = cw->kernel.looks ? chunk_condemn(cw, count, false) : 0;

	if (r < 0)
		return r;
	if (!cw->kernel.looks)
		inodes_tell(cw, count, true);
	cw_kernel_tell_holders(&cw->kernel, 0, true);
	r = cw_holders_begin(holders, &cw->kernel);
	if (r == 0)
		r = cw_holders_read(holders, UINT64_MAX);
	cw_kernel_tell_holders(&cw->kernel, cw->sweep.started_ns, false);
	if (!cw->kernel.looks)
		inodes_tell(cw, count, false);
	return r;
}

/* What has waited in the queue is compared with its holders of now. */
static int chunk_holders_check(struct cw *cw, size_t count)
{
	struct cw_holders holders = {.fd = -1};
	uint64_t now = cw_now(cw);
	bool stale = false;
	int r, drained;

	for (size_t i = 0; i < count; i++)
		stale |= proof_of(chunk[i])->judged_ns + FRESH_NS < now;
	if (!stale)
		return 0;
	r = holders_look(cw, count, &holders);
	drained = cw->kernel.looks ? chunk_drain(cw) : 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		const char *reason = holders_compare(cw, proof_of(chunk[i]), &holders);

		if (reason && chunk[i]->outcome == GB_PENDING)
			cw_item_set(chunk[i], GB_SPARED, 0, reason);
	}
	cw_holders_fini(&holders);
	return r < 0 ? r : drained;
}

static int release_open(void *arg)
{
	return cw_kernel_pass(arg, CW_PASS_RELEASE);
}

static int nothing_take(const void *record, void *arg)
{
	(void)record;
	(void)arg;
	return 0;
}

int cw_namespace_pass(struct cw *cw, uint32_t netns, int32_t pid, int32_t fd_hint)
{
	struct gb_ns ns = {.kind = GB_NS_NET, .pid = pid, .inode = netns, .socket_fd = fd_hint};
	int fd = cw->host->ns_run(cw->host, &ns, release_open, &cw->kernel), r;

	if (fd < 0)
		return fd;
	r = cw_records_read(fd, sizeof(uint64_t), UINT64_MAX, nothing_take, NULL);
	close(fd);
	return r;
}

static int netns_compare(const void *a, const void *b)
{
	const struct cw_proof *x = proof_of(*(struct gb_reap_item *const *)a);
	const struct cw_proof *y = proof_of(*(struct gb_reap_item *const *)b);

	return (x->tuple.netns > y->tuple.netns) - (x->tuple.netns < y->tuple.netns);
}

/* The chunk is sorted by namespace. An error of one namespace is the error of its items only. */
static void chunk_pass(struct cw *cw, size_t count, bool verify)
{
	cw_kernel_tell_release(&cw->kernel, verify);
	for (size_t i = 0, end; i < count; i = end) {
		const struct cw_proof *proof = proof_of(chunk[i]);
		int r = cw_namespace_pass(cw, proof->tuple.netns, proof->pid, proof->fd);

		for (end = i; end < count && proof_of(chunk[end])->tuple.netns == proof_of(chunk[i])->tuple.netns;
		     end++)
			if (r < 0 && r != -ESRCH && chunk[end]->outcome == GB_PENDING)
				cw_item_set(chunk[end], GB_FAILED, r, "its network namespace cannot be entered");
	}
	cw_kernel_tell_release(&cw->kernel, false);
}

/* The pass did not meet it: it has gone, or the walk missed it, which happens while the socket table changes. */
static void unseen_set(const struct cw *cw, struct gb_reap_item *item)
{
	const struct cw_proof *proof = proof_of(item);
	struct cw_suspect suspect;

	if (cw_kernel_find(&cw->kernel, proof->sock, &suspect) < 0 || suspect.cookie != proof->cookie)
		cw_item_set(item, GB_HEALED, 0, NULL);
	else
		cw_item_set(item, GB_SPARED, 0, cw_verdict_reason(CW_UNSEEN));
}

static void outcome_set(const struct cw *cw, struct gb_reap_item *item)
{
	const struct cw_sentence key = {.sock = proof_of(item)->sock};
	const struct cw_sentence *sentence = bsearch(&key, sentences, sentence_count, sizeof(key), sentence_compare);
	struct cw_condemned doomed = sentence ? sentence->condemned : (struct cw_condemned){0};

	switch ((enum cw_verdict)doomed.verdict) {
	case CW_UNSEEN:
		unseen_set(cw, item);
		break;
	case CW_GHOST:
		if (proof_of(item)->probe && !doomed.error)
			cw_item_set(item, GB_DEFERRED, 0, NULL);
		else if (proof_of(item)->probe)
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

static void known_settle(struct cw *cw, const struct gb_reap_item *item)
{
	struct cw_known *known = cw_known_find(&cw->known, item->key);

	if (known && (item->outcome == GB_REAPED || item->outcome == GB_HEALED))
		cw_known_remove(&cw->known, known);
}

/* Begins the probes among what an iterator releases. 1 when there is anything for it to do. */
static int probes_begin(struct cw *cw, size_t count)
{
	int any = 0;

	for (size_t i = 0; i < count; i++) {
		if (chunk[i]->outcome != GB_PENDING || !by_iterator(cw, chunk[i]))
			continue;
		any = 1;
		if (proof_of(chunk[i])->probe)
			cw_probe_begin(cw, chunk[i]);
	}
	return any;
}

static int chunk_release(struct cw *cw, size_t count)
{
	int r = probes_begin(cw, count), drained;

	if (r == 0)
		return 0;
	r = chunk_condemn(cw, count, true);
	if (r == 0) {
		chunk_pass(cw, count, false);
		if (cw->kernel.releases)
			chunk_pass(cw, count, true);
	}
	drained = chunk_drain(cw);
	r = r < 0 ? r : drained;
	for (size_t i = 0; i < count; i++) {
		if (!by_iterator(cw, chunk[i]))
			continue;
		if (chunk[i]->outcome == GB_PENDING && r < 0)
			cw_item_set(chunk[i], GB_FAILED, r, "the condemned cannot be told to the kernel");
		else if (chunk[i]->outcome == GB_PENDING)
			outcome_set(cw, chunk[i]);
		if (proof_of(chunk[i])->probe && chunk[i]->outcome != GB_DEFERRED)
			cw_probe_abort(cw, chunk[i]);
	}
	cw->host->wake_at(cw->host, cw_agenda_next(&cw->agenda, UINT64_MAX));
	return r;
}

int cw_reap(struct cw *cw, struct gb_reap *reap)
{
	size_t count = chunk_fill(reap);
	int r;

	qsort(chunk, count, sizeof(chunk[0]), netns_compare);
	r = chunk_holders_check(cw, count);
	for (size_t i = 0; i < count && r == 0; i++)
		if (chunk[i]->outcome == GB_PENDING && proof_of(chunk[i])->probe && !cw->kernel.acts)
			cw_probe_by_duplicate(cw, chunk[i]);
		else if (chunk[i]->outcome == GB_PENDING && !proof_of(chunk[i])->probe &&
			 strcmp(chunk[i]->action, "shutdown") == 0)
			cw_release_by_shutdown(cw, chunk[i]);
	if (r == 0 && cw->kernel.acts)
		chunk_release(cw, count);
	if (r == 0 && !cw->kernel.releases)
		cw_release_by_diag(cw, chunk, count);
	for (size_t i = 0; i < count; i++) {
		if (chunk[i]->outcome == GB_PENDING)
			cw_item_set(chunk[i], GB_FAILED, r, "its holders cannot be looked at");
		known_settle(cw, chunk[i]);
	}
	for (uint32_t i = 0; i < reap->count; i++)
		if (reap->items[i].outcome == GB_PENDING)
			return GB_MORE;
	return GB_DONE;
}
