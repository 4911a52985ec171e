/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flock.skel.h"
#include "iterator.h"
#include "load.h"

/* The forms in which the programs may load, the best first. */
struct form {
	bool walks, maps, task_btf;
};

static const struct form forms[] = {
	{.walks = true, .maps = true, .task_btf = true},   /* 5.13: iter/task_vma */
	{.walks = true, .maps = false, .task_btf = true},  /* 5.11: bpf_get_current_task_btf() */
	{.walks = true, .maps = false, .task_btf = false}, /* 5.8 */
	{.walks = false, .maps = true, .task_btf = true},  /* lockdown=confidentiality: no bpf_probe_read_kernel() */
	{.walks = false, .maps = false, .task_btf = true},
};

static int form_load(const struct form *form, bool can_stay, uint32_t buckets, struct flock_bpf **ret_skel)
{
	struct flock_bpf *skel = flock_bpf__open();
	int r;

	if (!skel)
		return -errno;
	skel->rodata->has_task_btf = form->task_btf;
	skel->rodata->can_walk = form->walks;
	skel->rodata->can_stay = can_stay;
	skel->rodata->bucket_mask = buckets - 1;
	bpf_program__set_autoload(skel->progs.flock_mappings, form->maps);
	bpf_map__set_max_entries(skel->maps.acquisitions, buckets);
	r = flock_bpf__load(skel);
	if (r < 0) {
		flock_bpf__destroy(skel);
		return r;
	}
	*ret_skel = skel;
	return 0;
}

static uint32_t buckets_for(uint32_t max_tracked)
{
	uint32_t buckets = 1;

	while (buckets * FL_WAYS < max_tracked)
		buckets *= 2;
	return buckets;
}

int fl_kernel_open(struct fl_kernel *kernel, uint32_t max_tracked, char *ret_why, size_t why_size)
{
	libbpf_print_fn_t printer = last_words_begin();
	bool can_stay = kernel_btf_has("bpf_preempt_disable");
	uint32_t buckets = buckets_for(max_tracked);
	struct fl_kernel opened = {.bucket_mask = buckets - 1};
	const char *words;
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		r = form_load(&forms[i], can_stay, buckets, &opened.skel);
		if (r == 0) {
			opened.walks = forms[i].walks;
			opened.maps = forms[i].maps;
			break;
		}
	}
	if (r == 0) {
		r = flock_bpf__attach(opened.skel);
		if (r < 0)
			flock_bpf__destroy(opened.skel);
	}
	words = last_words_end(printer);
	if (r < 0)
		snprintf(ret_why, why_size, "%s", words);
	else
		*kernel = opened;
	return r;
}

void fl_kernel_close(struct fl_kernel *kernel)
{
	flock_bpf__destroy(kernel->skel);
	*kernel = (struct fl_kernel){0};
}

int fl_kernel_pass(const struct fl_kernel *kernel, enum fl_pass pass)
{
	struct bpf_link *link =
		pass == FL_PASS_MAPPINGS ? kernel->skel->links.flock_mappings : kernel->skel->links.flock_look;

	kernel->skel->bss->surveying = pass == FL_PASS_SURVEY;
	kernel->skel->bss->look_number++;
	return iterator_open(link);
}

int fl_kernel_want(const struct fl_kernel *kernel, const struct fl_inode *inode)
{
	uint32_t never = 0;

	/* Look numbers begin at 1. */
	return bpf_map_update_elem(bpf_map__fd(kernel->skel->maps.wanted), inode, &never, BPF_ANY);
}

void fl_kernel_unwant(const struct fl_kernel *kernel, const struct fl_inode *inode)
{
	bpf_map_delete_elem(bpf_map__fd(kernel->skel->maps.wanted), inode);
}

int fl_kernel_waits(const struct fl_kernel *kernel, int (*fn)(const struct fl_wait_entry *entry, void *arg), void *arg)
{
	int map = bpf_map__fd(kernel->skel->maps.waits);
	uint32_t most = 2 * bpf_map__max_entries(kernel->skel->maps.waits), walked = 0;
	struct fl_wait_key next;
	struct fl_wait_entry entry;
	int end = bpf_map_get_next_key(map, NULL, &next), r = 0;

	/* Bounded: a map that changes under the walk may begin again. */
	while (end == 0 && r == 0 && walked++ < most) {
		entry.key = next;
		end = bpf_map_get_next_key(map, &entry.key, &next);
		if (bpf_map_lookup_elem(map, &entry.key, &entry.wait) == 0)
			r = fn(&entry, arg);
	}
	return r;
}

void fl_kernel_wait_forget(const struct fl_kernel *kernel, const struct fl_wait_entry *entry)
{
	int map = bpf_map__fd(kernel->skel->maps.waits);
	struct fl_wait now;

	if (bpf_map_lookup_elem(map, &entry->key, &now) < 0 || now.last_ns != entry->wait.last_ns)
		return;
	if (bpf_map_delete_elem(map, &entry->key) == 0 && entry->key.tid != FL_REFUSED)
		__atomic_fetch_sub(&kernel->skel->bss->live_waits, 1, __ATOMIC_RELAXED);
}

int fl_kernel_acquisition(const struct fl_kernel *kernel, uint64_t inode, uint32_t dev, uint64_t file,
			  enum fl_kind kind, struct fl_slot *ret_slot)
{
	uint32_t index = fl_bucket_of(inode, dev, kernel->bucket_mask);
	struct fl_bucket bucket;
	int r = bpf_map_lookup_elem(bpf_map__fd(kernel->skel->maps.acquisitions), &index, &bucket);

	if (r < 0)
		return r;
	for (int i = 0; i < FL_WAYS; i++) {
		const struct fl_slot *slot = &bucket.slots[i];

		if (slot->file != file || slot->kind != kind)
			continue;
		if (!fl_slot_whole(slot))
			return -ENOENT;
		*ret_slot = *slot;
		return 0;
	}
	return -ENOENT;
}

uint64_t fl_kernel_missed(const struct fl_kernel *kernel)
{
	return __atomic_load_n(&kernel->skel->bss->missed, __ATOMIC_RELAXED);
}

uint64_t fl_kernel_missed_waits(const struct fl_kernel *kernel)
{
	return __atomic_load_n(&kernel->skel->bss->missed_waits, __ATOMIC_RELAXED);
}

uint64_t fl_kernel_recursion_misses(const struct fl_kernel *kernel)
{
	return program_misses(kernel->skel->progs.flock_track) + program_misses(kernel->skel->progs.posix_track);
}
