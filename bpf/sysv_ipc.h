/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the BPF programs of sysv_ipc and user space share: the records, and the judgement, which the scan, the release and
 * the unit tests run alike.
 */
#ifndef BPF_SYSV_IPC_H
#define BPF_SYSV_IPC_H

#include <linux/types.h>

enum sysv_kind { SYSV_SHM, SYSV_SEM, SYSV_MSG };
#define SYSV_KINDS 3

/* iter/task: a task that is the first seen of an IPC namespace with something in it, or is inside of a blocking call. */
struct sysv_sighting {
	__u64 shm_pages; /* shm_tot of the namespace */
	__u32 ipcns;     /* ns.inum */
	__s32 tgid;
	__s32 tid;
	__s32 id;                 /* of the object, with SYSV_BLOCKED */
	__u32 in_use[SYSV_KINDS]; /* objects in the namespace */
	__u32 used_sems;          /* semaphores in all its sets */
	__u8 flags;               /* enum sysv_sighting_flag */
	__u8 kind;                /* of the object, with SYSV_BLOCKED; SYSV_KINDS: of any that can be waited for */
	__u16 reserved[3];
};

enum sysv_sighting_flag {
	SYSV_NAMESPACE = 1 << 0, /* the first task of its namespace in this pass */
	SYSV_BLOCKED = 1 << 1,   /* in msgsnd, msgrcv, semop, semtimedop, or stopped while it was */
};

/* Map `elders`: the oldest process of a user in an IPC namespace. */
struct sysv_elder_key {
	__u32 ipcns;
	__u32 uid;
};

struct sysv_elder {
	__u64 start_ns; /* CLOCK_BOOTTIME */
	__u32 pass;
	__u32 reserved;
};

/* Who created or used an object, as the kernel holds it: a struct pid, which no other process can ever be. */
struct sysv_user {
	__u64 pid;      /* the address of the struct pid, not reused while the object refers to it; 0: nobody */
	__u64 start_ns; /* of the living process, since boot */
	__s32 number;   /* in the first pid namespace */
	__u32 alive;
};

#define SYSV_USERS_MAX 4
#define SYSV_SEMS_MAX 256 /* semaphores of a set that are looked at; a larger set is spared */

enum sysv_answer { SYSV_UNANSWERED, SYSV_FOUND, SYSV_NOT_FOUND };

enum sysv_query_flag {
	SYSV_WAITED_FOR = 1 << 0, /* somebody sleeps on it */
	SYSV_IN_USE = 1 << 1,     /* one of its users is alive */
	SYSV_TOO_MANY = 1 << 2,   /* more semaphores than are looked at */
};

/* Map `queries`: asked by id and index in its table, answered by a pass that runs inside of the namespace. */
struct sysv_query {
	__s32 id;
	__u32 index;
	__u32 kind;
	__u32 ipcns;  /* answered only in this one */
	__u32 answer; /* enum sysv_answer */
	__u32 flags;  /* enum sysv_query_flag */
	__u32 user_count;
	__u32 reserved;
	struct sysv_user users[SYSV_USERS_MAX]; /* shm: creator, last; msg: last sender, last receiver; sem: any */
};

#define SYSV_QUERIES 256

/* Map `departed`: a process that ended and whose struct pid outlives it, as that of one that used an object does. */
#define SYSV_EXE_PARTS 16 /* a power of two */
#define SYSV_EXE_PART 64
#define SYSV_CGROUP_PARTS 6
#define SYSV_CGROUP_PART \
	148 /* so an element of the maps fits into 2 KiB, and the names of pods and containers into it */
struct sysv_departed {
	__u64 start_ns; /* CLOCK_BOOTTIME */
	__u64 ended_ns; /* CLOCK_MONOTONIC */
	__s32 tgid;
	__u32 uid; /* real */
	char comm[16];
	char exe[SYSV_EXE_PARTS][SYSV_EXE_PART];          /* from the file's name upwards; "" ends it */
	char cgroup[SYSV_CGROUP_PARTS][SYSV_CGROUP_PART]; /* from the innermost upwards */
};

/*
 * Map `creators`: of a semaphore set or a queue, for which the kernel keeps no creator. A process is noted when it ends, if it
 * may have made it: it has the creator's effective user, and lived when the object was made. The first is kept.
 */
struct sysv_creator_key {
	__u32 ipcns;
	__u32 kind; /* enum sysv_kind */
	__s32 id;
	__u32 reserved;
};

struct sysv_creator {
	struct sysv_departed gone;
	__u64 object;     /* its address: the same ids come back with the next namespace of the same number */
	__u32 candidates; /* how many may have */
	__u32 reserved;
};

_Static_assert(sizeof(struct sysv_sighting) == 48, "shared with the kernel");
_Static_assert(sizeof(struct sysv_elder) == 16, "shared with the kernel");
_Static_assert(sizeof(struct sysv_user) == 24, "shared with the kernel");
_Static_assert(sizeof(struct sysv_query) == 128, "shared with the kernel");
_Static_assert(sizeof(struct sysv_departed) == 40 + 1024 + 888, "shared with the kernel");
_Static_assert(sizeof(struct sysv_creator_key) == 16, "shared with the kernel");
_Static_assert(sizeof(struct sysv_creator) == sizeof(struct sysv_departed) + 16, "shared with the kernel");

