/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the BPF programs of flock and user space share: the records, and the judgement on who holds a lock rightly, which
 * the daemon and the unit tests compile from here.
 */
#ifndef BPF_FLOCK_H
#define BPF_FLOCK_H

#include <stdbool.h>

#include <linux/types.h>

/* Of include/linux/filelock.h (fs.h before 6.3); the same since 3.15. */
#define FL_KERNEL_POSIX 1
#define FL_KERNEL_FLOCK 2
#define FL_KERNEL_ACCESS 8
#define FL_KERNEL_CLOSE 64
#define FL_KERNEL_OFDLCK 1024
#define FL_KERNEL_DEFERRED 1 /* FILE_LOCK_DEFERRED: it waits */
#define FL_READ 0            /* F_RDLCK */
#define FL_WRITE 1           /* F_WRLCK */
#define FL_UNLOCK 2          /* F_UNLCK */
#define FL_END_OF_FILE 0x7fffffffffffffffLL

#define FL_COMM 16
#define FL_WAYS 8 /* acquisitions remembered in one bucket: the locks of inodes that share it */
/* Locks of one list of one inode that a look shows. Both lists, a waiter for each lock and a descriptor fit together into what
 * the kernel keeps of an iterator's words for one read, which are eight pages. */
#define FL_LOCKS_MAX 62
#define FL_REFUSED 0 /* fl_wait_key.tid of all that were refused */

enum fl_kind { FL_FLOCK, FL_OFD, FL_POSIX };

/* An executable: by its inode, and by the folder and name under which it was started, as an upgrade replaces the inode. */
struct fl_exe {
	__u64 inode; /* 0: not known */
	__u64 name;  /* a digest of folder and name */
	__u32 dev;
	__u32 reserved;
};

/* A process, as it was. */
struct fl_process {
	__u64 start_ns; /* CLOCK_BOOTTIME: with the pid it names a process for good */
	__u64 exec_id;  /* counts its execve()s */
	struct fl_exe exe;
	__s32 tgid; /* 0: not known */
	__u32 reserved;
	char comm[FL_COMM];
};

/*
 * One acquisition: which open file description carries a lock of this kind, and who asked for it. Written without a lock:
 * `check` is right only when no other writer was at it meanwhile.
 */
struct fl_slot {
	__u64 file;     /* the address of the struct file; with `kind` the identity */
	__u64 taken_ns; /* CLOCK_MONOTONIC; of the newest acquisition, or a little later; 0: the slot is free */
	__u64 facts;    /* digest of all below */
	__u64 check;    /* of all above */
	__u8 kind;      /* FL_FLOCK, FL_OFD */
	__u8 several;   /* FL_OFD: ranges were taken by different processes */
	__u16 reserved[3];
	__u64 tick, clock_ns; /* of the last time that the clock was read: jiffies, and CLOCK_MONOTONIC */
	struct fl_process taker, parent;
};

struct fl_bucket {
	struct fl_slot slots[FL_WAYS];
};

/* Map `waits`: who waits, or was refused. All that were refused at one inode share one entry, with the last of them. */
struct fl_wait_key {
	__u64 inode;
	__u32 dev;
	__u32 tid;   /* FL_REFUSED, or the thread that waits */
	__u32 posix; /* 0: flock(); 1: POSIX and OFD, which conflict with each other */
	__u32 reserved;
};

struct fl_wait {
	__u64 since_ns; /* the first time */
	__u64 last_ns;
	__u64 start_ns; /* CLOCK_BOOTTIME, of the process */
	__u64 count;
	__s64 start, end; /* the range asked for, POSIX and OFD */
	__u64 file;       /* the address of the open file by which it asked */
	__s32 tgid;
	__u8 type; /* FL_READ, FL_WRITE */
	__u8 kind;
	__u16 reserved;
	char comm[FL_COMM];
};

struct fl_inode {
	__u64 inode;
	__u32 dev;
	__u32 reserved;
};

/* What a look writes, records of one size. */
enum fl_record_tag { FL_RECORD_HOLDING = 1, FL_RECORD_LOCK, FL_RECORD_WAITER, FL_RECORD_MORE };

