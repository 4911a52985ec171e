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
#define MOUNTS 4       /* between a file and the root */
#define HIERARCHIES 16 /* of cgroup v1, and v2 */
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
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CREATORS_MAX);
	__type(key, struct sysv_creator_key);
	__type(value, struct sysv_creator);
} creators SEC(".maps");

/* The program that sees it. Each is kept by the kernel from itself; one may interrupt the other. */
enum { AT_EXIT, AT_UNMAP, PROGRAMS };

/* A process that is ending, and how far it is read. Here for sysv_exe_step() and the others, which take numbers only. */
struct ending {
	struct sysv_creator maker;
	__u64 dentry, mount; /* next of the program's path */
	__u64 node;          /* next of the cgroup's */
	__u64 link, links;   /* next of the cgroups, one a hierarchy, and their list */
	__u64 ns;
	__s64 start_s; /* wall clock, as objects have it */
	__u32 euid, ipcns, exe_parts, cgroup_parts;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROGRAMS);
	__type(key, __u32);
	__type(value, struct ending);
} endings SEC(".maps");

int sysv_exe_step(__u32 at);
int sysv_cgroup_step(__u32 at);
int sysv_hierarchy_step(__u32 at);
int sysv_maker_note(__u32 at, __u32 nth);

/* One name of the program's path, or one mount. 0: that was all. */
__noinline int sysv_exe_step(__u32 at)
{
	struct ending *ending = bpf_map_lookup_elem(&endings, &at);
	struct dentry *dentry, *parent;
	struct mount *mount, *below;
	__u32 part;

	if (!ending || !ending->dentry)
		return 0;
	dentry = (void *)ending->dentry;
	mount = (void *)ending->mount;
	part = ending->exe_parts;
	if (part >= SYSV_EXE_PARTS)
		return 0;
	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		below = BPF_CORE_READ(mount, mnt_parent);
		if (!below || below == mount)
			return 0;
		ending->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		ending->mount = (__u64)below;
		return 1;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (parent == dentry)
		return 0;
	bpf_probe_read_kernel_str(ending->maker.gone.exe[part], SYSV_EXE_PART, BPF_CORE_READ(dentry, d_name.name));
	ending->dentry = (__u64)parent;
	ending->exe_parts = part + 1;
	return 1;
}

static __always_inline void exe_read(struct ending *ending, __u32 at, struct mm_struct *mm)
{
	struct vfsmount *vfs = BPF_CORE_READ(mm, exe_file, f_path.mnt);

	ending->dentry = (__u64)BPF_CORE_READ(mm, exe_file, f_path.dentry);
	ending->mount = (__u64)vfs - bpf_core_field_offset(struct mount, mnt);
	ending->exe_parts = 0;
	for (int i = 0; i < SYSV_EXE_PARTS; i++)
		ending->maker.gone.exe[i][0] = 0;
	for (int i = 0; i < SYSV_EXE_PARTS + MOUNTS && sysv_exe_step(at); i++)
		;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___since_6_15 *since = (void *)kn;

	if (bpf_core_field_exists(since->__parent))
		return BPF_CORE_READ(since, __parent);
	return BPF_CORE_READ((struct kernfs_node___before_6_15 *)kn, parent);
}

/* One name of the cgroup's path. 0: that was all. */
__noinline int sysv_cgroup_step(__u32 at)
{
	struct ending *ending = bpf_map_lookup_elem(&endings, &at);
	struct kernfs_node *node, *parent;
	__u32 part;

	if (!ending)
		return 0;
	node = (void *)ending->node;
	parent = kernfs_parent(node);
	part = ending->cgroup_parts;
	if (!node || !parent || part >= SYSV_CGROUP_PARTS)
		return 0;
	bpf_probe_read_kernel_str(ending->maker.gone.cgroup[part], SYSV_CGROUP_PART, BPF_CORE_READ(node, name));
	ending->node = (__u64)parent;
	ending->cgroup_parts = part + 1;
	return 1;
}

