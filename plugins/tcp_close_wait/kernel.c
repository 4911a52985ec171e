/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/bpf.h>

#include "ends.h"
#include "iterator.h"
#include "load.h"
#include "map.h"
#include "map_queue.h"
#include "tcp_close_wait.skel.h"

/* The forms in which the programs may load, the best first. */
struct form {
	bool looks, acts;
};

static const struct form forms[] = {
	{.looks = true, .acts = true},   /* 5.15: iter/tcp under the socket's lock; from 6.5 with bpf_sock_destroy() */
	{.looks = true, .acts = false},  /* 5.12: bpf_get_socket_cookie() in tracing, bpf_sock_from_file() */
	{.looks = false, .acts = false}, /* 5.8 */
};

static uint64_t tick_read(void)
{
	struct timespec tick;

	/* The coarse clock advances once a jiffy. */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec || !tick.tv_nsec)
		return 10000000;
	return (uint64_t)tick.tv_nsec;
}

static int form_load(const struct form *form, const struct cw_kernel *kernel, uint32_t max_tracked,
		     struct tcp_close_wait_bpf **ret_skel)
{
	struct tcp_close_wait_bpf *skel = tcp_close_wait_bpf__open();
	int r;

	if (!skel)
		return -errno;
	skel->rodata->has_cookie = form->looks;
	skel->rodata->has_sock_from_file = form->looks;
	skel->rodata->tick_ns = kernel->tick_ns;
	skel->rodata->slack_ns = kernel->slack_ns;
	bpf_program__set_autoload(skel->progs.close_wait_look, form->looks);
	bpf_program__set_autoload(skel->progs.close_wait_release, form->acts);
	bpf_map__set_max_entries(skel->maps.suspects, max_tracked);
	bpf_map__set_max_entries(skel->maps.condemned, kernel->condemned_max);
	bpf_map__set_max_entries(skel->maps.wanted_inodes, form->looks ? 1 : max_tracked + CW_RELEASED_MAX);
	bpf_map__set_max_entries(skel->maps.released, form->looks ? CW_RELEASED_MAX : 1);
	r = tcp_close_wait_bpf__load(skel);
	if (r < 0) {
		tcp_close_wait_bpf__destroy(skel);
		return r;
	}
	*ret_skel = skel;
	return 0;
}

static bool form_suits(const struct form *form, enum cw_method method, bool sock_destroy)
{
	if (method == CW_METHOD_ITERATOR)
		return form->acts && sock_destroy;
	if (method ==
	    CW_METHOD_SOCK_DIAG) /* as on a kernel without these: nothing but the tracepoint and the inode numbers */
		return !form->looks;
	return true;
}

int cw_kernel_open(struct cw_kernel *kernel, enum cw_method method, uint32_t max_tracked, char *ret_why,
		   size_t why_size)
{
	libbpf_print_fn_t printer = last_words_begin();
	struct cw_kernel opened = {.tick_ns = tick_read(),
				   .condemned_max = max_tracked < CW_CONDEMNED_MAX ? max_tracked : CW_CONDEMNED_MAX};
	bool sock_destroy = kernel_btf_has("bpf_sock_destroy");
	const char *words;
	int r = -EOPNOTSUPP;

	opened.slack_ns = 2 * opened.tick_ns;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!form_suits(&forms[i], method, sock_destroy))
			continue;
		r = form_load(&forms[i], &opened, max_tracked, &opened.skel);
		if (r == 0) {
			opened.looks = forms[i].looks;
			opened.acts = forms[i].acts;
			opened.releases = forms[i].acts && sock_destroy;
			break;
		}
	}
	if (r == 0) {
		r = tcp_close_wait_bpf__attach(opened.skel);
		if (r < 0)
			tcp_close_wait_bpf__destroy(opened.skel);
	}
	words = last_words_end(printer);
	if (r < 0)
		snprintf(ret_why, why_size, "%s", words);
	else
		*kernel = opened;
	return r;
}

/* Inode numbers that are not told yet: all of them are before the next pass that asks. One thread, never re-entered. */
static struct map_queue inodes;

