/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releasing where the kernel cannot judge and destroy in one step: each exact socket is read again right before a
 * SOCK_DESTROY with its cookie. Between the two the application may close with data unsent, which is then lost; nothing in
 * user space can close that window, so it is kept as short as a batch.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cw.h"

#define BATCH 64

struct batch {
	struct gb_reap_item *items[BATCH];
	struct cw_diag_ask asks[BATCH];
	size_t count;
};

static int diag_open(void *arg)
{
	(void)arg;
	return cw_diag_open();
}

static void batch_add(struct batch *batch, struct gb_reap_item *item)
{
	const struct cw_proof *proof = item->proof;

	batch->items[batch->count] = item;
	batch->asks[batch->count++] = (struct cw_diag_ask){.tuple = &proof->tuple, .cookie = proof->cookie};
}

/* The age by what the tracepoint saw, else by the silence, as when it was first looked at. */
static uint64_t age_of(const struct cw *cw, const struct cw_proof *proof, const struct cw_observation *seen)
{
	struct cw_suspect suspect;

	if (proof->sock && cw_kernel_find(&cw->kernel, proof->sock, &suspect) == 0)
		return cw_now(cw) - suspect.since_ns;
	return seen->silence_ns;
}

/* Keeps in the batch what still deserves it. */
static void batch_judge(const struct cw *cw, struct batch *batch)
{
	size_t kept = 0;

	for (size_t i = 0; i < batch->count; i++) {
		struct gb_reap_item *item = batch->items[i];
		struct cw_diag_ask *ask = &batch->asks[i];
		const struct cw_proof *proof = item->proof;
		enum cw_verdict verdict;

		if (ask->error == -ENOENT) {
			cw_item_set(item, GB_HEALED, 0, NULL);
			continue;
		}
		if (ask->error < 0) {
			cw_item_set(item, GB_FAILED, ask->error, "sock_diag");
			continue;
		}
		ask->seen.age_ns = age_of(cw, proof, &ask->seen);
		verdict = cw_judge(&ask->seen, proof->timeout_ns, cw->kernel.slack_ns);
		if (verdict == CW_LEFT)
			cw_item_set(item, GB_HEALED, 0, NULL);
		else if (verdict != CW_GHOST)
			cw_item_set(item, GB_SPARED, 0, cw_verdict_reason(verdict));
		else
			batch->items[kept] = item, batch->asks[kept++] = *ask;
	}
	batch->count = kept;
}

static const char *destroy_detail(int error)
{
	return error == -EOPNOTSUPP ? "this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)" : "SOCK_DESTROY";
}

static void batch_destroyed(struct batch *batch)
{
	size_t kept = 0;

	for (size_t i = 0; i < batch->count; i++) {
		if (batch->asks[i].error == -ENOENT)
			cw_item_set(batch->items[i], GB_HEALED, 0, NULL);
		else if (batch->asks[i].error < 0)
			cw_item_set(batch->items[i], GB_FAILED, batch->asks[i].error,
				    destroy_detail(batch->asks[i].error));
		else
			batch->items[kept] = batch->items[i], batch->asks[kept++] = batch->asks[i];
	}
	batch->count = kept;
}

static void batch_verify(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->asks[i].error == -ENOENT)
			cw_item_set(batch->items[i], GB_REAPED, 0, NULL);
		else
			cw_item_set(batch->items[i], GB_FAILED,
				    batch->asks[i].error < 0 ? batch->asks[i].error : -EBUSY,
				    "still there after SOCK_DESTROY");
	}
	batch->count = 0;
}

static void batch_release(const struct cw *cw, int fd, struct batch *batch)
{
	int r = cw_diag_get(fd, cw->kernel.tick_ns, batch->asks, batch->count);

	if (r == 0) {
		batch_judge(cw, batch);
		r = cw_diag_destroy(fd, batch->asks, batch->count);
	}
	if (r == 0) {
		batch_destroyed(batch);
		r = cw_diag_get(fd, cw->kernel.tick_ns, batch->asks, batch->count);
	}
	if (r == 0)
		batch_verify(batch);
	for (size_t i = 0; i < batch->count; i++)
		cw_item_set(batch->items[i], GB_FAILED, r, "sock_diag");
	batch->count = 0;
}

size_t cw_release_by_diag(struct cw *cw, struct gb_reap_item **items, size_t count, uint64_t until_ns)
{
	const struct cw_proof *proof = items[0]->proof;
	struct gb_ns ns = {.kind = GB_NS_NET, .pid = proof->pid, .inode = proof->tuple.netns, .socket_fd = proof->fd};
	int fd = cw->host->ns_run(cw->host, &ns, diag_open, NULL);
	struct batch batch = {.count = 0};
	size_t done = 0;

	while (done < count) {
		struct gb_reap_item *item = items[done++];

		if (item->outcome != GB_PENDING || cw_by_iterator(cw, item))
			continue;
		if (fd == -ESRCH)
			cw_item_set(item, GB_HEALED, 0, NULL); /* the namespace died, and its sockets with it */
		else if (fd < 0)
			cw_item_set(item, GB_FAILED, fd, "its network namespace cannot be entered");
		else
			batch_add(&batch, item);
		if (batch.count < BATCH)
			continue;
		batch_release(cw, fd, &batch);
		if (cw_now(cw) >= until_ns)
			break;
	}
	if (batch.count)
		batch_release(cw, fd, &batch);
	if (fd >= 0)
		close(fd);
	return done;
}