enum fl_holding_flag {
	FL_HOLDER_STOPPED = 1 << 0,
	FL_HOLDER_TRACED = 1 << 1,
	FL_HOLDER_FROZEN = 1 << 2,
	FL_CLOSES_ON_EXEC = 1 << 3, /* of the descriptor */
};

struct fl_record {
	__u32 tag; /* enum fl_record_tag; FL_RECORD_MORE: this inode has more locks than a look shows */
	__u32 dev;
	__u64 inode;
	__u64 file;       /* that the descriptor, mapping or lock belongs to; for a waiter, the one that asks */
	__s64 start, end; /* lock, waiter */
	__u64 table;      /* holding: the address of what holds the file: files_struct or mm_struct */
	__u64 refs;       /* holding by descriptor: references to the file, without the reader's own */
	__u64 start_ns;   /* holding: of the process, CLOCK_BOOTTIME */
	__u64 born_ns;    /* holding: the same, CLOCK_MONOTONIC */
	__u64 magic;      /* holding: of the file system */
	struct fl_exe exe;
	__s32 tgid; /* holding; lock, waiter: who asked, 0 or negative: not known */
	__s32 fd;   /* holding: -1 for a mapping */
	__u32 flags;
	__u8 kind, type, reserved[10];
};

_Static_assert(sizeof(struct fl_process) == 64, "shared with the kernel");
_Static_assert(sizeof(struct fl_slot) == 184, "shared with the kernel");
_Static_assert(sizeof(struct fl_wait_key) == 24, "shared with the kernel");
_Static_assert(sizeof(struct fl_wait) == 80, "shared with the kernel");
_Static_assert(sizeof(struct fl_record) == 128, "shared with the kernel");
_Static_assert((1 + 2 * (2 * FL_LOCKS_MAX + 1)) * sizeof(struct fl_record) < 8 * 4096, "what an element shows fits");

static inline __attribute__((always_inline)) __u32 fl_bucket_of(__u64 inode, __u32 dev, __u32 mask)
{
	/* An odd number for each: file systems in memory have small inode numbers, and there is one for each container. */
	__u64 hash = inode * 0x9e3779b97f4a7c15ULL + dev * 0xc2b2ae3d27d4eb4fULL;

	return (__u32)(hash >> 32) & mask;
}

static inline __attribute__((always_inline)) __u64 fl_mix(__u64 digest, __u64 value)
{
	return (digest ^ value) * 0x9e3779b97f4a7c15ULL + (digest >> 29);
}

/* The kernel's own hash of a name (and of where the folder is) tells names apart well enough beside the folder's inode. */
static inline __attribute__((always_inline)) __u64 fl_exe_name(__u32 hash, __u32 length, __u64 folder)
{
	return fl_mix((__u64)length << 32 | hash, folder);
}

static inline __attribute__((always_inline)) __u64 fl_process_mix(__u64 digest, const struct fl_process *process)
{
	digest = fl_mix(digest, process->start_ns);
	digest = fl_mix(digest, process->exec_id);
	digest = fl_mix(digest, process->exe.inode);
	digest = fl_mix(digest, process->exe.name);
	return fl_mix(digest, (__u64)process->exe.dev << 32 | (__u32)process->tgid);
}

static inline __attribute__((always_inline)) __u64 fl_slot_facts(const struct fl_slot *slot)
{
	__u64 digest = fl_mix((__u64)slot->several << 8 | slot->kind, 1);

	return fl_process_mix(fl_process_mix(digest, &slot->taker), &slot->parent);
}

static inline __attribute__((always_inline)) __u64 fl_slot_check(const struct fl_slot *slot)
{
	/* Read again from where it was stored: in the kernel it is a number only there, and a pointer before. */
	__u64 file = *(const volatile __u64 *)&slot->file;

	return fl_mix(fl_mix(slot->facts, file), slot->taken_ns);
}

/* Whether it is one acquisition, whole. */
static inline bool fl_slot_whole(const struct fl_slot *slot)
{
	return slot->taken_ns && slot->facts == fl_slot_facts(slot) && slot->check == fl_slot_check(slot);
}

