/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "iterator.h"
#include "load.h"
#include "map.h"
#include "sysv_ipc.skel.h"

/* The forms in which the programs may load, the best first. */
struct form {
	bool users, blocked;
};

static const struct form forms[] = {
	{.users = true, .blocked = true},   /* 5.15: bpf_task_pt_regs() */
	{.users = true, .blocked = false},  /* 5.8 */
	{.users = false, .blocked = true},  /* lockdown=confidentiality: no bpf_probe_read_kernel() */
	{.users = false, .blocked = false}, /* the same, before 5.15 */
};

static int form_load(const struct form *form, struct sysv_ipc_bpf **ret_skel)
{
	struct sysv_ipc_bpf *skel = sysv_ipc_bpf__open();
	int r;

	if (!skel)
		return -errno;
	skel->rodata->has_pt_regs = form->blocked;
	bpf_program__set_autoload(skel->progs.sysv_objects, form->users);
	bpf_program__set_autoload(skel->progs.sysv_exit, form->users);
	bpf_program__set_autoload(skel->progs.sysv_unmap, form->users && kernel_btf_has("btf_trace_exit_mmap"));
	r = sysv_ipc_bpf__load(skel);
	if (r < 0) {
		sysv_ipc_bpf__destroy(skel);
		return r;
	}
	*ret_skel = skel;
	return 0;
}

static size_t queries_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (SYSV_QUERIES * sizeof(struct sysv_query) + page - 1) / page * page;
}

static int objects_attach(struct sysv_kernel *kernel)
{
	struct sysv_ipc_bpf *skel = kernel->skel;
	void *memory =
		mmap(NULL, queries_size(), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.queries), 0);

	if (memory == MAP_FAILED)
		return -errno;
	kernel->queries = memory;
	skel->links.sysv_objects = bpf_program__attach_iter(skel->progs.sysv_objects, NULL);
	return skel->links.sysv_objects ? 0 : -errno;
}

static int attach(struct sysv_kernel *kernel)
{
	struct sysv_ipc_bpf *skel = kernel->skel;

	skel->links.sysv_tasks = bpf_program__attach_iter(skel->progs.sysv_tasks, NULL);
	if (!skel->links.sysv_tasks)
		return -errno;
	if (!kernel->users)
		return 0;
	skel->links.sysv_exit = bpf_program__attach(skel->progs.sysv_exit);
	if (!skel->links.sysv_exit)
		return -errno;
	if (bpf_program__autoload(skel->progs.sysv_unmap)) {
		skel->links.sysv_unmap = bpf_program__attach(skel->progs.sysv_unmap);
		if (!skel->links.sysv_unmap)
			return -errno;
	}
	return objects_attach(kernel);
}

int sysv_kernel_open(struct sysv_kernel *kernel, char *ret_why, size_t why_size)
{
	libbpf_print_fn_t printer = last_words_begin();
	struct sysv_kernel opened = {0};
	const char *words;
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]) && r < 0; i++) {
		r = form_load(&forms[i], &opened.skel);
		opened.users = forms[i].users;
		opened.blocked = forms[i].blocked;
	}
	if (r == 0) {
		r = attach(&opened);
		if (r < 0)
			sysv_kernel_close(&opened);
	}
	words = last_words_end(printer);
	if (r < 0)
		snprintf(ret_why, why_size, "%s", words);
	else
		*kernel = opened;
	return r;
}

void sysv_kernel_close(struct sysv_kernel *kernel)
{
	if (kernel->queries)
		munmap(kernel->queries, queries_size());
	sysv_ipc_bpf__destroy(kernel->skel);
	*kernel = (struct sysv_kernel){0};
}

int sysv_kernel_scope(const struct sysv_kernel *kernel, bool scoped, const uint32_t *ipcns, size_t count)
{
	int map = bpf_map__fd(kernel->skel->maps.scope_ipcns), r = set_add(map, ipcns, count);

	if (r < 0)
		return r;
	kernel->skel->bss->scoped = scoped;
	set_keep(map, ipcns, count);
	return 0;
}

