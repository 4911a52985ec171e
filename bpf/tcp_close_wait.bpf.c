// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * tcp_close_wait in the kernel: a tracepoint that keeps the map of sockets in CLOSE_WAIT, and iterators that look at them,
 * find who holds them, and release them under the socket's lock. User space is never woken from here.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "process_ends.bpf.h"
#include "tcp_close_wait.h"

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define IPPROTO_TCP 6
#define SOL_SOCKET 1
#define SO_KEEPALIVE 9
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT 6
#define SIGNAL_STOP_STOPPED 0x00000001
#define SIGNAL_STOP_CONTINUED 0x00000002
#define SIGCONT 18
#define PF_FROZEN 0x00010000   /* before 6.1 */
#define TASK_FROZEN 0x00008000 /* from 6.1 */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What the loader found the kernel to have. */
const volatile bool has_cookie;         /* bpf_get_socket_cookie() in tracing programs: 5.12 */
const volatile bool has_sock_from_file; /* bpf_sock_from_file(): 5.11 */
const volatile __u64 tick_ns = 10000000;
const volatile __u64 slack_ns = 20000000;

/* Told by user space before a pass. */
__u64 look_timeout_ns; /* the shortest timeout of any rule */
__u64 look_started_ns; /* when this pass over the holders' sockets began; they were checked since then */
bool look_all;         /* look at what is not due, too */
bool holders_of_condemned;
bool holders_of_released; /* those, too */
bool verifying;
bool probing; /* the map `probes` is not empty */
__u32 probe_interval_s;
bool scoped;

/* Told to user space. */
__u64 missed;   /* sockets that entered CLOSE_WAIT and found no room in the map */
__u64 unplaced; /* sockets that a look found and that found no room either */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, __u64);
	__type(value, struct cw_suspect);
} suspects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CW_CONDEMNED_MAX);
	__type(key, __u64);
	__type(value, struct cw_condemned);
} condemned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CW_PROBES_MAX);
	__type(key, __u64);
	__type(value, struct cw_probe);
} probes SEC(".maps");

/* Inode numbers of the sockets whose holders are looked for, where a file does not tell its socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, __u64);
	__type(value, __u8);
} wanted_inodes SEC(".maps");

/* Cookies of what was released, by the address of the struct sock: not reused while a descriptor of it is open. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CW_RELEASED_MAX);
	__type(key, __u64);
	__type(value, __u64);
} released SEC(".maps");

/* When a process that was stopped went on, by thread group. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __s32);
	__type(value, __u64);
} continued SEC(".maps");

/* Network namespaces in scope; asked only when `scoped`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} scope_netns SEC(".maps");

extern int bpf_sock_destroy(struct sock_common *sk) __ksym __weak;

static __always_inline void tuple_read(struct cw_tuple *tuple, const struct sock_common *skc)
{
	tuple->netns = skc->skc_net.net->ns.inum;
	tuple->family = skc->skc_family;
	tuple->local_port = skc->skc_num;
	tuple->remote_port = __builtin_bswap16(skc->skc_dport);
	tuple->bound_if = skc->skc_bound_dev_if;
	if (skc->skc_family == CW_AF_INET6) {
		__u32 *local = (__u32 *)tuple->local_addr, *remote = (__u32 *)tuple->remote_addr;

		local[0] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[0];
		local[1] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[1];
		local[2] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[2];
		local[3] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
		remote[0] = skc->skc_v6_daddr.in6_u.u6_addr32[0];
		remote[1] = skc->skc_v6_daddr.in6_u.u6_addr32[1];
		remote[2] = skc->skc_v6_daddr.in6_u.u6_addr32[2];
		remote[3] = skc->skc_v6_daddr.in6_u.u6_addr32[3];
	} else {
		*(__u32 *)tuple->local_addr = skc->skc_rcv_saddr;
		*(__u32 *)tuple->remote_addr = skc->skc_daddr;
	}
}

static __always_inline bool netns_in_scope(__u32 netns)
{
	return !scoped || bpf_map_lookup_elem(&scope_netns, &netns);
}

static __noinline int suspect_enter(struct sock *sk)
{
	struct cw_suspect suspect = {};
	__u64 key = (__u64)sk;

	tuple_read(&suspect.tuple, &sk->__sk_common);
	if (!netns_in_scope(suspect.tuple.netns))
		return 0;
	suspect.since_ns = bpf_ktime_get_ns();
	suspect.checked_ns = suspect.since_ns;
	if (has_cookie)
		suspect.cookie = bpf_get_socket_cookie(sk);
	if (bpf_map_update_elem(&suspects, &key, &suspect, BPF_ANY))
		__sync_fetch_and_add(&missed, 1);
	return 0;
}

static __always_inline void suspect_leave(struct sock *sk, int newstate)
{
	__u64 key = (__u64)sk;
	struct cw_probe *probe;

	/* In this order: who finds no suspect any more finds how it ended. */
	probe = probing ? bpf_map_lookup_elem(&probes, &key) : NULL;
	if (probe && !probe->ended) {
		probe->error = sk->sk_err;
		probe->ended = newstate;
	}
	bpf_map_delete_elem(&suspects, &key);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(close_wait_track, struct sock *sk, int oldstate, int newstate)
{
	if (newstate != CW_TCP_CLOSE_WAIT && oldstate != CW_TCP_CLOSE_WAIT)
		return 0;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (newstate == CW_TCP_CLOSE_WAIT)
		suspect_enter(sk);
	else
		suspect_leave(sk, newstate);
	return 0;
}

