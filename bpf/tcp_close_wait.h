/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the BPF programs of tcp_close_wait and user space share: the records, and the judgement itself, which is the same
 * code under the socket's lock in the kernel, in the daemon, and in the unit tests.
 */
#ifndef BPF_TCP_CLOSE_WAIT_H
#define BPF_TCP_CLOSE_WAIT_H

#include <linux/types.h>

#define CW_TCP_CLOSE_WAIT 8 /* TCP_CLOSE_WAIT of include/net/tcp_states.h: the same for ever, sock_diag shows it */
#define CW_AF_INET 2
#define CW_AF_INET6 10

struct cw_tuple {
	__u32 netns;       /* ns.inum */
	__u16 family;      /* AF_INET, AF_INET6; an IPv4-mapped socket is AF_INET6 */
	__u16 local_port;  /* host order */
	__u16 remote_port; /* host order */
	__u16 reserved;
	__u32 bound_if;      /* SO_BINDTODEVICE, or a VRF: the same addresses may stand in each; 0: none */
	__u8 local_addr[16]; /* network order; IPv4 in the first 4 bytes, the others 0 */
	__u8 remote_addr[16];
};

/* Map `suspects`: key is the address of the struct sock, in the map for just as long as it is in CLOSE_WAIT. */
struct cw_suspect {
	__u64 since_ns;   /* CLOCK_MONOTONIC: when it entered CLOSE_WAIT, or a proven later moment */
	__u64 checked_ns; /* when it was last looked at, or last active: it cannot be due before this + timeout */
	__u64 cookie;     /* of the socket; 0 where the kernel cannot tell here (before 5.12) */
	struct cw_tuple tuple;
};

enum cw_flag {
	CW_ACCEPTED = 1 << 0, /* has a struct socket: it is not in an accept queue */
	CW_MPTCP = 1 << 1,
	CW_REPAIR = 1 << 2,
	CW_ULP = 1 << 3,
	CW_KERNEL = 1 << 4,    /* sk_user_data: sockmap, kcm, l2tp, sunrpc, SMC, ... use it from inside of the kernel */
	CW_KEEPALIVE = 1 << 5, /* SO_KEEPALIVE is on, by the application's wish */
	CW_KEEPALIVE_SET = 1 << 6, /* the application gave one of TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT a value */
	CW_PROBED = 1 << 7,        /* SO_KEEPALIVE is on with the values of our probe */
};

/*
 * A probe is the kernel's own keepalive: idle for 1 s, then one segment every interval. These two values together mark a
 * socket as probed by us, so that a daemon which was killed in between is tidied up after by the next one. The count is
 * never reached: who is silent is judged by the policy, not given up by the kernel.
 */
#define CW_PROBE_IDLE_S 1
#define CW_PROBE_COUNT 97

/* One look at one socket. */
struct cw_observation {
	__u64 sock; /* key of `suspects`; 0 when it was seen by sock_diag and is not in the map */
	__u64 cookie;
	__u64 age_ns;     /* in CLOSE_WAIT, a lower bound */
	__u64 silence_ns; /* since the last data sent, data received or acknowledgement received; a lower bound */
	__u32 rqueue;     /* received and not read, bytes; the FIN counts as one */
	__u32 wqueue;     /* not sent or not acknowledged, bytes */
	__u32 inode;      /* of the socket's file; 0 when not known */
	__u8 state;       /* TCP state */
	__u8 flags;       /* enum cw_flag */
	__u16 reserved;
	__u32 fin_timeout_ms; /* tcp_fin_timeout of its namespace; 0 when not known */
	__u32 reserved2;
	struct cw_tuple tuple;
};

#define CW_CONDEMNED_MAX 131072 /* at the same time, or as many as are tracked at the most */

/* Map `condemned`: what the releasing pass is told and what it answers, by the address of the struct sock. */
struct cw_condemned {
	__u64 cookie;
	__u64 timeout_ns;
	__s32 error;  /* what the task returned, when `verdict` is CW_GHOST */
	__u8 verdict; /* enum cw_verdict under the lock; CW_UNSEEN until the pass meets it */
	__u8 remains; /* the pass that verifies met it again */
	__u8 task;    /* enum cw_task: what is to be done with it */
	__u8 reserved;
};

/* A condemned socket that a releasing pass met: its answer is in the map. */
struct cw_met {
	__u64 sock, cookie;
};

/*
 * Peers that are asked at the same time. A salvo of our own making must not overrun a queue on its way, or live peers would
 * seem silent: netdev_max_backlog and a link's txqueuelen are 1000 packets by default, and timers of a second and more fire
 * together.
 */
#define CW_PROBES_MAX 400

