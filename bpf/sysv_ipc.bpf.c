// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * sysv_ipc in the kernel: an iterator over the tasks that finds the IPC namespaces and who sleeps on what, an iterator over
 * the objects asked for that tells whose they are, and a tracepoint that remembers the users that end. User space is never
 * woken from here.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "sysv_ipc.h"

#define PIDTYPE_TGID 1
#define IDS_SEM 0 /* in ipc_namespace.ids */
#define IDS_MSG 1
#define IDS_SHM 2
#define XA_LEVELS 6
#define DEPARTED_MAX 8192
#define SIGNAL_STOP_STOPPED 0x00000001
#define PF_FROZEN 0x00010000 /* before 6.1 */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What the loader found the kernel to have. */
const volatile bool has_pt_regs; /* bpf_task_pt_regs(): 5.15 */

/* Told by user space before a pass. */
__u32 pass;
bool scoped;

/* Told to user space. */
__u64 missed; /* of `departed`: no room */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} namespaces SEC(".maps"); /* -> the pass that saw it last */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct sysv_elder_key);
	__type(value, struct sysv_elder);
} elders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SYSV_QUERIES);
	__type(key, __u32);
	__type(value, struct sysv_query);
} queries SEC(".maps");

/* By the address of the struct pid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DEPARTED_MAX);
	__type(key, __u64);
	__type(value, struct sysv_departed);
} departed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sysv_departed);
} scratch SEC(".maps");

/* IPC namespaces in scope; asked only when `scoped`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} scope_ipcns SEC(".maps");

static __always_inline bool ipcns_in_scope(__u32 ipcns)
{
	return !scoped || bpf_map_lookup_elem(&scope_ipcns, &ipcns);
}

/* ---- tasks -------------------------------------------------------------------------------------------------------- */

#if defined(__TARGET_ARCH_x86)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___x86 {
	unsigned long bx;
	unsigned long cx;
	unsigned long di;
	unsigned long orig_ax;
};

struct thread_info___x86 {
	unsigned int status;
};

struct task_struct___x86 {
	struct thread_info___x86 thread_info;
};

#pragma clang attribute pop

#define TS_COMPAT 0x0002
#define X32_SYSCALL 0x40000000

/* Which object a system call of the i386 personality may sleep on. */
static __always_inline bool blocked_compat(struct sysv_sighting *seen, struct pt_regs___x86 *regs)
{
	__u32 number = (__u32)regs->orig_ax, call = (__u32)regs->bx & 0xffff;

	seen->id = (__s32)regs->bx;
	switch (number) {
	case 400: /* msgsnd */
	case 401: /* msgrcv */
		seen->kind = SYSV_MSG;
		return true;
	case 420: /* semtimedop_time64 */
		seen->kind = SYSV_SEM;
		return true;
	case 117: /* ipc(2): the call, then the id */
		seen->id = (__s32)regs->cx;
		seen->kind = call == 11 || call == 12 ? SYSV_MSG : SYSV_SEM;
		return call == 11 || call == 12 || call == 1 || call == 4;
	}
	return false;
}

static __always_inline bool blocked_read(struct sysv_sighting *seen, struct task_struct *task)
{
	struct task_struct___x86 *x86 = (void *)task;
	struct pt_regs___x86 *regs = (void *)bpf_task_pt_regs(task);

	if (bpf_core_field_exists(x86->thread_info) && x86->thread_info.status & TS_COMPAT)
		return blocked_compat(seen, regs);
	seen->id = (__s32)regs->di;
	switch ((__u32)regs->orig_ax & ~X32_SYSCALL) {
	case 69: /* msgsnd */
	case 70: /* msgrcv */
		seen->kind = SYSV_MSG;
		return true;
	case 65:  /* semop */
	case 220: /* semtimedop */
		seen->kind = SYSV_SEM;
		return true;
	}
	return false;
}

#elif defined(__TARGET_ARCH_arm64)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___arm64 {
	__u64 orig_x0;
	int syscallno;
};

#pragma clang attribute pop

