// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * flock in the kernel: tracepoints that remember who took which lock and who waits or was refused, and iterators that show
 * the locks of a few inodes, and every descriptor and mapping of them. User space is never woken from here.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "flock.h"

#define EAGAIN 11
#define EDEADLK 35
#define SIGNAL_STOP_STOPPED 0x00000001
#define PF_FROZEN 0x00010000   /* before 6.1 */
#define TASK_FROZEN 0x00008000 /* from 6.1 */
#define TICK_NS 10000000       /* at most: HZ is at least 100 */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What the loader found the kernel to have. */
const volatile bool has_task_btf; /* bpf_get_current_task_btf(): 5.11 */
const volatile bool can_walk;     /* bpf_probe_read_kernel(): not under lockdown=confidentiality */
const volatile bool can_stay;     /* bpf_preempt_disable(): 6.10 */
const volatile __u32 bucket_mask;

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

/* Told by user space before a pass. */
bool surveying; /* show waiters of every inode, not the wanted ones */
__u32 look_number;

__u64 live_waits; /* entries of `waits` that stand for a thread: 0 spares the hot path a look-up */

/* Told to user space. */
__u64 missed;       /* acquisitions that found no room */
__u64 missed_waits; /* waiters that found no room */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct fl_bucket);
} acquisitions SEC(".maps");

/* By kind, as the programs of both may be at work on one processor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FL_OFD + 1);
	__type(key, __u32);
	__type(value, struct fl_slot);
} drafts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct fl_wait_key);
	__type(value, struct fl_wait);
} waits SEC(".maps");

/* The inodes that a look is about; the value is the last look that listed its locks. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct fl_inode);
	__type(value, __u32);
} wanted SEC(".maps");

/* ---- what differs between kernels --------------------------------------------------------------------------------- */