static bool is_of_pass(const void *key, const void *elder, void *pass)
{
	(void)key;
	return ((const struct sysv_elder *)elder)->pass == *(const uint32_t *)pass;
}

/* With an entry of an earlier pass for each user of each namespace that there ever was, a full map would stay full. */
static void elders_prune(const struct sysv_kernel *kernel)
{
	map_prune(bpf_map__fd(kernel->skel->maps.elders), sizeof(struct sysv_elder), is_of_pass,
		  &kernel->skel->bss->pass);
}

int sysv_kernel_tasks(const struct sysv_kernel *kernel)
{
	if (kernel->skel->bss->elders_full)
		elders_prune(kernel);
	kernel->skel->bss->elders_full = 0;
	kernel->skel->bss->pass++;
	return iterator_open(kernel->skel->links.sysv_tasks);
}

void sysv_kernel_clock(const struct sysv_kernel *kernel, uint64_t wall_offset_ns)
{
	kernel->skel->bss->wall_offset_ns = wall_offset_ns;
}

bool sysv_kernel_elder(const struct sysv_kernel *kernel, uint32_t ipcns, uint32_t uid, uint64_t *ret_start_ns)
{
	struct sysv_elder_key key = {.ipcns = ipcns, .uid = uid};
	struct sysv_elder elder;

	if (kernel->skel->bss->elders_full) {
		*ret_start_ns = 0;
		return true;
	}
	if (bpf_map_lookup_elem(bpf_map__fd(kernel->skel->maps.elders), &key, &elder) < 0 ||
	    elder.pass != kernel->skel->bss->pass)
		return false;
	*ret_start_ns = elder.start_ns;
	return true;
}

/* It writes nothing: what it found is in the map of queries. */
static int nothing_take(const void *record, void *arg)
{
	(void)record;
	(void)arg;
	return -EPROTO;
}

int sysv_kernel_answer(const struct sysv_kernel *kernel, uint32_t count)
{
	int fd, r;

	if (!kernel->users)
		return 0;
	kernel->skel->bss->query_count = count;
	fd = iterator_open(kernel->skel->links.sysv_objects);
	if (fd < 0)
		return fd;
	r = iterator_read(fd, 1, UINT64_MAX, nothing_take, NULL);
	close(fd);
	return r;
}

int sysv_kernel_departed(const struct sysv_kernel *kernel, uint64_t pid, struct sysv_departed *ret_departed)
{
	return bpf_map_lookup_elem(bpf_map__fd(kernel->skel->maps.departed), &pid, ret_departed);
}

void sysv_kernel_departed_prune(const struct sysv_kernel *kernel,
				bool (*keep)(const void *pid, const void *departed, void *arg), void *arg)
{
	map_prune(bpf_map__fd(kernel->skel->maps.departed), sizeof(struct sysv_departed), keep, arg);
}

int sysv_kernel_creator_take(const struct sysv_kernel *kernel, const struct sysv_creator_key *key,
			     struct sysv_creator *ret_creator)
{
	int map = bpf_map__fd(kernel->skel->maps.creators), r = bpf_map_lookup_elem(map, key, ret_creator);

	if (r == 0)
		bpf_map_delete_elem(map, key);
	return r;
}

static bool ended_since(const void *key, const void *creator, void *before_ns)
{
	(void)key;
	return ((const struct sysv_creator *)creator)->gone.ended_ns >= *(const uint64_t *)before_ns;
}

void sysv_kernel_creators_prune(const struct sysv_kernel *kernel, uint64_t before_ns)
{
	map_prune(bpf_map__fd(kernel->skel->maps.creators), sizeof(struct sysv_creator), ended_since, &before_ns);
}

uint64_t sysv_kernel_missed(const struct sysv_kernel *kernel)
{
	return __atomic_load_n(&kernel->skel->bss->missed, __ATOMIC_RELAXED) +
	       (kernel->users ? program_misses(kernel->skel->progs.sysv_exit) : 0);
}