/* Not told apart from a call of the 32-bit personality, whose numbers mean other calls there: that is a false alarm. */
static __always_inline bool blocked_read(struct sysv_sighting *seen, struct task_struct *task)
{
	struct pt_regs___arm64 *regs = (void *)bpf_task_pt_regs(task);

	seen->id = (__s32)regs->orig_x0;
	switch (regs->syscallno) {
	case 188: /* msgrcv */
	case 189: /* msgsnd */
	case 400: /* 32-bit: msgsnd */
	case 401: /* 32-bit: msgrcv */
	case 301: /* 32-bit: msgsnd */
	case 302: /* 32-bit: msgrcv */
		seen->kind = SYSV_MSG;
		return true;
	case 192: /* semtimedop */
	case 193: /* semop */
	case 298: /* 32-bit: semop */
	case 312: /* 32-bit: semtimedop */
	case 420: /* 32-bit: semtimedop_time64 */
		seen->kind = SYSV_SEM;
		return true;
	}
	return false;
}

#else
#error "which registers hold a system call's number and first argument?"
#endif

/* One that was stopped while it slept has left the list that it slept on, and what it will go back to is not known here. */
static __always_inline bool paused_read(struct sysv_sighting *seen, struct task_struct *task)
{
	seen->kind = SYSV_KINDS;
	seen->id = -1;
	return task->signal->flags & SIGNAL_STOP_STOPPED || task->ptrace || task->flags & PF_FROZEN ||
	       BPF_CORE_READ_BITFIELD(task, frozen);
}

static __always_inline void elder_note(struct task_struct *task, __u32 ipcns)
{
	struct sysv_elder_key key = {.ipcns = ipcns, .uid = task->real_cred->euid.val};
	struct sysv_elder fresh = {.start_ns = task->start_boottime, .pass = pass};
	struct sysv_elder *elder = bpf_map_lookup_elem(&elders, &key);

	if (elder && elder->pass == pass && elder->start_ns <= fresh.start_ns)
		return;
	bpf_map_update_elem(&elders, &key, &fresh, BPF_ANY);
}

/* Writes a struct sysv_sighting for the first task of each namespace with objects, and for each that is blocked in one. */
SEC("iter/task")
int sysv_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct sysv_sighting seen = {};
	struct ipc_namespace *ns;
	__u32 now = pass, *known;

	if (!task)
		return 0;
	ns = task->nsproxy->ipc_ns;
	seen.in_use[SYSV_SHM] = ns->ids[IDS_SHM].in_use;
	seen.in_use[SYSV_SEM] = ns->ids[IDS_SEM].in_use;
	seen.in_use[SYSV_MSG] = ns->ids[IDS_MSG].in_use;
	if (!(seen.in_use[0] | seen.in_use[1] | seen.in_use[2]))
		return 0;
	seen.ipcns = ns->ns.inum;
	if (!seen.ipcns || !ipcns_in_scope(seen.ipcns))
		return 0;
	if (task->pid == task->tgid)
		elder_note(task, seen.ipcns);
	known = bpf_map_lookup_elem(&namespaces, &seen.ipcns);
	if (!known || *known != now)
		seen.flags = SYSV_NAMESPACE;
	if (task->mm && (has_pt_regs ? blocked_read(&seen, task) : paused_read(&seen, task)))
		seen.flags |= SYSV_BLOCKED;
	if (!seen.flags)
		return 0;
	seen.shm_pages = ns->shm_tot;
	seen.used_sems = ns->used_sems;
	seen.tgid = task->tgid;
	seen.tid = task->pid;
	/* It is shown again when it did not fit, so it is marked only after it did. */
	if (bpf_seq_write(ctx->meta->seq, &seen, sizeof(seen)) == 0)
		bpf_map_update_elem(&namespaces, &seen.ipcns, &now, BPF_ANY);
	return 0;
}

/* ---- objects ------------------------------------------------------------------------------------------------------ */

/* The object at `index` of an IDR, as of a reader under RCU; NULL when there is none. */
static __always_inline void *idr_at(void *entry, __u32 index)
{
	for (int level = 0; level < XA_LEVELS; level++) {
		struct xa_node *node = (void *)((__u64)entry - 2);
		__u32 slots = bpf_core_field_size(node->slots) / sizeof(void *), slot;

		if (((__u64)entry & 3) != 2) /* no node: what is stored */
			return level || index == 0 ? entry : NULL;
		slot = index >> BPF_CORE_READ(node, shift);
		if (level == 0 && slot >= slots)
			return NULL;
		slot &= slots - 1;
		if (bpf_probe_read_kernel(&entry, sizeof(entry),
					  (void *)node + bpf_core_field_offset(node->slots) + slot * sizeof(void *)))
			return NULL;
	}
	return NULL;
}