#define LOCK_FIELD(lock, name) \
	(bpf_core_type_exists(struct file_lock_core) ? (lock)->c.flc_##name \
						     : ((struct file_lock___before_6_9 *)(lock))->fl_##name)

/* `p` is typed where the kernel has bpf_get_current_task_btf(), else an address. */
#define TASK_FIELD(p, field) (has_task_btf ? (p)->field : BPF_CORE_READ((p), field))

static __always_inline struct task_struct *current_task(void)
{
	return has_task_btf ? bpf_get_current_task_btf() : (struct task_struct *)bpf_get_current_task();
}

static __always_inline __u64 tick_now(void)
{
	return has_task_btf ? bpf_jiffies64() : 0;
}

static __always_inline void exe_fill(struct fl_exe *exe, struct task_struct *task)
{
	struct mm_struct *mm = TASK_FIELD(task, mm);
	struct file *file = TASK_FIELD(mm, exe_file);
	struct dentry *dentry = TASK_FIELD(file, f_path.dentry), *folder = TASK_FIELD(dentry, d_parent);
	struct inode *inode = TASK_FIELD(file, f_inode), *folder_inode = TASK_FIELD(folder, d_inode);
	struct super_block *sb = TASK_FIELD(inode, i_sb);

	exe->inode = TASK_FIELD(inode, i_ino);
	exe->dev = TASK_FIELD(sb, s_dev);
	exe->name = fl_exe_name(TASK_FIELD(dentry, d_name.hash), TASK_FIELD(dentry, d_name.len),
				TASK_FIELD(folder_inode, i_ino));
}

static __always_inline void process_fill(struct fl_process *process, struct task_struct *leader)
{
	process->tgid = TASK_FIELD(leader, tgid);
	process->start_ns = TASK_FIELD(leader, start_boottime);
	process->exec_id = TASK_FIELD(leader, self_exec_id);
	exe_fill(&process->exe, leader);
	if (can_walk)
		bpf_probe_read_kernel(process->comm, sizeof(process->comm), leader->comm);
}

static __always_inline bool process_is(const struct fl_process *process, struct task_struct *leader)
{
	return process->tgid == TASK_FIELD(leader, tgid) && process->start_ns == TASK_FIELD(leader, start_boottime) &&
	       process->exec_id == TASK_FIELD(leader, self_exec_id);
}

/* ---- acquisitions: the hot path ----------------------------------------------------------------------------------- */

static __always_inline int way_of(const struct fl_bucket *bucket, __u64 file, __u8 kind)
{
#pragma unroll
	for (int i = 0; i < FL_WAYS; i++)
		if (bucket->slots[i].file == file && bucket->slots[i].kind == kind)
			return i;
	return -1;
}

static __always_inline int way_free(const struct fl_bucket *bucket)
{
#pragma unroll
	for (int i = 0; i < FL_WAYS; i++)
		if (!bucket->slots[i].taken_ns)
			return i;
	return -1;
}

/* The verifier is not to know which way it is, and to follow all that comes after once for each: from 6.2 on it searches
 * the whole of the kernel's BTF for each pointer that it follows. `any` is a number that it does not know. */
static __always_inline struct fl_slot *slot_at(struct fl_bucket *bucket, int way, __u64 any)
{
	__u64 unknown = (__u64)way;

	asm volatile("%0 += %1\n%0 -= %1" : "+r"(unknown) : "r"(any));
	return &bucket->slots[unknown & (FL_WAYS - 1)];
}

/* Built aside, and from nothing that another writer of the slot may change meanwhile: two at one slot leave no record, but
 * never one that looks whole with the taker of the other's lock. */
static __always_inline void slot_fill(struct fl_slot *slot, __u64 file, __u8 kind, struct task_struct *leader)
{
	struct task_struct *task = current_task(), *parent = TASK_FIELD(task, real_parent);
	bool known = slot->file == file && slot->kind == kind && slot->taken_ns;
	__u32 index = kind;
	struct fl_slot *fresh = bpf_map_lookup_elem(&drafts, &index);

	if (!fresh)
		return;
	fresh->several = kind == FL_OFD && known && (slot->several || slot->taker.tgid != TASK_FIELD(leader, tgid));
	slot->taken_ns = 0;
	fresh->file = file;
	fresh->kind = kind;
	process_fill(&fresh->taker, leader);
	process_fill(&fresh->parent, TASK_FIELD(parent, group_leader));
	fresh->facts = fl_slot_facts(fresh);
	fresh->tick = tick_now();
	fresh->taken_ns = fresh->clock_ns = bpf_ktime_get_ns();
	fresh->check = fl_slot_check(fresh);
	*slot = *fresh;
}

/*
 * Released, and taken by the same process within the same tick of the clock, in a loop perhaps: neither clock nor parent are
 * asked again. Of its time only the tick is known, and its end is taken: later than it was is safe, as who was born
 * meanwhile counts as older than the taking, and the lock as younger.
 */
static __always_inline bool slot_again(struct fl_slot *slot, __u64 file, __u8 kind, struct task_struct *leader)
{
	if (!has_task_btf || slot->taken_ns || slot->tick != tick_now() || slot->several || slot->file != file ||
	    slot->kind != kind || !process_is(&slot->taker, leader))
		return false;
	slot->taken_ns = slot->clock_ns + TICK_NS;
	slot->check = fl_slot_check(slot);
	return true;
}

static __always_inline void slot_take(struct fl_slot *slot, __u64 file, __u8 kind)
{
	struct task_struct *task = current_task(), *leader = TASK_FIELD(task, group_leader);

	if (!slot_again(slot, file, kind, leader))
		slot_fill(slot, file, kind, leader);
}

static __always_inline struct fl_bucket *bucket_of(struct inode *inode)
{
	__u32 index = fl_bucket_of(inode->i_ino, inode->i_sb->s_dev, bucket_mask);

	return bpf_map_lookup_elem(&acquisitions, &index);
}

static __always_inline void acquisition_add(struct inode *inode, __u64 file, __u8 kind)
{
	struct fl_bucket *bucket = bucket_of(inode);
	int way = bucket ? way_of(bucket, file, kind) : -1;

	if (bucket && way < 0)
		way = way_free(bucket);
	if (bucket && way >= 0)
		slot_take(slot_at(bucket, way, file), file, kind);
	else
		__sync_fetch_and_add(&missed, 1);
}

/* The slot stays the file's, for the next time, until another needs it. */
static __always_inline void acquisition_forget(struct inode *inode, __u64 file, __u8 kind)
{
	struct fl_bucket *bucket = bucket_of(inode);
	int way = bucket ? way_of(bucket, file, kind) : -1;

	if (bucket && way >= 0)
		slot_at(bucket, way, file)->taken_ns = 0;
}

/* ---- waits: somebody is kept out, so time is no matter ------------------------------------------------------------ */

static __noinline int wait_end(struct inode *inode, __u32 posix)
{
	struct fl_wait_key key = {.posix = posix, .tid = (__u32)bpf_get_current_pid_tgid()};

	if (!inode)
		return 0;
	key.inode = inode->i_ino;
	key.dev = inode->i_sb->s_dev;
	if (bpf_map_delete_elem(&waits, &key) == 0)
		__sync_fetch_and_add(&live_waits, -1);
	return 0;
}

static __always_inline void wait_add(struct inode *inode, struct file_lock *lock, __u8 kind, int error)
{
	struct task_struct *task = current_task(), *leader = TASK_FIELD(task, group_leader);
	struct fl_wait_key key = {.inode = inode->i_ino, .dev = inode->i_sb->s_dev, .posix = kind != FL_FLOCK};
	struct fl_wait wait = {
		.kind = kind, .tgid = TASK_FIELD(leader, tgid), .start_ns = TASK_FIELD(leader, start_boottime)};
	struct fl_wait *old;

	key.tid = error == FL_KERNEL_DEFERRED ? (__u32)bpf_get_current_pid_tgid() : FL_REFUSED;
	old = bpf_map_lookup_elem(&waits, &key);
	wait.last_ns = wait.since_ns = bpf_ktime_get_ns();
	if (old && (key.tid == FL_REFUSED || old->start_ns == wait.start_ns)) {
		wait.since_ns = old->since_ns;
		wait.count = old->count;
	}
	wait.count++;
	wait.type = LOCK_FIELD(lock, type);
	wait.file = (__u64)LOCK_FIELD(lock, file);
	wait.start = kind == FL_FLOCK ? 0 : lock->fl_start;
	wait.end = kind == FL_FLOCK ? FL_END_OF_FILE : lock->fl_end;
	bpf_get_current_comm(wait.comm, sizeof(wait.comm));
	if (bpf_map_update_elem(&waits, &key, &wait, BPF_ANY))
		__sync_fetch_and_add(&missed_waits, 1);
	else if (!old && key.tid != FL_REFUSED)
		__sync_fetch_and_add(&live_waits, 1);
}

/*
 * Kernels that run the programs of tracepoints preemptibly (seen with 7.2) leave one out for whoever locks while another is
 * stopped in the midst of it, on the same processor. Such a loss ends all trust in what was seen before, so none is stopped.
 */
static __always_inline void stay_begin(void)
{
	if (can_stay)
		bpf_preempt_disable();
}

static __always_inline void stay_end(void)
{
	if (can_stay)
		bpf_preempt_enable();
}

static __always_inline void flock_event(struct inode *inode, struct file_lock *lock, int error)
{
	__u64 file;

	if (LOCK_FIELD(lock, flags) & FL_KERNEL_ACCESS)
		return;
	file = (__u64)LOCK_FIELD(lock, file);
	if (LOCK_FIELD(lock, type) == FL_UNLOCK) {
		acquisition_forget(inode, file, FL_FLOCK);
		return;
	}
	if (error == 0)
		acquisition_add(inode, file, FL_FLOCK);
	else if (error == FL_KERNEL_DEFERRED || error == -EAGAIN)
		wait_add(inode, lock, FL_FLOCK, error);
	if (live_waits && error != FL_KERNEL_DEFERRED)
		wait_end(inode, 0);
}

static __always_inline void posix_event(struct inode *inode, struct file_lock *lock, int error)
{
	unsigned int flags;
	__u64 file;
	bool ofd;

	flags = LOCK_FIELD(lock, flags);
	file = (__u64)LOCK_FIELD(lock, file);
	/* The last close of an open file drops its locks without that flag, but in the name of the file. */
	ofd = flags & FL_KERNEL_OFDLCK || (flags & FL_KERNEL_CLOSE && (__u64)LOCK_FIELD(lock, owner) == file);
	if (live_waits && error != FL_KERNEL_DEFERRED && LOCK_FIELD(lock, type) != FL_UNLOCK)
		wait_end(inode, 1);
	if (error == 0 && !ofd)
		return;
	if (flags & FL_KERNEL_ACCESS)
		return;
	if (error == FL_KERNEL_DEFERRED || error == -EAGAIN || error == -EDEADLK) {
		wait_add(inode, lock, ofd ? FL_OFD : FL_POSIX, error);
		return;
	}
	if (LOCK_FIELD(lock, type) != FL_UNLOCK)
		acquisition_add(inode, file, FL_OFD);
	else if (flags & FL_KERNEL_CLOSE || (lock->fl_start == 0 && lock->fl_end == FL_END_OF_FILE))
		acquisition_forget(inode, file, FL_OFD);
}

SEC("tp_btf/flock_lock_inode")
int BPF_PROG(flock_track, struct inode *inode, struct file_lock *lock, int error)
{
	if (!inode || !lock)
		return 0;
	stay_begin();
	flock_event(inode, lock, error);
	stay_end();
	return 0;
}

SEC("tp_btf/posix_lock_inode")
int BPF_PROG(posix_track, struct inode *inode, struct file_lock *lock, int error)
{
	if (!inode || !lock)
		return 0;
	stay_begin();
	posix_event(inode, lock, error);
	stay_end();
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------ */

#include "flock_look.bpf.h"

static __always_inline long descriptor_write(struct seq_file *seq, const struct fl_inode *inode,
					     struct task_struct *task, __u32 fd, struct file *file)
{
	struct fl_record record = {.inode = inode->inode, .dev = inode->dev, .fd = (__s32)fd};

	holding_fill(&record, task, file);
	record.table = (__u64)task->files;
	if (closes_on_exec(task, fd))
		record.flags |= FL_CLOSES_ON_EXEC;
	/* One reference is the iterator's. */
	record.refs = bpf_core_field_exists(file->f_ref) ? file->f_ref.refcnt.counter : file->f_count.counter - 1;
	return bpf_seq_write(seq, &record, sizeof(record));
}

/*
 * The locks, once a look for each wanted inode, and every descriptor of it. What does not fit is shown again whole, by the
 * next read.
 */
SEC("iter/task_file")
int flock_look(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct file *file = ctx->file;
	struct file_lock_context *locks;
	struct fl_inode key = {};
	__u32 *listed = NULL;

	if (!task || !file)
		return 0;
	locks = file->f_inode->i_flctx;
	if (!locks)
		return 0;
	key.inode = file->f_inode->i_ino;
	key.dev = file->f_inode->i_sb->s_dev;
	if (!surveying) {
		listed = bpf_map_lookup_elem(&wanted, &key);
		if (!listed || descriptor_write(seq, &key, task, ctx->fd, file) || *listed == look_number)
			return 0;
	}
	if (can_walk && locks_write(seq, &key, locks))
		return 0;
	if (listed)
		*listed = look_number;
	return 0;
}

/* Every mapping of a wanted inode. */
SEC("iter/task_vma")
int flock_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *task = ctx->task;
	struct fl_record record = {};
	struct fl_inode key = {};
	struct file *file;

	if (!task || !vma)
		return 0;
	file = vma->vm_file;
	if (!file || !file->f_inode->i_flctx)
		return 0;
	key.inode = file->f_inode->i_ino;
	key.dev = file->f_inode->i_sb->s_dev;
	if (!bpf_map_lookup_elem(&wanted, &key))
		return 0;
	record.inode = key.inode;
	record.dev = key.dev;
	holding_fill(&record, task, file);
	record.fd = -1;
	record.table = (__u64)task->mm;
	record.start = (__s64)vma->vm_start;
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}