static inline bool fl_exe_same(const struct fl_exe *a, const struct fl_exe *b)
{
	return (a->inode == b->inode && a->dev == b->dev) || a->name == b->name;
}

static inline bool fl_exe_known(const struct fl_exe *exe)
{
	return exe->inode && exe->name;
}

/* Whether a lock of `type` on this range keeps a request out. flock(): ranges are whole files. */
static inline bool fl_conflicts(__u8 type, __s64 start, __s64 end, __u8 asked, __s64 asked_start, __s64 asked_end)
{
	return (type == FL_WRITE || asked == FL_WRITE) && start <= asked_end && asked_start <= end;
}

/* ---- the judgement ------------------------------------------------------------------------------------------------ */

/* How a process came to hold the lock. */
enum fl_way {
	FL_WAY_TOOK,   /* it asked for the lock */
	FL_WAY_FOR_IT, /* the parent of the one that asked: flock(1) took it for a shell */
	/* The kernel keeps no record of who inherited a descriptor and who was sent it over a socket. What tells them apart is
	 * only what an exec would have ended. */
	FL_WAY_SHARED,   /* born before: had the file already, or received it since */
	FL_WAY_FORKED,   /* born after, runs what the taker or its parent ran: forked, or received */
	FL_WAY_EXECED,   /* born after, runs something else: forked and exec'ed, or received */
	FL_WAY_RECEIVED, /* the same, but the descriptor would not have survived the exec: received, or marked so since */
	FL_WAY_MAPPED,   /* the same, of a mapping, which no exec leaves: mapped by this very program */
	FL_WAY_UNKNOWN, /* some fact is missing */
};

enum fl_verdict {
	FL_GHOST,
	FL_TOO_YOUNG,
	FL_NOT_CONTENDED,
	FL_ACQUISITION_UNKNOWN, /* older than the daemon, or its record was lost */
	FL_SEVERAL_TAKERS,
	FL_PARENT_UNKNOWN,
	FL_TAKER_ALIVE,
	FL_NO_HOLDER,      /* no descriptor and no mapping */
	FL_MAPPED_ONLY,    /* no descriptor */
	FL_HELD_ELSEWHERE, /* something beside the descriptors and mappings found refers to it: in flight, an io_uring */
	FL_MAPPINGS_UNKNOWN,
	FL_HOLDER_UNKNOWN,
	FL_TAKER_HOLDS,
	FL_PARENT_HOLDS,
	FL_HOLDER_OLDER,
	FL_SAME_PROGRAM,
	FL_HOLDER_USES, /* it received the file, or mapped it, or marked its descriptor: it knows what it holds */
	FL_TOO_MANY_HOLDERS,
	FL_HOLDER_STOPPED_NOW,
	FL_HOLDER_TRACED_NOW,
	FL_HOLDER_FROZEN_NOW,
};

struct fl_facts {
	__u64 age_ns;
	__u64 timeout_ns;
	bool contended;
	bool taker_alive;
	bool mappings_known;
	bool refs_known;
	__u32 refs;                        /* to the open file */
	const struct fl_slot *acquisition; /* NULL: not known */
	const struct fl_record *holdings;  /* of the open file: descriptors and mappings */
	__u32 holding_count;
};

static inline bool fl_is_process(const struct fl_record *holding, const struct fl_process *process)
{
	return holding->tgid == process->tgid && holding->start_ns == process->start_ns;
}

static inline enum fl_way fl_way_of(const struct fl_record *holding, const struct fl_slot *acquisition)
{
	if (!acquisition || !holding->start_ns || !holding->born_ns)
		return FL_WAY_UNKNOWN;
	if (fl_is_process(holding, &acquisition->taker))
		return FL_WAY_TOOK;
	if (fl_is_process(holding, &acquisition->parent))
		return FL_WAY_FOR_IT;
	if (holding->born_ns <= acquisition->taken_ns)
		return FL_WAY_SHARED;
	if (!fl_exe_known(&holding->exe) || !fl_exe_known(&acquisition->taker.exe) ||
	    !fl_exe_known(&acquisition->parent.exe))
		return FL_WAY_UNKNOWN;
	if (fl_exe_same(&holding->exe, &acquisition->taker.exe) || fl_exe_same(&holding->exe, &acquisition->parent.exe))
		return FL_WAY_FORKED;
	if (holding->fd < 0)
		return FL_WAY_MAPPED;
	return holding->flags & FL_CLOSES_ON_EXEC ? FL_WAY_RECEIVED : FL_WAY_EXECED;
}