static __always_inline bool list_is_empty(void *head)
{
	void *next = NULL;

	return bpf_probe_read_kernel(&next, sizeof(next), head) == 0 && next == head;
}

static __always_inline void user_read(struct sysv_user *user, struct pid *pid)
{
	void *first = BPF_CORE_READ(pid, tasks[PIDTYPE_TGID].first);
	struct task_struct *task;

	user->pid = (__u64)pid;
	user->number = BPF_CORE_READ(pid, numbers[0].nr);
	if (!first)
		return;
	task = first - bpf_core_field_offset(struct task_struct, pid_links) -
	       PIDTYPE_TGID * bpf_core_type_size(struct hlist_node);
	if (BPF_CORE_READ(task, signal, live.counter) <= 0)
		return;
	user->start_ns = BPF_CORE_READ(task, start_boottime);
	user->alive = 1;
}

/* A user that is alive is kept, whatever else is dropped. */
static __always_inline void user_add(struct sysv_query *query, struct pid *pid)
{
	struct sysv_user user = {};
	__u32 count = query->user_count;

	if (!pid)
		return;
	user_read(&user, pid);
	if (user.alive)
		query->flags |= SYSV_IN_USE;
	if (count < SYSV_USERS_MAX) {
		query->users[count] = user;
		query->user_count = count + 1;
	} else if (user.alive) {
		query->users[SYSV_USERS_MAX - 1] = user;
	}
}

static __always_inline bool is_the_one(struct kern_ipc_perm *perm, const struct sysv_query *query)
{
	return perm && BPF_CORE_READ(perm, id) == query->id && !BPF_CORE_READ(perm, deleted);
}

static __always_inline bool shm_read(struct sysv_query *query, struct ipc_namespace *ns)
{
	struct shmid_kernel *shm = idr_at(BPF_CORE_READ(ns, ids[IDS_SHM].ipcs_idr.idr_rt.xa_head), query->index);

	shm = shm ? (void *)shm - bpf_core_field_offset(shm->shm_perm) : NULL;
	if (!shm || !is_the_one(&shm->shm_perm, query))
		return false;
	user_add(query, BPF_CORE_READ(shm, shm_cprid));
	user_add(query, BPF_CORE_READ(shm, shm_lprid));
	return true;
}

static __always_inline bool msg_read(struct sysv_query *query, struct ipc_namespace *ns)
{
	struct msg_queue *msg = idr_at(BPF_CORE_READ(ns, ids[IDS_MSG].ipcs_idr.idr_rt.xa_head), query->index);

	msg = msg ? (void *)msg - bpf_core_field_offset(msg->q_perm) : NULL;
	if (!msg || !is_the_one(&msg->q_perm, query))
		return false;
	user_add(query, BPF_CORE_READ(msg, q_lspid));
	user_add(query, BPF_CORE_READ(msg, q_lrpid));
	if (!list_is_empty(&msg->q_receivers) || !list_is_empty(&msg->q_senders))
		query->flags |= SYSV_WAITED_FOR;
	return true;
}

static __noinline int sems_read(struct sysv_query *query, void *sems, int count)
{
	struct pid *last = NULL;

	if (!query)
		return 0;
	if (count > SYSV_SEMS_MAX)
		query->flags |= SYSV_TOO_MANY;
	for (int i = 0; i < SYSV_SEMS_MAX && i < count; i++) {
		struct sem *sem = sems + i * bpf_core_type_size(struct sem);
		struct pid *pid = BPF_CORE_READ(sem, sempid);

		if (!list_is_empty(&sem->pending_alter) || !list_is_empty(&sem->pending_const))
			query->flags |= SYSV_WAITED_FOR;
		if (pid != last)
			user_add(query, pid);
		last = pid;
	}
	return 0;
}

static __always_inline bool sem_read(struct sysv_query *query, struct ipc_namespace *ns)
{
	struct sem_array *set = idr_at(BPF_CORE_READ(ns, ids[IDS_SEM].ipcs_idr.idr_rt.xa_head), query->index);

	set = set ? (void *)set - bpf_core_field_offset(set->sem_perm) : NULL;
	if (!set || !is_the_one(&set->sem_perm, query))
		return false;
	if (!list_is_empty(&set->pending_alter) || !list_is_empty(&set->pending_const))
		query->flags |= SYSV_WAITED_FOR;
	sems_read(query, (void *)set + bpf_core_field_offset(set->sems), BPF_CORE_READ(set, sem_nsems));
	return true;
}