static void inode_put(const struct cw_kernel *kernel, bool want, uint32_t inode, uint8_t value)
{
	map_queue_put(&inodes, bpf_map__fd(kernel->skel->maps.wanted_inodes), want, inode, value);
}

void cw_kernel_close(struct cw_kernel *kernel)
{
	inodes.count = 0;
	tcp_close_wait_bpf__destroy(kernel->skel);
	*kernel = (struct cw_kernel){0};
}

#define WALK_BATCH 4096

int cw_kernel_walk(const struct cw_kernel *kernel, struct cw_cursor *cursor,
		   int (*fn)(const struct cw_entry *entry, void *arg), void *arg)
{
	static struct cw_suspect values[WALK_BATCH]; /* one thread, never re-entered */
	static uint64_t keys[WALK_BATCH];
	uint32_t count = WALK_BATCH;
	int map = bpf_map__fd(kernel->skel->maps.suspects), r = 0;
	/* -ENOENT says that this was the last batch; what it brought counts. */
	int end = bpf_map_lookup_batch(map, cursor->begun ? &cursor->position : NULL, &cursor->position, keys, values,
				       &count, NULL);

	if (end < 0 && end != -ENOENT)
		return end;
	cursor->begun = true;
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = fn(&(struct cw_entry){.sock = keys[i], .suspect = values[i]}, arg);
	return r < 0 ? r : end == 0;
}

int cw_kernel_find(const struct cw_kernel *kernel, uint64_t sock, struct cw_suspect *ret_suspect)
{
	return bpf_map_lookup_elem(bpf_map__fd(kernel->skel->maps.suspects), &sock, ret_suspect);
}

void cw_kernel_forget(const struct cw_kernel *kernel, uint64_t sock)
{
	bpf_map_delete_elem(bpf_map__fd(kernel->skel->maps.suspects), &sock);
}

uint64_t cw_kernel_missed(const struct cw_kernel *kernel)
{
	return __atomic_load_n(&kernel->skel->bss->missed, __ATOMIC_RELAXED);
}

uint64_t cw_kernel_unplaced(const struct cw_kernel *kernel)
{
	return __atomic_load_n(&kernel->skel->bss->unplaced, __ATOMIC_RELAXED);
}

uint64_t cw_kernel_recursion_misses(const struct cw_kernel *kernel)
{
	return program_misses(kernel->skel->progs.close_wait_track);
}

int cw_kernel_scope(const struct cw_kernel *kernel, bool scoped, const uint32_t *netns, size_t count)
{
	int map = bpf_map__fd(kernel->skel->maps.scope_netns), r = set_add(map, netns, count);

	if (r < 0)
		return r;
	kernel->skel->bss->scoped = scoped;
	set_keep(map, netns, count);
	return 0;
}

int cw_kernel_pass(const struct cw_kernel *kernel, enum cw_pass pass)
{
	switch (pass) {
	case CW_PASS_LOOK:
		return iterator_open(kernel->skel->links.close_wait_look);
	case CW_PASS_RELEASE:
		return iterator_open(kernel->skel->links.close_wait_release);
	case CW_PASS_HOLDERS:
		map_queue_flush(&inodes);
		return iterator_open(kernel->skel->links.close_wait_holders);
	}
	return -EINVAL;
}

void cw_kernel_tell_look(const struct cw_kernel *kernel, uint64_t timeout_ns, bool all)
{
	kernel->skel->bss->look_timeout_ns = timeout_ns;
	kernel->skel->bss->look_all = all;
}

void cw_kernel_tell_holders(const struct cw_kernel *kernel, uint64_t looked_since_ns, bool of_condemned)
{
	kernel->skel->bss->look_started_ns = looked_since_ns;
	kernel->skel->bss->holders_of_condemned = of_condemned;
}

void cw_kernel_tell_release(const struct cw_kernel *kernel, bool verify)
{
	kernel->skel->bss->verifying = verify;
}

