/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sysv_ipc in the kernel, those who end: who they were, for as long as an object refers to them, and what they may have made.
 * A part of sysv_ipc.bpf.c, which includes it.
 */
#ifndef BPF_SYSV_IPC_ENDED_H
#define BPF_SYSV_IPC_ENDED_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "sysv_ipc.h"

#define DEPARTED_MAX 16384
#define CREATORS_MAX 8192
#define NEWEST 16 /* objects of a kind that a process which ends may be found to have made */
#define PF_EXITING 0x00000004
#define MOUNTS 4 /* between a file and the root */
#define SECOND 1000000000ULL

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
	__type(value, struct sysv_creator);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CREATORS_MAX);
	__type(key, struct sysv_creator_key);
	__type(value, struct sysv_creator);
} creators SEC(".maps");

/* When the newest set or queue of an IPC namespace was made, at the latest. */
struct birth {
	__s32 last_idx[2]; /* by IDS_SEM, IDS_MSG */
	__u32 seq[2];
	__u64 seen_ns; /* CLOCK_BOOTTIME */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* one forgotten is taken for new, which costs a look */
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct birth);
} births SEC(".maps");

static __noinline int exe_read(struct sysv_departed *gone, struct mm_struct *mm)
{
	struct dentry *dentry = BPF_CORE_READ(mm, exe_file, f_path.dentry), *parent;
	struct vfsmount *vfs = BPF_CORE_READ(mm, exe_file, f_path.mnt);
	struct mount *mount = (void *)vfs - bpf_core_field_offset(struct mount, mnt), *below;
	int part = 0;

	if (!gone)
		return 0;
	for (int i = 0; i < SYSV_EXE_PARTS; i++)
		gone->exe[i][0] = 0;
	for (int i = 0; i < SYSV_EXE_PARTS + MOUNTS && dentry && part < SYSV_EXE_PARTS; i++) {
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			below = BPF_CORE_READ(mount, mnt_parent);
			if (!below || below == mount)
				break;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			continue;
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			break;
		bpf_probe_read_kernel_str(gone->exe[part & (SYSV_EXE_PARTS - 1)], SYSV_EXE_PART,
					  BPF_CORE_READ(dentry, d_name.name));
		dentry = parent;
		part++;
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

static __always_inline void gone_read(struct sysv_departed *gone, struct task_struct *task, struct mm_struct *mm)
{
	gone->start_ns = task->group_leader->start_boottime;
	gone->ended_ns = bpf_ktime_get_ns();
	gone->tgid = task->tgid;
	gone->uid = task->real_cred->uid.val;
	bpf_probe_read_kernel_str(gone->comm, sizeof(gone->comm), task->group_leader->comm);
	exe_read(gone, mm);
	cgroup_read(gone, task);
}

/* Up to Linux 6.15 a task has no address space any more when it is said to exit: what was seen of it before knows more. */
static __always_inline bool knows_more(const struct sysv_departed *known, const struct sysv_departed *gone)
{
	return known && known->start_ns == gone->start_ns && (known->exe[0][0] || !gone->exe[0][0]);
}

/* False when the newest set and the newest queue of the namespace are older than the process. */
static __always_inline bool may_have_made_any(struct ipc_namespace *ns, __u32 ipcns, __u64 start_ns)
{
	struct birth fresh = {.last_idx = {ns->ids[IDS_SEM].last_idx, ns->ids[IDS_MSG].last_idx},
			      .seq = {ns->ids[IDS_SEM].seq, ns->ids[IDS_MSG].seq}};
	struct birth *known;

	if (!(ns->ids[IDS_SEM].in_use | ns->ids[IDS_MSG].in_use))
		return false;
	known = bpf_map_lookup_elem(&births, &ipcns);
	if (known && known->last_idx[0] == fresh.last_idx[0] && known->last_idx[1] == fresh.last_idx[1] &&
	    known->seq[0] == fresh.seq[0] && known->seq[1] == fresh.seq[1])
		return start_ns <= known->seen_ns;
	fresh.seen_ns = bpf_ktime_get_boot_ns();
	bpf_map_update_elem(&births, &ipcns, &fresh, BPF_ANY);
	return true;
}

/* One object: its number, if a process of this user that started then may have made it; negative: it has not. */
static __always_inline __s32 made_id(void *object, int kind, __u32 uid, __s64 start_s)
{
	struct sem_array *set = object;
	struct msg_queue *msg = object;
	struct kern_ipc_perm *perm = object;
	__s64 made_s;

	if (kind == IDS_SEM) {
		set = object - bpf_core_field_offset(set->sem_perm);
		made_s = BPF_CORE_READ(set, sem_ctime);
	} else {
		msg = object - bpf_core_field_offset(msg->q_perm);
		made_s = BPF_CORE_READ(msg, q_ctime);
	}
	if (BPF_CORE_READ(perm, deleted) || BPF_CORE_READ(perm, cuid.val) != uid || made_s < start_s)
		return -1;
	return BPF_CORE_READ(perm, id);
}

static __always_inline void creator_note(__u32 ipcns, int kind, __s32 id, struct sysv_creator *fresh, bool is_exit)
{
	struct sysv_creator_key key = {.ipcns = ipcns, .kind = kind == IDS_SEM ? SYSV_SEM : SYSV_MSG, .id = id};
	struct sysv_creator *known = bpf_map_lookup_elem(&creators, &key);

	if (known && knows_more(&known->gone, &fresh->gone))
		return;
	if (known && known->gone.start_ns != fresh->gone.start_ns) {
		known->candidates += is_exit; /* not again for its address space */
		return;
	}
	fresh->candidates = known ? known->candidates : 1;
	if (bpf_map_update_elem(&creators, &key, fresh, BPF_ANY))
		__sync_fetch_and_add(&missed, 1);
}

static __noinline int creators_note(struct ipc_namespace *ns, __u32 uid, struct sysv_creator *fresh, bool is_exit)
{
	__s64 start_s;

	if (!fresh)
		return 0;
	start_s = (__s64)((fresh->gone.start_ns + wall_offset_ns) / SECOND) - 1;
	for (int i = 0; i < 2 * NEWEST; i++) {
		int kind = i < NEWEST ? IDS_SEM : IDS_MSG;
		__s32 index = BPF_CORE_READ(ids_of(ns, kind), last_idx) - i % NEWEST, id;
		void *object = index < 0 ? NULL : object_at(ns, kind, index);

		if (!object)
			continue;
		id = made_id(object, kind, uid, start_s);
		if (id >= 0)
			creator_note(BPF_CORE_READ(ns, ns.inum), kind, id, fresh, is_exit);
	}
	return 0;
}

/*
 * An object refers to the struct pid of its creator and of its last users, so their count is more than the one of a
 * process that nobody refers to. Others may refer to it too (an open /proc/PID, a pidfd): that costs an entry, which user
 * space throws away in its next scan. Who has semaphores to undo becomes a last user by that, in a moment.
 */
static __always_inline int ended(struct task_struct *task, struct mm_struct *mm, bool is_exit)
{
	struct pid *pid = task->group_leader->thread_pid;
	struct ipc_namespace *ns = task->nsproxy->ipc_ns;
	__u32 zero = 0, ipcns = ns->ns.inum;
	__u64 key = (__u64)pid;
	struct sysv_creator *fresh;
	bool referred, maker;

	if (task->signal->live.counter > 0) /* not the last thread */
		return 0;
	if (!(ns->ids[0].in_use | ns->ids[1].in_use | ns->ids[2].in_use) || !ipcns_in_scope(ipcns))
		return 0;
	referred = pid->count.refs.counter > 1 || task->sysvsem.undo_list;
	maker = may_have_made_any(ns, ipcns, task->group_leader->start_boottime);
	if (!referred && !maker)
		return 0;
	fresh = bpf_map_lookup_elem(&scratch, &zero);
	if (!fresh)
		return 0;
	gone_read(&fresh->gone, task, mm);
	if (referred && !knows_more(bpf_map_lookup_elem(&departed, &key), &fresh->gone) &&
	    bpf_map_update_elem(&departed, &key, &fresh->gone, BPF_ANY))
		__sync_fetch_and_add(&missed, 1);
	if (maker)
		creators_note(ns, task->real_cred->euid.val, fresh, is_exit);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sysv_exit, struct task_struct *task)
{
	return ended(task, task->mm, true);
}

/*
 * Since 6.1: the address space of a task that exits. It knows the program before 6.16, and from then on it is where the last
 * detachments have happened already, which make it a last user.
 */
SEC("tp_btf/exit_mmap")
int BPF_PROG(sysv_unmap, struct mm_struct *mm)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!(task->flags & PF_EXITING) || task->active_mm != mm)
		return 0;
	return ended(task, mm, false);
}

#endif