/* Answers each query about the IPC namespace of the reading thread, in place. */
SEC("iter/bpf_map_elem")
int sysv_objects(struct bpf_iter__bpf_map_elem *ctx)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	struct sysv_query *query = ctx->value;
	struct sysv_query answer = {};
	struct ipc_namespace *ns;
	bool found = false;

	if (!query || query->answer != SYSV_UNANSWERED || !query->ipcns)
		return 0;
	ns = BPF_CORE_READ(reader, nsproxy, ipc_ns);
	if (BPF_CORE_READ(ns, ns.inum) != query->ipcns)
		return 0;
	answer = *query;
	switch (answer.kind) {
	case SYSV_SHM:
		found = shm_read(&answer, ns);
		break;
	case SYSV_SEM:
		found = sem_read(&answer, ns);
		break;
	case SYSV_MSG:
		found = msg_read(&answer, ns);
		break;
	}
	answer.answer = found ? SYSV_FOUND : SYSV_NOT_FOUND;
	*query = answer;
	return 0;
}

/* ---- those who end ------------------------------------------------------------------------------------------------ */

static __noinline int exe_read(struct sysv_departed *gone, struct task_struct *task)
{
	/* Without an address space from here on, up to Linux 6.15. */
	struct dentry *dentry = BPF_CORE_READ(task, mm, exe_file, f_path.dentry), *parent;

	if (!gone)
		return 0;
	for (int i = 0; i < SYSV_EXE_PARTS; i++) {
		gone->exe[i][0] = 0;
		parent = BPF_CORE_READ(dentry, d_parent);
		if (!dentry || parent == dentry)
			continue;
		bpf_probe_read_kernel_str(gone->exe[i], SYSV_EXE_PART, BPF_CORE_READ(dentry, d_name.name));
		dentry = parent;
	}
	return 0;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___since_6_15 *since = (void *)kn;

	if (bpf_core_field_exists(since->__parent))
		return BPF_CORE_READ(since, __parent);
	return BPF_CORE_READ((struct kernfs_node___before_6_15 *)kn, parent);
}

static __noinline int cgroup_read(struct sysv_departed *gone, struct task_struct *task)
{
	struct kernfs_node *kn = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn), *parent;

	if (!gone)
		return 0;
	for (int i = 0; i < SYSV_CGROUP_PARTS; i++) {
		gone->cgroup[i][0] = 0;
		parent = kernfs_parent(kn);
		if (!kn || !parent)
			continue;
		bpf_probe_read_kernel_str(gone->cgroup[i], SYSV_CGROUP_PART, BPF_CORE_READ(kn, name));
		kn = parent;
	}
	return 0;
}

/*
 * An object refers to the struct pid of its creator and of its last users, so their count is more than the one of a
 * process that nobody refers to. Others may refer to it too (an open /proc/PID, a pidfd): that costs an entry, which user
 * space throws away in its next scan.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(sysv_exit, struct task_struct *task)
{
	struct pid *pid = task->group_leader->thread_pid;
	struct ipc_namespace *ns = task->nsproxy->ipc_ns;
	struct sysv_departed *gone;
	__u32 zero = 0;
	__u64 key = (__u64)pid;

	if (task->signal->live.counter > 0) /* not the last thread */
		return 0;
	if (!(ns->ids[0].in_use | ns->ids[1].in_use | ns->ids[2].in_use) || pid->count.refs.counter <= 1 ||
	    !ipcns_in_scope(ns->ns.inum))
		return 0;
	gone = bpf_map_lookup_elem(&scratch, &zero);
	if (!gone)
		return 0;
	gone->start_ns = task->group_leader->start_boottime;
	gone->ended_ns = bpf_ktime_get_ns();
	gone->tgid = task->tgid;
	gone->uid = task->real_cred->euid.val;
	gone->ipcns = ns->ns.inum;
	bpf_probe_read_kernel_str(gone->comm, sizeof(gone->comm), task->group_leader->comm);
	exe_read(gone, task);
	cgroup_read(gone, task);
	if (bpf_map_update_elem(&departed, &key, gone, BPF_ANY))
		__sync_fetch_and_add(&missed, 1);
	return 0;
}
