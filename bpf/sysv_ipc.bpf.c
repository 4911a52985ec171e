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

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What the loader found the kernel to have. */
const volatile bool has_pt_regs; /* bpf_task_pt_regs(): 5.15 */

/* Told by user space before a pass. */
__u32 pass;
bool scoped;
__u64 wall_offset_ns; /* wall clock less CLOCK_BOOTTIME */
__u32 query_count;

/* Told to user space. */
__u64 missed;      /* of `departed` and `creators`: no room */
__u32 elders_full; /* the pass that found no room in `elders` */

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

#include "sysv_ipc_blocked.bpf.h"

/* ---- tasks -------------------------------------------------------------------------------------------------------- */

static __always_inline void elder_note(__u32 ipcns, __u32 uid, __u64 start_ns)
{
	struct sysv_elder_key key = {.ipcns = ipcns, .uid = uid};
	struct sysv_elder fresh = {.start_ns = start_ns, .pass = pass};
	struct sysv_elder *elder = bpf_map_lookup_elem(&elders, &key);

	if (elder && elder->pass == pass && elder->start_ns <= start_ns)
		return;
	if (bpf_map_update_elem(&elders, &key, &fresh, BPF_ANY))
		elders_full = pass;
}

/* Each thread: it may have a user of its own, and the first one of its process may have ended. */
static __always_inline void elders_note(struct task_struct *task, __u32 ipcns)
{
	__u32 effective = task->real_cred->euid.val, real = task->real_cred->uid.val, saved = task->real_cred->suid.val;
	__u64 start_ns = task->group_leader->start_boottime;

	elder_note(ipcns, effective, start_ns);
	if (real != effective)
		elder_note(ipcns, real, start_ns);
	if (saved != effective && saved != real)
		elder_note(ipcns, saved, start_ns);
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
	elders_note(task, seen.ipcns);
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

/*
 * ---- objects ------------------------------------------------------------------------------------------------------
 *
 * What is done many times over is a global function: the verifier looks at it once, and not once for each way that leads
 * there. Until 5.12 such a function takes numbers only, so what it works on is in a map.
 */

__u64 sysv_idr_at(__u64 entry, __u32 index);

/* The object at `index` of an IDR, as of a reader under RCU; 0 when there is none. Global: the verifier looks at it once. */
__noinline __u64 sysv_idr_at(__u64 entry, __u32 index)
{
	for (int level = 0; level < XA_LEVELS; level++) {
		struct xa_node *node = (void *)(entry - 2);
		__u32 slots = bpf_core_field_size(node->slots) / sizeof(void *), slot;

		if ((entry & 3) != 2) /* no node: what is stored */
			return level || index == 0 ? entry : 0;
		slot = index >> BPF_CORE_READ(node, shift);
		if (level == 0 && slot >= slots)
			return 0;
		slot &= slots - 1;
		if (bpf_probe_read_kernel(&entry, sizeof(entry),
					  (void *)node + bpf_core_field_offset(node->slots) + slot * sizeof(void *)))
			return 0;
	}
	return 0;
}

/* By hand: an index that is no constant is not relocated. */
static __always_inline struct ipc_ids *ids_of(struct ipc_namespace *ns, int kind)
{
	return (void *)ns + bpf_core_field_offset(ns->ids) + kind * bpf_core_type_size(struct ipc_ids);
}

static __always_inline void *object_at(struct ipc_namespace *ns, int kind, __u32 index)
{
	return (void *)sysv_idr_at((__u64)BPF_CORE_READ(ids_of(ns, kind), ipcs_idr.idr_rt.xa_head), index);
}

static __always_inline bool list_is_empty(void *head)
{
	void *next = NULL;

	return bpf_probe_read_kernel(&next, sizeof(next), head) == 0 && next == head;
}

/* The answer that is being made; one pass runs at a time. */
struct sysv_work {
	struct sysv_query answer;
	struct sysv_user user;
	__u64 last; /* of the semaphore before */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sysv_work);
} work SEC(".maps");

static __always_inline struct sysv_work *work_at_hand(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&work, &first);
}