/* Map `probes`: sockets whose peer is being asked. */
struct cw_probe {
	__u64 cookie;
	__u8 ended; /* the TCP state in which it left CLOSE_WAIT; 0: it has not */
	__u8 reserved;
	__u16 error; /* sk_err then: EPIPE after a reset by the peer */
	__u32 reserved2;
};

enum cw_task {
	CW_TASK_DESTROY,
	CW_TASK_PROBE,
	CW_TASK_RESTORE,
	CW_TASK_NONE, /* only its holders are looked for */
};

/* One descriptor of a looked-for socket. */
struct cw_holding {
	__u64 id;           /* the socket's address, or its inode number where bpf_sock_from_file() is missing */
	__u64 start_ns;     /* of the thread group, since boot (CLOCK_BOOTTIME) */
	__u64 continued_ns; /* CLOCK_MONOTONIC: when SIGCONT last woke it from a stop; 0: not that we know */
	__s32 tgid;
	__s32 fd;
	__u32 flags;       /* enum cw_holding_flag */
	__u32 cookie_half; /* of a dead one: the lower half of the socket's cookie, since addresses are reused; 0 by inode */
};

enum cw_holding_flag {
	CW_HOLDER_STOPPED = 1 << 0,
	CW_HOLDER_TRACED = 1 << 1,
	CW_HOLDER_FROZEN = 1 << 2,
	CW_HOLDING_DEAD = 1 << 3, /* the socket was released; this descriptor is what is left of it */
};

/* Values of the map `wanted_inodes`. */
enum cw_wanted { CW_WANTED_SUSPECT = 1, CW_WANTED_DEAD = 2 };

#define CW_RELEASED_MAX 65536 /* in the map `released`, at the same time */

enum cw_verdict {
	CW_UNSEEN = 0,
	CW_GHOST,
	CW_LEFT, /* no longer in CLOSE_WAIT, or another socket */
	CW_TOO_YOUNG,
	CW_NOT_SILENT, /* somebody still sends, or acknowledges */
	CW_UNSENT,     /* its send queue is not empty */
	CW_UNACCEPTED,
	CW_IS_MPTCP,
	CW_IN_REPAIR,
	CW_HAS_ULP,
	CW_IN_KERNEL,
};

_Static_assert(sizeof(struct cw_tuple) == 48, "shared with the kernel");
_Static_assert(sizeof(struct cw_suspect) == 72, "shared with the kernel");
_Static_assert(sizeof(struct cw_observation) == 104, "shared with the kernel");
_Static_assert(sizeof(struct cw_condemned) == 24 && sizeof(struct cw_probe) == 16, "shared with the kernel");
_Static_assert(sizeof(struct cw_holding) == 40, "shared with the kernel");

/*
 * The staleness policy on the socket itself; that a live holder was found and is not stopped is judged beside it.
 *
 * `slack_ns` is the resolution of the silence clocks, which count jiffies: the FIN itself carries an acknowledgement, so a
 * socket that never stirred again shows a silence up to two ticks short of its age, and would miss its deadline. It is
 * never short on age, which is measured in nanoseconds.
 */
static inline __attribute__((always_inline)) enum cw_verdict cw_judge(const struct cw_observation *seen,
								      __u64 timeout_ns, __u64 slack_ns)
{
	if (seen->state != CW_TCP_CLOSE_WAIT)
		return CW_LEFT;
	if (seen->age_ns < timeout_ns)
		return CW_TOO_YOUNG;
	if (seen->silence_ns + slack_ns < timeout_ns)
		return CW_NOT_SILENT;
	if (seen->wqueue)
		return CW_UNSENT;
	if (!(seen->flags & CW_ACCEPTED))
		return CW_UNACCEPTED;
	if (seen->flags & CW_MPTCP)
		return CW_IS_MPTCP;
	if (seen->flags & CW_REPAIR)
		return CW_IN_REPAIR;
	if (seen->flags & CW_ULP)
		return CW_HAS_ULP;
	if (seen->flags & CW_KERNEL)
		return CW_IN_KERNEL;
	return CW_GHOST;
}

/* Ticks between two readings of jiffies, the later one first; 0 for a reading that is a little in the future. */
static inline __attribute__((always_inline)) __u32 cw_ticks_since(__u32 now, __u32 then)
{
	__u32 ticks = now - then;

	return ticks > 0xffff0000U ? 0 : ticks;
}

/* The proven part of a number of elapsed ticks, in nanoseconds: the first one may have been almost over. */
static inline __attribute__((always_inline)) __u64 cw_ticks_ns(__u32 ticks, __u64 tick_ns)
{
	return ticks ? (__u64)(ticks - 1) * tick_ns : 0;
}

#endif