/*
 * Stopped processes are seen when somebody looks; one that was stopped and goes on in between only here. The flag is set
 * before the tracepoint, and only when there was a stop to end.
 */
SEC("tp_btf/signal_generate")
int BPF_PROG(close_wait_continued, int signal, void *info, struct task_struct *task)
{
	__u64 now;
	__s32 tgid;

	if (signal != SIGCONT || !(task->signal->flags & SIGNAL_STOP_CONTINUED))
		return 0;
	now = bpf_ktime_get_ns();
	tgid = task->tgid;
	bpf_map_update_elem(&continued, &tgid, &now, BPF_ANY);
	return 0;
}

static __always_inline __u64 silence_read(const struct tcp_sock *tcp)
{
	__u32 sent = tcp->lsndtime, acked = tcp->rcv_tstamp, received = tcp->inet_conn.icsk_ack.lrcvtime;
	__u32 now = (__u32)bpf_jiffies64();
	__u32 ticks = cw_ticks_since(now, sent);

	if (cw_ticks_since(now, acked) < ticks)
		ticks = cw_ticks_since(now, acked);
	if (cw_ticks_since(now, received) < ticks)
		ticks = cw_ticks_since(now, received);
	return cw_ticks_ns(ticks, tick_ns);
}

static __always_inline __u32 hertz(void)
{
	return (__u32)(1000000000 / tick_ns);
}

static __always_inline __u8 keepalive_read(const struct tcp_sock *tcp)
{
	const struct sock *sk = &tcp->inet_conn.icsk_inet.sk;
	const struct netns_ipv4 *ipv4 = &sk->__sk_common.skc_net.net->ipv4;
	bool on = sk->__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN) & 1;
	__u8 flags = 0;

	if (on && tcp->keepalive_probes == CW_PROBE_COUNT && tcp->keepalive_time == CW_PROBE_IDLE_S * hertz())
		return CW_PROBED;
	/* A value equal to the namespace's own reads the same for the application as none: a probe leaves these behind. */
	if ((tcp->keepalive_time && tcp->keepalive_time != (__u32)ipv4->sysctl_tcp_keepalive_time) ||
	    (tcp->keepalive_intvl && tcp->keepalive_intvl != (__u32)ipv4->sysctl_tcp_keepalive_intvl) ||
	    (tcp->keepalive_probes && tcp->keepalive_probes != ipv4->sysctl_tcp_keepalive_probes))
		flags |= CW_KEEPALIVE_SET;
	return on ? flags | CW_KEEPALIVE : flags;
}

static __always_inline __u8 flags_read(struct tcp_sock *tcp)
{
	struct sock *sk = &tcp->inet_conn.icsk_inet.sk;
	__u8 flags = keepalive_read(tcp);

	if (sk->sk_socket)
		flags |= CW_ACCEPTED;
	if (bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp) /* not there without CONFIG_MPTCP */
		flags |= CW_MPTCP;
	if (BPF_CORE_READ_BITFIELD(tcp, repair))
		flags |= CW_REPAIR;
	if (tcp->inet_conn.icsk_ulp_ops)
		flags |= CW_ULP;
	if (sk->sk_user_data)
		flags |= CW_KERNEL;
	return flags;
}