static __always_inline void user_read(struct sysv_user *user, struct pid *pid)
{
	void *first = BPF_CORE_READ(pid, tasks[PIDTYPE_TGID].first);
	struct task_struct *task;

	user->pid = (__u64)pid;
	user->start_ns = 0;
	user->alive = 0;
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

int sysv_user_add(__u64 pid);

/* A user that is alive is kept, whatever else is dropped. */
__noinline int sysv_user_add(__u64 pid)
{
	struct sysv_work *made = work_at_hand();
	__u32 count;

	if (!pid || !made)
		return 0;
	count = made->answer.user_count;
	user_read(&made->user, (struct pid *)pid);
	if (made->user.alive)
		made->answer.flags |= SYSV_IN_USE;
	if (count < SYSV_USERS_MAX) {
		made->answer.users[count] = made->user;
		made->answer.user_count = count + 1;
	} else if (made->user.alive) {
		made->answer.users[SYSV_USERS_MAX - 1] = made->user;
	}
	return 0;
}

static __always_inline bool is_the_one(struct kern_ipc_perm *perm, const struct sysv_query *query)
{
	return perm && BPF_CORE_READ(perm, id) == query->id && !BPF_CORE_READ(perm, deleted);
}

static __always_inline bool shm_read(struct sysv_work *made, struct ipc_namespace *ns)
{
	struct shmid_kernel *shm = object_at(ns, IDS_SHM, made->answer.index);

	shm = shm ? (void *)shm - bpf_core_field_offset(shm->shm_perm) : NULL;
	if (!shm || !is_the_one(&shm->shm_perm, &made->answer))
		return false;
	sysv_user_add((__u64)BPF_CORE_READ(shm, shm_cprid));
	sysv_user_add((__u64)BPF_CORE_READ(shm, shm_lprid));
	return true;
}

static __always_inline bool msg_read(struct sysv_work *made, struct ipc_namespace *ns)
{
	struct msg_queue *msg = object_at(ns, IDS_MSG, made->answer.index);

	msg = msg ? (void *)msg - bpf_core_field_offset(msg->q_perm) : NULL;
	if (!msg || !is_the_one(&msg->q_perm, &made->answer))
		return false;
	sysv_user_add((__u64)BPF_CORE_READ(msg, q_lspid));
	sysv_user_add((__u64)BPF_CORE_READ(msg, q_lrpid));
	if (!list_is_empty(&msg->q_receivers) || !list_is_empty(&msg->q_senders))
		made->answer.flags |= SYSV_WAITED_FOR;
	return true;
}

int sysv_sem_read(__u64 at);

__noinline int sysv_sem_read(__u64 at)
{
	struct sysv_work *made = work_at_hand();
	struct sem *sem = (void *)at;
	__u64 pid;

	if (!made)
		return 0;
	pid = (__u64)BPF_CORE_READ(sem, sempid);
	if (!list_is_empty(&sem->pending_alter) || !list_is_empty(&sem->pending_const))
		made->answer.flags |= SYSV_WAITED_FOR;
	if (pid != made->last)
		sysv_user_add(pid);
	made->last = pid;
	return 0;
}

static __always_inline void sems_read(struct sysv_work *made, void *sems, int count)
{
	if (count > SYSV_SEMS_MAX)
		made->answer.flags |= SYSV_TOO_MANY;
	made->last = 0;
	for (int i = 0; i < SYSV_SEMS_MAX && i < count; i++)
		sysv_sem_read((__u64)sems + i * bpf_core_type_size(struct sem));
}

static __always_inline bool sem_read(struct sysv_work *made, struct ipc_namespace *ns)
{
	struct sem_array *set = object_at(ns, IDS_SEM, made->answer.index);

	set = set ? (void *)set - bpf_core_field_offset(set->sem_perm) : NULL;
	if (!set || !is_the_one(&set->sem_perm, &made->answer))
		return false;
	if (!list_is_empty(&set->pending_alter) || !list_is_empty(&set->pending_const))
		made->answer.flags |= SYSV_WAITED_FOR;
	/* Who used it with SEM_UNDO and lives, whoever used it last: it may hold what it is to give back at its end. */
	if (!list_is_empty(&set->list_id))
		made->answer.flags |= SYSV_IN_USE;
	sems_read(made, (void *)set + bpf_core_field_offset(set->sems), BPF_CORE_READ(set, sem_nsems));
	return true;
}

int sysv_answer(__u32 index);

__noinline int sysv_answer(__u32 index)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	struct sysv_query *query = bpf_map_lookup_elem(&queries, &index);
	struct sysv_work *made = work_at_hand();
	struct ipc_namespace *ns;
	bool found = false;

	if (!query || query->answer != SYSV_UNANSWERED || !query->ipcns || !made)
		return 0;
	ns = BPF_CORE_READ(reader, nsproxy, ipc_ns);
	if (BPF_CORE_READ(ns, ns.inum) != query->ipcns)
		return 0;
	made->answer = *query;
	switch (made->answer.kind) {
	case SYSV_SHM:
		found = shm_read(made, ns);
		break;
	case SYSV_SEM:
		found = sem_read(made, ns);
		break;
	case SYSV_MSG:
		found = msg_read(made, ns);
		break;
	}
	made->answer.answer = found ? SYSV_FOUND : SYSV_NOT_FOUND;
	*query = made->answer;
	return 0;
}

/*
 * Answers the queries about the IPC namespace of the reading thread, in place. It asks nothing of the maps that it is shown:
 * there are few of them, and never none, so that reading this iterator is a call of the program. An iterator over `queries`
 * itself needs Linux 5.9, and there are machines that refuse all that may write to what they walk over.
 */
SEC("iter/bpf_map")
int sysv_objects(struct bpf_iter__bpf_map *ctx)
{
	if (ctx->meta->seq_num > 0)
		return 0;
	for (__u32 i = 0; i < SYSV_QUERIES && i < query_count; i++)
		sysv_answer(i);
	return 0;
}

#include "sysv_ipc_ended.bpf.h"