int cw_kernel_probe_begin(const struct cw_kernel *kernel, uint64_t sock, uint64_t cookie)
{
	struct cw_probe probe = {.cookie = cookie};

	return bpf_map_update_elem(bpf_map__fd(kernel->skel->maps.probes), &sock, &probe, BPF_ANY);
}

int cw_kernel_probe_find(const struct cw_kernel *kernel, uint64_t sock, struct cw_probe *ret_probe)
{
	return bpf_map_lookup_elem(bpf_map__fd(kernel->skel->maps.probes), &sock, ret_probe);
}

void cw_kernel_probe_end(const struct cw_kernel *kernel, uint64_t sock)
{
	bpf_map_delete_elem(bpf_map__fd(kernel->skel->maps.probes), &sock);
}

void cw_kernel_tell_probe(const struct cw_kernel *kernel, bool probing, uint64_t interval_ns)
{
	kernel->skel->bss->probe_interval_s = (uint32_t)(interval_ns / 1000000000);
	kernel->skel->bss->probing = probing;
}

int cw_kernel_condemn(const struct cw_kernel *kernel, const uint64_t *socks, const struct cw_condemned *doomed,
		      uint32_t count)
{
	return bpf_map_update_batch(bpf_map__fd(kernel->skel->maps.condemned), socks, doomed, &count, NULL);
}

void cw_kernel_pardon(const struct cw_kernel *kernel, uint64_t sock)
{
	bpf_map_delete_elem(bpf_map__fd(kernel->skel->maps.condemned), &sock);
}

int cw_kernel_drain(const struct cw_kernel *kernel, struct cw_cursor *cursor, struct cw_sentence *ret_sentences,
		    uint32_t *ret_count)
{
	static uint64_t keys[CW_DRAIN_MAX]; /* one thread, never re-entered */
	static struct cw_condemned values[CW_DRAIN_MAX];
	int map = bpf_map__fd(kernel->skel->maps.condemned);
	uint32_t count = CW_DRAIN_MAX;
	/* -ENOENT says that this was the last batch; what it brought counts. */
	int end = bpf_map_lookup_and_delete_batch(map, cursor->begun ? &cursor->position : NULL, &cursor->position,
						  keys, values, &count, NULL);

	if (end < 0 && end != -ENOENT)
		return end;
	cursor->begun = true;
	for (uint32_t i = 0; i < count; i++)
		ret_sentences[i] = (struct cw_sentence){.sock = keys[i], .condemned = values[i]};
	*ret_count = count;
	return end == 0;
}

int cw_kernel_released_add(const struct cw_kernel *kernel, const uint64_t *socks, const uint64_t *cookies,
			   uint32_t *count)
{
	return bpf_map_update_batch(bpf_map__fd(kernel->skel->maps.released), socks, cookies, count, NULL);
}

void cw_kernel_released_remove(const struct cw_kernel *kernel, uint64_t sock, uint64_t cookie)
{
	int map = bpf_map__fd(kernel->skel->maps.released);
	uint64_t found;

	if (bpf_map_lookup_elem(map, &sock, &found) == 0 && found == cookie)
		bpf_map_delete_elem(map, &sock);
}

void cw_kernel_tell_released(const struct cw_kernel *kernel, bool holders_of_released)
{
	kernel->skel->bss->holders_of_released = holders_of_released;
}

int cw_kernel_ended(const struct cw_kernel *kernel, int32_t pid, uint64_t start_ticks, int32_t *ret_status)
{
	return ends_find(bpf_map__fd(kernel->skel->maps.process_ends), pid, start_ticks, ret_status);
}

void cw_kernel_want_inode(const struct cw_kernel *kernel, uint32_t inode)
{
	inode_put(kernel, true, inode, CW_WANTED_SUSPECT);
}

void cw_kernel_want_dead_inode(const struct cw_kernel *kernel, uint32_t inode)
{
	inode_put(kernel, true, inode, CW_WANTED_DEAD);
}

void cw_kernel_unwant_inode(const struct cw_kernel *kernel, uint32_t inode)
{
	inode_put(kernel, false, inode, 0);
}