/* The cgroup of one hierarchy: systemd's own, without controllers, becomes the one that is read. 0: that was the last. */
__noinline int sysv_hierarchy_step(__u32 at)
{
	struct ending *ending = bpf_map_lookup_elem(&endings, &at);
	struct cgrp_cset_link *link;
	struct cgroup *cgroup;
	char name[8] = {};

	if (!ending || !ending->link || ending->link == ending->links)
		return 0;
	link = (void *)ending->link - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
	cgroup = BPF_CORE_READ(link, cgrp);
	bpf_probe_read_kernel(name, sizeof(name),
			      (void *)BPF_CORE_READ(cgroup, root) + bpf_core_field_offset(struct cgroup_root, name));
	if (__builtin_memcmp(name, "systemd", sizeof(name)) == 0) {
		ending->node = (__u64)BPF_CORE_READ(cgroup, kn);
		return 0;
	}
	ending->link = (__u64)BPF_CORE_READ(link, cgrp_link.next);
	return 1;
}

/*
 * The names themselves: a service's cgroup is removed when its last process has ended. Where systemd does not use cgroup v2
 * everything is in its root, and the hierarchy called systemd tells.
 */
static __always_inline void cgroup_read(struct ending *ending, __u32 at, struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);

	for (int i = 0; i < SYSV_CGROUP_PARTS; i++)
		ending->maker.gone.cgroup[i][0] = 0;
	ending->cgroup_parts = 0;
	ending->node = (__u64)BPF_CORE_READ(set, dfl_cgrp, kn);
	if (!kernfs_parent((void *)ending->node)) {
		ending->links = (__u64)set + bpf_core_field_offset(set->cgrp_links);
		ending->link = (__u64)BPF_CORE_READ(set, cgrp_links.next);
		for (int i = 0; i < HIERARCHIES && sysv_hierarchy_step(at); i++)
			;
	}
	for (int i = 0; i < SYSV_CGROUP_PARTS && sysv_cgroup_step(at); i++)
		;
}

static __always_inline void gone_read(struct sysv_departed *gone, struct task_struct *task)
{
	gone->start_ns = task->group_leader->start_boottime;
	gone->ended_ns = bpf_ktime_get_ns();
	gone->tgid = task->tgid;
	gone->uid = task->real_cred->uid.val;
	bpf_probe_read_kernel_str(gone->comm, sizeof(gone->comm), task->group_leader->comm);
}

/* Up to Linux 6.15 a task has no address space any more when it is said to exit: what was seen of it before knows more. */
static __always_inline bool knows_more(const struct sysv_departed *known, const struct sysv_departed *gone)
{
	return known && known->start_ns == gone->start_ns && (known->exe[0][0] || !gone->exe[0][0]);
}

/* When it was made, or set since: seconds of the wall clock. */
static __always_inline __s64 made_s(void *object, int kind)
{
	struct sem_array *set = object;
	struct msg_queue *msg = object;

	if (kind == IDS_SEM) {
		set = object - bpf_core_field_offset(set->sem_perm);
		return BPF_CORE_READ(set, sem_ctime);
	}
	msg = object - bpf_core_field_offset(msg->q_perm);
	return BPF_CORE_READ(msg, q_ctime);
}

/*
 * False when the newest of its kind is older than the process. Nothing is remembered of a namespace for that: its number and
 * its first ids are soon those of another one.
 */
static __always_inline bool may_have_made_newest(struct ipc_namespace *ns, int kind, __s64 start_s)
{
	struct ipc_ids *ids = ids_of(ns, kind);
	void *newest;

	if (!BPF_CORE_READ(ids, in_use))
		return false;
	newest = object_at(ns, kind, BPF_CORE_READ(ids, last_idx));
	return !newest || made_s(newest, kind) >= start_s;
}

/* One object: its number, if a process of this user that started then may have made it; negative: it has not. */
static __always_inline __s32 made_id(void *object, int kind, __u32 uid, __s64 start_s)
{
	struct kern_ipc_perm *perm = object;

	if (BPF_CORE_READ(perm, deleted) || BPF_CORE_READ(perm, cuid.val) != uid || made_s(object, kind) < start_s)
		return -1;
	return BPF_CORE_READ(perm, id);
}

