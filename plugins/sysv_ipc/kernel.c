/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "sysv_ipc.skel.h"

/* The forms in which the programs may load, the best first. */
struct form {
	bool users, blocked;
};

static const struct form forms[] = {
	{.users = true, .blocked = true},   /* 5.15: bpf_task_pt_regs() */
	{.users = true, .blocked = false},  /* 5.9: iter/bpf_map_elem */
	{.users = false, .blocked = true},  /* lockdown=confidentiality: no bpf_probe_read_kernel() */
	{.users = false, .blocked = false}, /* 5.8 */
};

static char last_words[512];

/* libbpf prints pages while a form is tried that the kernel refuses; the last line is what a person may need. */
static int last_words_keep(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_words, sizeof(last_words), format, args);
		last_words[strcspn(last_words, "\n")] = 0;
	}
	return 0;
}

static int form_load(const struct form *form, struct sysv_ipc_bpf **ret_skel)
{
	struct sysv_ipc_bpf *skel = sysv_ipc_bpf__open();
	int r;

	if (!skel)
		return -errno;
	skel->rodata->has_pt_regs = form->blocked;
	bpf_program__set_autoload(skel->progs.sysv_objects, form->users);
	bpf_program__set_autoload(skel->progs.sysv_exit, form->users);
	bpf_program__set_autoload(skel->progs.sysv_unmap,
				  form->users && libbpf_find_vmlinux_btf_id("exit_mmap", BPF_TRACE_RAW_TP) > 0);
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

/* The iterator over the queries is attached by hand: it is told which map. */
static int objects_attach(struct sysv_kernel *kernel)
{
	int map = bpf_map__fd(kernel->skel->maps.queries);
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)map};
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	void *memory;

	memory = mmap(NULL, queries_size(), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (memory == MAP_FAILED)
		return -errno;
	kernel->queries = memory;
	kernel->objects = bpf_program__attach_iter(kernel->skel->progs.sysv_objects, &options);
	return kernel->objects ? 0 : -errno;
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
	libbpf_print_fn_t printer = libbpf_set_print(last_words_keep);
	struct sysv_kernel opened = {0};
	int r = -EOPNOTSUPP;

	last_words[0] = 0;
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
	libbpf_set_print(printer);
	if (r < 0)
		snprintf(ret_why, why_size, "%s", last_words);
	else
		*kernel = opened;
	return r;
}

void sysv_kernel_close(struct sysv_kernel *kernel)
{
	bpf_link__destroy(kernel->objects);
	if (kernel->queries)
		munmap(kernel->queries, queries_size());
	sysv_ipc_bpf__destroy(kernel->skel);
	*kernel = (struct sysv_kernel){0};
}

int sysv_kernel_scope(const struct sysv_kernel *kernel, bool scoped, const uint32_t *ipcns, size_t count)
{
	int map = bpf_map__fd(kernel->skel->maps.scope_ipcns), r = 0;
	uint32_t key, next;
	uint8_t yes = 1;

	for (size_t i = 0; i < count && r == 0; i++)
		r = bpf_map_update_elem(map, &ipcns[i], &yes, BPF_ANY);
	if (r < 0)
		return r;
	kernel->skel->bss->scoped = scoped;
	for (int end = bpf_map_get_next_key(map, NULL, &next); end == 0;) {
		bool wanted = false;

		key = next;
		end = bpf_map_get_next_key(map, &key, &next);
		for (size_t i = 0; i < count; i++)
			wanted |= ipcns[i] == key;
		if (!wanted)
			bpf_map_delete_elem(map, &key);
	}
	return 0;
}

/* With an entry of an earlier pass for each user of each namespace that there ever was, a full map would stay full. */
static void elders_prune(const struct sysv_kernel *kernel)
{
	int map = bpf_map__fd(kernel->skel->maps.elders);
	struct sysv_elder_key key, next;
	struct sysv_elder elder;

	for (int end = bpf_map_get_next_key(map, NULL, &next); end == 0;) {
		key = next;
		end = bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_lookup_elem(map, &key, &elder) == 0 && elder.pass != kernel->skel->bss->pass)
			bpf_map_delete_elem(map, &key);
	}
}

int sysv_kernel_tasks(const struct sysv_kernel *kernel)
{
	int fd;

	if (kernel->skel->bss->elders_full)
		elders_prune(kernel);
	kernel->skel->bss->elders_full = 0;
	kernel->skel->bss->pass++;
	fd = bpf_iter_create(bpf_link__fd(kernel->skel->links.sysv_tasks));
	return fd < 0 ? -errno : fd;
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

int sysv_kernel_answer(const struct sysv_kernel *kernel)
{
	char nothing[64];
	int fd, r = 0;

	if (!kernel->users)
		return 0;
	fd = bpf_iter_create(bpf_link__fd(kernel->objects));
	if (fd < 0)
		return -errno;
	for (ssize_t got = 1; got; got = read(fd, nothing, sizeof(nothing)))
		if (got < 0 && errno != EAGAIN) {
			r = -errno;
			break;
		}
	close(fd);
	return r;
}

int sysv_kernel_departed(const struct sysv_kernel *kernel, uint64_t pid, struct sysv_departed *ret_departed)
{
	return bpf_map_lookup_elem(bpf_map__fd(kernel->skel->maps.departed), &pid, ret_departed);
}

void sysv_kernel_departed_prune(const struct sysv_kernel *kernel,
				bool (*keep)(uint64_t pid, const struct sysv_departed *departed, void *arg), void *arg)
{
	static struct sysv_departed departed; /* one thread, never re-entered */
	int map = bpf_map__fd(kernel->skel->maps.departed);
	uint64_t key, next;

	for (int end = bpf_map_get_next_key(map, NULL, &next); end == 0;) {
		key = next;
		end = bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_lookup_elem(map, &key, &departed) == 0 && !keep(key, &departed, arg))
			bpf_map_delete_elem(map, &key);
	}
}

int sysv_kernel_creator_take(const struct sysv_kernel *kernel, const struct sysv_creator_key *key,
			     struct sysv_creator *ret_creator)
{
	int map = bpf_map__fd(kernel->skel->maps.creators), r = bpf_map_lookup_elem(map, key, ret_creator);

	if (r == 0)
		bpf_map_delete_elem(map, key);
	return r;
}

void sysv_kernel_creators_prune(const struct sysv_kernel *kernel, uint64_t before_ns)
{
	static struct sysv_creator creator; /* one thread, never re-entered */
	int map = bpf_map__fd(kernel->skel->maps.creators);
	struct sysv_creator_key key, next;

	for (int end = bpf_map_get_next_key(map, NULL, &next); end == 0;) {
		key = next;
		end = bpf_map_get_next_key(map, &key, &next);
		if (bpf_map_lookup_elem(map, &key, &creator) == 0 && creator.gone.ended_ns < before_ns)
			bpf_map_delete_elem(map, &key);
	}
}

uint64_t sysv_kernel_missed(const struct sysv_kernel *kernel)
{
	return __atomic_load_n(&kernel->skel->bss->missed, __ATOMIC_RELAXED);
}
