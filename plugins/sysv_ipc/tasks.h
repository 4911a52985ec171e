/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over all tasks: the namespaces that have objects, and who is asleep on which. */
#ifndef SYSV_IPC_TASKS_H
#define SYSV_IPC_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

struct sysv_namespace {
	uint32_t ipcns;
	int32_t pid; /* of a process in it */
	uint32_t in_use[SYSV_KINDS];
	uint32_t used_sems;
	uint64_t shm_pages;
};

struct sysv_blocked {
	uint32_t ipcns;
	uint32_t kind;
	int32_t id;
	int32_t tgid; /* of one of the sleepers */
};

struct sysv_tasks {
	int fd; /* -1: no pass under way */
	struct sysv_namespace *namespaces;
	size_t namespace_count, namespace_capacity;
	struct sysv_blocked *blocked; /* sorted, when complete */
	size_t blocked_count, blocked_capacity;
};

int sysv_tasks_begin(struct sysv_tasks *tasks, const struct sysv_kernel *kernel);

/* 1 at `until_ns`, 0 when complete, -errno. */
int sysv_tasks_read(struct sysv_tasks *tasks, uint64_t until_ns);

/* A process with a task that sleeps on the object, or that is paused and may (where that cannot be told); 0: none. */
int32_t sysv_tasks_blocked(const struct sysv_tasks *tasks, uint32_t ipcns, uint32_t kind, int32_t id);
void sysv_tasks_fini(struct sysv_tasks *tasks);

#endif