/* What is known of one object. */
enum sysv_fact {
	SYSV_ATTACHED = 1 << 0,        /* shm: somebody has it mapped */
	SYSV_MESSAGES = 1 << 1,        /* msg: not empty */
	SYSV_SLEEPER = 1 << 2,         /* somebody waits on it */
	SYSV_USER_ALIVE = 1 << 3,      /* its creator or a last user lives */
	SYSV_USER_UNKNOWN = 1 << 4,    /* it was used by somebody who cannot be seen from here */
	SYSV_CREATOR_UNKNOWN = 1 << 5, /* the kernel keeps no creator, and somebody who may be it lives */
	SYSV_KEYED = 1 << 6,           /* a new process can find it */
	SYSV_SYSTEM_USER = 1 << 7,
	SYSV_ON_PURPOSE = 1 << 8,     /* its key is that of a program that keeps its objects */
	SYSV_USER_FORGOTTEN = 1 << 9, /* who made or used it ended when there was no room to note who that was */
};

/* How a rule speaks of the object that it matches. */
enum sysv_named {
	SYSV_NAMED = 1 << 0,     /* by key or owner, not by kind alone */
	SYSV_KEY_NAMED = 1 << 1, /* by key */
};

enum sysv_verdict {
	SYSV_GHOST = 0,
	SYSV_IS_ATTACHED,
	SYSV_HAS_SLEEPER,
	SYSV_HAS_USER,
	SYSV_NOT_VISIBLE,
	SYSV_TOO_YOUNG,
	SYSV_NO_CREATOR,
	SYSV_IS_FORGOTTEN,
	SYSV_HAS_MESSAGES,
	SYSV_KEPT_ON_PURPOSE,
	SYSV_HAS_KEY,
	SYSV_OF_SYSTEM,
	SYSV_NO_PRESSURE,
};

struct sysv_limits {
	__u64 timeout_ns;
	__u32 named;    /* enum sysv_named */
	__u32 pressure; /* per cent that its namespace must have used of the kind; 0: not asked */
};

/*
 * No rule overrides the first five; the others are what an operator may know better. The order is that of the reasons
 * people are told: the strongest first.
 */
static inline __attribute__((always_inline)) enum sysv_verdict sysv_judge(__u32 facts, __u64 unused_ns,
									  __u32 used_percent,
									  const struct sysv_limits *limits)
{
	if (facts & SYSV_ATTACHED)
		return SYSV_IS_ATTACHED;
	if (facts & SYSV_SLEEPER)
		return SYSV_HAS_SLEEPER;
	if (facts & SYSV_USER_ALIVE)
		return SYSV_HAS_USER;
	if (facts & SYSV_USER_UNKNOWN)
		return SYSV_NOT_VISIBLE;
	if (unused_ns < limits->timeout_ns)
		return SYSV_TOO_YOUNG;
	if (facts & SYSV_CREATOR_UNKNOWN && !(limits->named & SYSV_NAMED))
		return SYSV_NO_CREATOR;
	if (facts & SYSV_USER_FORGOTTEN && !(limits->named & SYSV_NAMED))
		return SYSV_IS_FORGOTTEN;
	if (facts & SYSV_MESSAGES && !(limits->named & SYSV_NAMED))
		return SYSV_HAS_MESSAGES;
	if (facts & SYSV_ON_PURPOSE && !(limits->named & SYSV_KEY_NAMED))
		return SYSV_KEPT_ON_PURPOSE;
	if (facts & SYSV_KEYED && !(limits->named & SYSV_NAMED))
		return SYSV_HAS_KEY;
	if (facts & SYSV_SYSTEM_USER && !(limits->named & SYSV_NAMED))
		return SYSV_OF_SYSTEM;
	if (used_percent < limits->pressure)
		return SYSV_NO_PRESSURE;
	return SYSV_GHOST;
}

/*
 * Users of the machine itself: below the first uid that adduser gives, systemd's dynamic users, and nobody, which is also
 * what an id without a mapping in the daemon's user namespace looks like.
 */
static inline __attribute__((always_inline)) int sysv_is_system_uid(__u32 uid)
{
	return uid < 1000 || (uid >= 61184 && uid <= 65534) || uid == 0xffffffffU;
}

/*
 * How long it is unused, proven. The kernel's times are seconds of the wall clock, so the use may have been up to a second
 * later; and a wall clock that was set forward must not age anything: `bound_ns` is what the monotonic clock allows.
 */
static inline __attribute__((always_inline)) __u64 sysv_unused_ns(__u64 wall_ns, __s64 used_s, __u64 bound_ns)
{
	__u64 since_ns = ((__u64)used_s + 1) * 1000000000U, unused_ns;

	if (used_s < 0 || since_ns >= wall_ns)
		return 0;
	unused_ns = wall_ns - since_ns;
	return unused_ns < bound_ns ? unused_ns : bound_ns;
}

#endif
