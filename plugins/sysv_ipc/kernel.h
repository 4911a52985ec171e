/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF side: loaded in the best form that this kernel takes, found by trying. */
#ifndef SYSV_IPC_KERNEL_H
#define SYSV_IPC_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sysv_ipc.h"

struct sysv_ipc_bpf;
struct bpf_link;

struct sysv_kernel {
	struct sysv_ipc_bpf *skel;
	struct sysv_query *queries; /* the map itself: SYSV_QUERIES of them */
	bool users;                 /* reads whose an object is and who sleeps on it; else nothing may be removed */
	bool blocked;               /* sees, too, who was stopped while it slept */
};

/* As bpf(2), with libbpf's last words in `ret_why`. */
int sysv_kernel_open(struct sysv_kernel *kernel, char *ret_why, size_t why_size);
void sysv_kernel_close(struct sysv_kernel *kernel);

/* Replaces the set of namespaces in scope; count 0 with scoped: none. */
int sysv_kernel_scope(const struct sysv_kernel *kernel, bool scoped, const uint32_t *ipcns, size_t count);

/* Begins a pass over all tasks: a descriptor to read struct sysv_sighting from. */
int sysv_kernel_tasks(const struct sysv_kernel *kernel);

/* The wall clock less CLOCK_BOOTTIME, by which the kernel's times are compared with the processes'. */
void sysv_kernel_clock(const struct sysv_kernel *kernel, uint64_t wall_offset_ns);

/*
 * Since when, by CLOCK_BOOTTIME, the oldest process of this user in the namespace runs; false: there is none. 0 when not all
 * were counted: somebody may be as old as that.
 */
bool sysv_kernel_elder(const struct sysv_kernel *kernel, uint32_t ipcns, uint32_t uid, uint64_t *ret_start_ns);

/* Answers the first `count` of kernel->queries. Runs on a thread inside of their namespace. */
int sysv_kernel_answer(const struct sysv_kernel *kernel, uint32_t count);

int sysv_kernel_departed(const struct sysv_kernel *kernel, uint64_t pid, struct sysv_departed *ret_departed);

/* Forgets those for whom `keep`, which gets a uint64_t and a struct sysv_departed, says no. */
void sysv_kernel_departed_prune(const struct sysv_kernel *kernel,
				bool (*keep)(const void *pid, const void *departed, void *arg), void *arg);

/* Who may have made a set or a queue and has ended since; the kernel's side forgets it. -ENOENT. */
int sysv_kernel_creator_take(const struct sysv_kernel *kernel, const struct sysv_creator_key *key,
			     struct sysv_creator *ret_creator);

/* Forgets those that ended before: what they made was looked at since, or is gone. */
void sysv_kernel_creators_prune(const struct sysv_kernel *kernel, uint64_t before_ns);

/* Processes that ended and were not noted: no room, or another one ended in the midst of that. */
uint64_t sysv_kernel_missed(const struct sysv_kernel *kernel);

#endif