/* What is noted of another object is of a namespace that had the same number, and is gone. */
static __always_inline void creator_note(__u32 ipcns, int kind, __s32 id, struct sysv_creator *fresh, bool is_exit)
{
	struct sysv_creator_key key = {.ipcns = ipcns, .kind = kind == IDS_SEM ? SYSV_SEM : SYSV_MSG, .id = id};
	struct sysv_creator *known = bpf_map_lookup_elem(&creators, &key);

	if (known && known->object != fresh->object)
		known = NULL;
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

/* The nth of the newest semaphore sets, then of the newest queues. */
__noinline int sysv_maker_note(__u32 at, __u32 nth)
{
	struct ending *ending = bpf_map_lookup_elem(&endings, &at);
	int kind = nth < NEWEST ? IDS_SEM : IDS_MSG;
	struct ipc_namespace *ns;
	void *object;
	__s32 index, id;

	if (!ending)
		return 0;
	ns = (void *)ending->ns;
	index = BPF_CORE_READ(ids_of(ns, kind), last_idx) - (__s32)(nth % NEWEST);
	object = index < 0 ? NULL : object_at(ns, kind, index);
	if (!object)
		return 0;
	id = made_id(object, kind, ending->euid, ending->start_s);
	ending->maker.object = (__u64)object;
	if (id >= 0)
		creator_note(ending->ipcns, kind, id, &ending->maker, at == AT_EXIT);
	return 0;
}

static __always_inline void made_note(struct ending *ending, __u32 at, struct task_struct *task,
				      struct ipc_namespace *ns, __s64 start_s)
{
	ending->ns = (__u64)ns;
	ending->ipcns = ns->ns.inum;
	ending->euid = task->real_cred->euid.val;
	ending->start_s = start_s;
	for (__u32 nth = 0; nth < 2 * NEWEST; nth++)
		sysv_maker_note(at, nth);
}

/*
 * An object refers to the struct pid of its creator and of its last users, so their count is more than the one of a
 * process that nobody refers to. Others may refer to it too (an open /proc/PID, a pidfd): that costs an entry, which user
 * space throws away in its next scan. Who has semaphores to undo becomes a last user by that, in a moment.
 */
static __always_inline int ended(struct task_struct *task, struct mm_struct *mm, __u32 at)
{
	struct pid *pid = task->group_leader->thread_pid;
	struct ipc_namespace *ns = task->nsproxy->ipc_ns;
	__u32 ipcns = ns->ns.inum;
	__u64 key = (__u64)pid;
	struct ending *ending;
	struct sysv_departed *gone;
	bool referred, maker;
	__s64 start_s;

	if (task->signal->live.counter > 0) /* not the last thread */
		return 0;
	if (!(ns->ids[0].in_use | ns->ids[1].in_use | ns->ids[2].in_use) || !ipcns_in_scope(ipcns))
		return 0;
	referred = pid->count.refs.counter > 1 || task->sysvsem.undo_list;
	start_s = (__s64)((task->group_leader->start_boottime + wall_offset_ns) / SECOND) - 1;
	maker = may_have_made_newest(ns, IDS_SEM, start_s) || may_have_made_newest(ns, IDS_MSG, start_s);
	if (!referred && !maker)
		return 0;
	ending = bpf_map_lookup_elem(&endings, &at);
	if (!ending)
		return 0;
	gone = &ending->maker.gone;
	gone_read(gone, task);
	exe_read(ending, at, mm);
	cgroup_read(ending, at, task);
	if (referred && !knows_more(bpf_map_lookup_elem(&departed, &key), gone) &&
	    bpf_map_update_elem(&departed, &key, gone, BPF_ANY))
		__sync_fetch_and_add(&missed, 1);
	if (maker)
		made_note(ending, at, task, ns, start_s);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(sysv_exit, struct task_struct *task)
{
	return ended(task, task->mm, AT_EXIT);
}

/*
 * Since 6.1: the address space of a task that exits. It knows the program before 6.16, and from then on it is where the last
 * detachments have happened already, which make it a last user. It is the task's own from when `mm` is gone until `files` is,
 * what somebody else left to it to put comes later; `active_mm` tells nothing: who slept or was preempted in there has that
 * of whoever ran meanwhile.
 */
SEC("tp_btf/exit_mmap")
int BPF_PROG(sysv_unmap, struct mm_struct *mm)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!(task->flags & PF_EXITING) || task->mm || !task->files)
		return 0;
	return ended(task, mm, AT_UNMAP);
}

#endif