/* Everything but the age, which the map knows. */
static __always_inline void observation_read(struct cw_observation *seen, struct tcp_sock *tcp)
{
	struct sock *sk = &tcp->inet_conn.icsk_inet.sk;
	struct socket *socket = sk->sk_socket;

	seen->silence_ns = silence_read(tcp);
	seen->rqueue = tcp->rcv_nxt - tcp->copied_seq;
	seen->wqueue = tcp->write_seq - tcp->snd_una;
	seen->state = sk->__sk_common.skc_state;
	seen->flags = flags_read(tcp);
	if (socket && socket->file)
		seen->inode = socket->file->f_inode->i_ino;
	seen->fin_timeout_ms = (__u64)sk->__sk_common.skc_net.net->ipv4.sysctl_tcp_fin_timeout * tick_ns / 1000000;
	tuple_read(&seen->tuple, &sk->__sk_common);
}

/*
 * Looks at every socket in CLOSE_WAIT of the reader's network namespace and writes a struct cw_observation for each that
 * is due. One that is not in the map yet (from before the start, or missed) is put there with its proven age.
 * The iterator shows an element again when it did not fit: it is marked as checked only after it was written.
 */
SEC("iter/tcp")
int close_wait_look(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct cw_observation seen = {};
	struct cw_suspect *suspect;
	struct tcp_sock *tcp;
	__u64 key = (__u64)skc, now;

	if (!skc || skc->skc_state != CW_TCP_CLOSE_WAIT)
		return 0;
	tcp = bpf_skc_to_tcp_sock(skc);
	if (!tcp)
		return 0;

	now = bpf_ktime_get_ns();
	observation_read(&seen, tcp);
	seen.sock = key;
	if (has_cookie)
		seen.cookie = bpf_get_socket_cookie(tcp);
	suspect = bpf_map_lookup_elem(&suspects, &key);
	if (!suspect) {
		struct cw_suspect found = {
			.since_ns = now - seen.silence_ns, .cookie = seen.cookie, .tuple = seen.tuple};

		found.checked_ns = found.since_ns;
		if (bpf_map_update_elem(&suspects, &key, &found, BPF_ANY))
			__sync_fetch_and_add(&unplaced, 1);
		suspect = bpf_map_lookup_elem(&suspects, &key);
		if (!suspect)
			return 0;
	}
	if (!look_all && suspect->checked_ns + look_timeout_ns > now && !(seen.flags & CW_PROBED))
		return 0;
	seen.age_ns = now > suspect->since_ns ? now - suspect->since_ns : 0;
	if (bpf_seq_write(ctx->meta->seq, &seen, sizeof(seen)))
		return 0;
	/* What stirred is due again when it has been silent for long enough, everything else after a whole timeout. */
	switch (cw_judge(&seen, look_timeout_ns, slack_ns)) {
	case CW_TOO_YOUNG:
		break;
	case CW_NOT_SILENT:
		suspect->checked_ns = now - seen.silence_ns;
		break;
	default:
		suspect->checked_ns = now;
	}
	return 0;
}