static inline enum fl_verdict fl_judge_holding(const struct fl_record *holding, const struct fl_slot *acquisition)
{
	switch (fl_way_of(holding, acquisition)) {
	case FL_WAY_TOOK:
		return FL_TAKER_HOLDS;
	case FL_WAY_FOR_IT:
		return FL_PARENT_HOLDS;
	case FL_WAY_SHARED:
		return FL_HOLDER_OLDER;
	case FL_WAY_FORKED:
		return FL_SAME_PROGRAM;
	case FL_WAY_RECEIVED:
	case FL_WAY_MAPPED:
		return FL_HOLDER_USES;
	case FL_WAY_UNKNOWN:
		return FL_HOLDER_UNKNOWN;
	case FL_WAY_EXECED:
		break;
	}
	if (holding->flags & FL_HOLDER_TRACED)
		return FL_HOLDER_TRACED_NOW;
	/* The kernel counts who is stopped by a signal as frozen, too. */
	if (holding->flags & FL_HOLDER_STOPPED)
		return FL_HOLDER_STOPPED_NOW;
	if (holding->flags & FL_HOLDER_FROZEN)
		return FL_HOLDER_FROZEN_NOW;
	return FL_GHOST;
}

/* The references that the holdings account for; a table (of descriptors, of mappings) counts once. */
static inline __u32 fl_refs_found(const struct fl_record *holdings, __u32 count)
{
	__u32 found = 0;

	for (__u32 i = 0; i < count; i++) {
		bool again = false;

		/* Two processes may share a table; both of its records then stand here. */
		for (__u32 k = 0; k < i && !again; k++)
			again = holdings[k].table == holdings[i].table && holdings[k].fd == holdings[i].fd &&
				(holdings[i].fd >= 0 || holdings[k].start == holdings[i].start);
		found += !again;
	}
	return found;
}

/*
 * A leak is: who asked for the lock is gone, and it lives on only in processes that were born after it was taken and run
 * something else than who asked for it, or the parent it may have been asked for. Every missing fact spares.
 */
static inline enum fl_verdict fl_judge(const struct fl_facts *facts)
{
	const struct fl_slot *acquisition = facts->acquisition;
	__u32 descriptors = 0;

	if (!facts->contended)
		return FL_NOT_CONTENDED;
	if (facts->age_ns < facts->timeout_ns)
		return FL_TOO_YOUNG;
	for (__u32 i = 0; i < facts->holding_count; i++)
		descriptors += facts->holdings[i].fd >= 0;
	if (!facts->holding_count)
		return FL_NO_HOLDER;
	if (!descriptors)
		return FL_MAPPED_ONLY;
	if (!acquisition)
		return FL_ACQUISITION_UNKNOWN;
	if (acquisition->several)
		return FL_SEVERAL_TAKERS;
	if (facts->taker_alive)
		return FL_TAKER_ALIVE;
	if (acquisition->parent.tgid <= 0 || !acquisition->parent.start_ns)
		return FL_PARENT_UNKNOWN;
	for (__u32 i = 0; i < facts->holding_count; i++) {
		enum fl_verdict verdict = fl_judge_holding(&facts->holdings[i], acquisition);

		if (verdict != FL_GHOST)
			return verdict;
	}
	if (!facts->refs_known || fl_refs_found(facts->holdings, facts->holding_count) != facts->refs)
		return FL_HELD_ELSEWHERE;
	return facts->mappings_known ? FL_GHOST : FL_MAPPINGS_UNKNOWN;
}

#endif
