/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a look of flock.bpf.c writes: of a process that holds a file, and the locks of an inode with those that wait for
 * them. A part of that file, which defines what it uses.
 */
#ifndef BPF_FLOCK_LOOK_BPF_H
#define BPF_FLOCK_LOOK_BPF_H

static __always_inline __u32 holding_flags(struct task_struct *leader)
{
	__u32 flags = 0;

	if (leader->signal->flags & SIGNAL_STOP_STOPPED)
		flags |= FL_HOLDER_STOPPED;
	if (leader->ptrace)
		flags |= FL_HOLDER_TRACED;
	if (BPF_CORE_READ_BITFIELD(leader, frozen) || leader->flags & PF_FROZEN)
		flags |= FL_HOLDER_FROZEN;
	if (bpf_core_field_exists(leader->__state) && leader->__state & TASK_FROZEN)
		flags |= FL_HOLDER_FROZEN;
	return flags;
}

static __always_inline void holding_fill(struct fl_record *record, struct task_struct *task, struct file *file)
{
	struct task_struct *leader = task->group_leader;
	struct file *exe = leader->mm->exe_file;

	record->tag = FL_RECORD_HOLDING;
	record->file = (__u64)file;
	record->start_ns = leader->start_boottime;
	record->born_ns = leader->start_time;
	record->magic = file->f_inode->i_sb->s_magic;
	record->tgid = task->tgid;
	record->flags = holding_flags(leader);
	record->exe.inode = exe->f_inode->i_ino;
	record->exe.dev = exe->f_inode->i_sb->s_dev;
	record->exe.name = fl_exe_name(exe->f_path.dentry->d_name.hash, exe->f_path.dentry->d_name.len,
				       exe->f_path.dentry->d_parent->d_inode->i_ino);
}

static __always_inline bool closes_on_exec(struct task_struct *task, __u32 fd)
{
	unsigned long word = 0, *words = task->files->fdt->close_on_exec;

	if (can_walk)
		bpf_probe_read_kernel(&word, sizeof(word), words + fd / 64);
	return word >> (fd % 64) & 1;
}

/* The member lists of a lock are walked by address, as nobody can hold their lock here: what is read may be torn, which
 * the file's inode tells; what is done upon it is checked once more on the open file itself. */
#define CORE_READ(destination, address, type, field) \
	bpf_probe_read_kernel(&(destination), sizeof(destination), \
			      (const void *)((address) + (__u64)__builtin_preserve_access_index(&((type *)0)->field)))
#define LOCK_READ(destination, address, name) \
	do { \
		if (bpf_core_type_exists(struct file_lock_core)) \
			CORE_READ(destination, address, struct file_lock, c.flc_##name); \
		else \
			CORE_READ(destination, address, struct file_lock___before_6_9, fl_##name); \
	} while (0)

static __always_inline __u64 offset_in_lock(bool waiter)
{
	if (bpf_core_type_exists(struct file_lock_core))
		return waiter ? (__u64)__builtin_preserve_access_index(&((struct file_lock *)0)->c.flc_blocked_member)
			      : (__u64)__builtin_preserve_access_index(&((struct file_lock *)0)->c.flc_list);
	return waiter ? (__u64)__builtin_preserve_access_index(&((struct file_lock___before_6_9 *)0)->fl_blocked_member)
		      : (__u64)__builtin_preserve_access_index(&((struct file_lock___before_6_9 *)0)->fl_list);
}

static __always_inline __u64 offset_of_requests(void)
{
	if (bpf_core_type_exists(struct file_lock_core))
		return (__u64)__builtin_preserve_access_index(&((struct file_lock *)0)->c.flc_blocked_requests);
	return (__u64)__builtin_preserve_access_index(&((struct file_lock___before_6_9 *)0)->fl_blocked_requests);
}

static __always_inline __u64 next_of(__u64 list)
{
	__u64 next = 0;

	bpf_probe_read_kernel(&next, sizeof(next), (const void *)list);
	return next;
}

/* What the lists are read into. There is one reader, and it is one thread. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fl_record);
} record_of_list SEC(".maps");

static __always_inline struct fl_record *list_record(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&record_of_list, &index);
}

/* 1 when `lock` is one of the inode in the record: it is in there then. Global, so that it is verified once, and not for each
 * of the locks that a list may have. */
__attribute__((noinline)) int lock_read(__u64 lock, __u32 flags_wanted)
{
	struct fl_record *record = list_record();
	struct file *file = NULL;
	struct inode *inode = NULL;
	unsigned long number = 0;
	unsigned int flags = 0;

	if (!record || !can_walk)
		return 0;
	LOCK_READ(flags, lock, flags);
	LOCK_READ(file, lock, file);
	bpf_probe_read_kernel(&inode, sizeof(inode), &file->f_inode);
	bpf_probe_read_kernel(&number, sizeof(number), &inode->i_ino);
	if (!(flags & flags_wanted) || number != record->inode)
		return 0;
	record->file = (__u64)file;
	record->kind = flags & FL_KERNEL_FLOCK ? FL_FLOCK : flags & FL_KERNEL_OFDLCK ? FL_OFD : FL_POSIX;
	LOCK_READ(record->type, lock, type);
	LOCK_READ(record->tgid, lock, pid);
	record->start = 0;
	record->end = FL_END_OF_FILE;
	if (record->kind != FL_FLOCK) {
		CORE_READ(record->start, lock, struct file_lock, fl_start);
		CORE_READ(record->end, lock, struct file_lock, fl_end);
	}
	return 1;
}

/* 0, or what bpf_seq_write() said: the list did not fit. It is kept in the map, whose values the verifier does not follow. */
static __always_inline long list_write(struct seq_file *seq, const struct fl_inode *inode, __u64 head,
				       __u32 flags_wanted)
{
	struct fl_record *record = list_record();
	__u64 at = next_of(head), lock, requests, first;
	int i;

	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record));
	record->inode = inode->inode;
	record->dev = inode->dev;
	for (i = 0; i < FL_LOCKS_MAX && at && at != head; i++) {
		lock = at - offset_in_lock(false);
		record->tag = FL_RECORD_LOCK;
		if (!surveying && lock_read(lock, flags_wanted))
			record->refs |= bpf_seq_write(seq, record, sizeof(*record));
		/* The first in the queue; who came later stands behind it, not beside it, unless they only read. */
		requests = lock + offset_of_requests();
		first = next_of(requests);
		record->tag = FL_RECORD_WAITER;
		if (first && first != requests && lock_read(first - offset_in_lock(true), flags_wanted))
			record->refs |= bpf_seq_write(seq, record, sizeof(*record));
		at = next_of(at);
	}
	if (i == FL_LOCKS_MAX && at && at != head) {
		record->tag = FL_RECORD_MORE;
		record->refs |= bpf_seq_write(seq, record, sizeof(*record));
	}
	return (long)record->refs;
}

static __always_inline long locks_write(struct seq_file *seq, const struct fl_inode *inode,
					struct file_lock_context *locks)
{
	return list_write(seq, inode, (__u64)&locks->flc_flock, FL_KERNEL_FLOCK) |
	       list_write(seq, inode, (__u64)&locks->flc_posix, FL_KERNEL_POSIX);
}

#endif