static __always_inline int keepalive_set(struct tcp_sock *tcp, int idle_s, int interval_s, int count, int on)
{
	int r = bpf_setsockopt(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));

	if (!r)
		r = bpf_setsockopt(tcp, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	if (!r)
		r = bpf_setsockopt(tcp, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	if (!r)
		r = bpf_setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return r;
}

static __always_inline int keepalive_probe(struct tcp_sock *tcp)
{
	return keepalive_set(tcp, CW_PROBE_IDLE_S, probe_interval_s, CW_PROBE_COUNT, 1);
}

/* What the application reads afterwards is what it read before: off, with the namespace's values. */
static __always_inline int keepalive_restore(struct tcp_sock *tcp)
{
	const struct netns_ipv4 *ipv4 = &tcp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ipv4;
	__u32 hz = hertz();

	return keepalive_set(tcp, ipv4->sysctl_tcp_keepalive_time / hz, ipv4->sysctl_tcp_keepalive_intvl / hz,
			     ipv4->sysctl_tcp_keepalive_probes, 0);
}

/* What the condemned socket deserves by now, and that at once: the caller holds its lock. */
static __always_inline void condemned_decide(struct cw_condemned *doomed, struct tcp_sock *tcp, struct sock_common *skc)
{
	struct cw_observation seen = {};
	struct cw_suspect *suspect;
	__u64 key = (__u64)skc, now;

	if (bpf_get_socket_cookie(tcp) != doomed->cookie) {
		doomed->verdict = CW_LEFT;
		return;
	}
	now = bpf_ktime_get_ns();
	observation_read(&seen, tcp);
	suspect = bpf_map_lookup_elem(&suspects, &key);
	if (suspect && now > suspect->since_ns)
		seen.age_ns = now - suspect->since_ns;
	doomed->verdict = cw_judge(&seen, doomed->timeout_ns, slack_ns);
	if (doomed->task == CW_TASK_RESTORE) {
		doomed->verdict = CW_GHOST;
		doomed->error = seen.flags & CW_PROBED ? keepalive_restore(tcp) : 0;
	} else if (doomed->verdict == CW_GHOST && doomed->task == CW_TASK_PROBE) {
		doomed->error = keepalive_probe(tcp);
	} else if (doomed->verdict == CW_GHOST && bpf_sock_destroy) {
		doomed->error = bpf_sock_destroy(skc);
	}
}

/*
 * Releases what is condemned, in the reader's network namespace, if under the lock it still deserves it. Writes a struct
 * cw_met for each that it met, so that a read ends after two thousand of them. A walk that goes on after a read may have lost its
 * place by what was destroyed before it: the pass that verifies releases what the first one did not meet.
 */
SEC("iter/tcp")
int close_wait_release(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct cw_condemned *doomed;
	struct tcp_sock *tcp;
	__u64 key = (__u64)skc;
	struct cw_met met = {};

	if (!skc)
		return 0;
	doomed = bpf_map_lookup_elem(&condemned, &key);
	if (!doomed || doomed->task == CW_TASK_NONE)
		return 0;
	tcp = bpf_skc_to_tcp_sock(skc);
	if (!tcp)
		return 0;
	if (doomed->verdict == CW_UNSEEN)
		condemned_decide(doomed, tcp, skc);
	else if (verifying && bpf_get_socket_cookie(tcp) == doomed->cookie)
		doomed->remains = 1;
	met.sock = key;
	met.cookie = doomed->cookie;
	bpf_seq_write(ctx->meta->seq, &met, sizeof(met));
	return 0;
}

static __always_inline __u32 holding_flags(struct task_struct *leader)
{
	__u32 flags = 0;

	if (leader->signal->flags & SIGNAL_STOP_STOPPED)
		flags |= CW_HOLDER_STOPPED;
	if (leader->ptrace)
		flags |= CW_HOLDER_TRACED;
	if (BPF_CORE_READ_BITFIELD(leader, frozen) || leader->flags & PF_FROZEN)
		flags |= CW_HOLDER_FROZEN;
	if (bpf_core_field_exists(leader->__state) && leader->__state & TASK_FROZEN)
		flags |= CW_HOLDER_FROZEN;
	return flags;
}

static __always_inline bool is_wanted(__u64 id)
{
	struct cw_suspect *suspect;

	if (holders_of_condemned)
		return bpf_map_lookup_elem(&condemned, &id);
	suspect = bpf_map_lookup_elem(&suspects, &id);
	return suspect && suspect->checked_ns >= look_started_ns;
}

static __always_inline bool is_released(struct sock *sk, __u32 *cookie_half)
{
	__u64 id = (__u64)sk, *cookie;

	if (!holders_of_released || !sk)
		return false;
	cookie = bpf_map_lookup_elem(&released, &id);
	if (!cookie || *cookie != (__u64)sk->__sk_common.skc_cookie.counter)
		return false;
	*cookie_half = (__u32)*cookie;
	return true;
}

/* Whose descriptor it is, if anybody asked. */
static __always_inline bool holding_find(struct file *file, struct cw_holding *holding)
{
	struct socket *socket;
	__u8 *wanted;

	if (!has_sock_from_file) {
		holding->id = file->f_inode->i_ino;
		wanted = bpf_map_lookup_elem(&wanted_inodes, &holding->id);
		if (wanted && *wanted == CW_WANTED_DEAD)
			holding->flags = CW_HOLDING_DEAD;
		return wanted;
	}
	socket = bpf_sock_from_file(file);
	if (!socket)
		return false;
	holding->id = (__u64)socket->sk;
	if (is_released(socket->sk, &holding->cookie_half))
		holding->flags = CW_HOLDING_DEAD;
	return holding->flags || is_wanted(holding->id);
}

/* Writes a struct cw_holding for each descriptor, of any process, of a socket that was just looked at. */
SEC("iter/task_file")
int close_wait_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct file *file = ctx->file;
	struct cw_holding holding = {};
	__u64 *went_on;

	if (!task || !file || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK || !holding_find(file, &holding))
		return 0;
	leader = task->group_leader;
	holding.start_ns = leader->start_boottime;
	holding.tgid = task->tgid;
	went_on = bpf_map_lookup_elem(&continued, &holding.tgid);
	if (went_on)
		holding.continued_ns = *went_on;
	holding.fd = ctx->fd;
	holding.flags |= holding_flags(leader);
	bpf_seq_write(ctx->meta->seq, &holding, sizeof(holding));
	return 0;
}
