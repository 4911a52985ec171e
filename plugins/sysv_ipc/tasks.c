/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "iterator.h"

int sysv_tasks_begin(struct sysv_tasks *tasks, const struct sysv_kernel *kernel)
{
	int fd = sysv_kernel_tasks(kernel);

	if (fd < 0)
		return fd;
	if (tasks->fd >= 0)
		close(tasks->fd);
	tasks->fd = fd;
	tasks->namespace_count = tasks->blocked_count = 0;
	return 0;
}

static int sighting_take(const void *record, void *arg)
{
	const struct sysv_sighting *seen = record;
	struct sysv_tasks *tasks = arg;
	int r = 0;

	if (seen->flags & SYSV_NAMESPACE)
		r = array_room(&tasks->namespaces, &tasks->namespace_capacity, tasks->namespace_count,
			       sizeof(*tasks->namespaces));
	if (r == 0 && seen->flags & SYSV_BLOCKED)
		r = array_room(&tasks->blocked, &tasks->blocked_capacity, tasks->blocked_count,
			       sizeof(*tasks->blocked));
	if (r < 0)
		return r;
	if (seen->flags & SYSV_NAMESPACE) {
		struct sysv_namespace *ns = &tasks->namespaces[tasks->namespace_count++];

		*ns = (struct sysv_namespace){.ipcns = seen->ipcns,
					      .pid = seen->tgid,
					      .used_sems = seen->used_sems,
					      .shm_pages = seen->shm_pages};
		memcpy(ns->in_use, seen->in_use, sizeof(ns->in_use));
	}
	if (seen->flags & SYSV_BLOCKED)
		tasks->blocked[tasks->blocked_count++] = (struct sysv_blocked){
			.ipcns = seen->ipcns, .kind = seen->kind, .id = seen->id, .tgid = seen->tgid};
	return 0;
}

static int blocked_compare(const void *a, const void *b)
{
	const struct sysv_blocked *x = a, *y = b;

	if (x->ipcns != y->ipcns)
		return x->ipcns < y->ipcns ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

int sysv_tasks_read(struct sysv_tasks *tasks, uint64_t until_ns)
{
	int r = iterator_read(tasks->fd, sizeof(struct sysv_sighting), until_ns, sighting_take, tasks);

	if (r == 1)
		return r;
	close(tasks->fd);
	tasks->fd = -1;
	if (r == 0 && tasks->blocked_count)
		qsort(tasks->blocked, tasks->blocked_count, sizeof(*tasks->blocked), blocked_compare);
	return r;
}

static int32_t blocked_find(const struct sysv_tasks *tasks, const struct sysv_blocked *key)
{
	const struct sysv_blocked *found = NULL;

	if (tasks->blocked_count)
		found = bsearch(key, tasks->blocked, tasks->blocked_count, sizeof(*key), blocked_compare);
	return found ? found->tgid : 0;
}

int32_t sysv_tasks_blocked(const struct sysv_tasks *tasks, uint32_t ipcns, uint32_t kind, int32_t id)
{
	int32_t tgid = blocked_find(tasks, &(struct sysv_blocked){.ipcns = ipcns, .kind = kind, .id = id});

	if (!tgid && kind != SYSV_SHM)
		tgid = blocked_find(tasks, &(struct sysv_blocked){.ipcns = ipcns, .kind = SYSV_KINDS, .id = -1});
	return tgid;
}

void sysv_tasks_fini(struct sysv_tasks *tasks)
{
	if (tasks->fd >= 0)
		close(tasks->fd);
	free(tasks->namespaces);
	free(tasks->blocked);
	*tasks = (struct sysv_tasks){.fd = -1};
}
