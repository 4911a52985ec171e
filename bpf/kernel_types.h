/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel's types, trimmed to what the BPF programs here read. CO-RE relocates every field to where the running kernel
 * has it, so a build needs no BTF of any machine, and this file is the list of what the project relies on.
 * A suffix behind three underscores marks the layout of another kernel for the same type.
 */
#ifndef BPF_KERNEL_TYPES_H
#define BPF_KERNEL_TYPES_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct ns_common {
	unsigned int inum;
};

struct netns_ipv4 {
	int sysctl_tcp_keepalive_time; /* these in jiffies */
	int sysctl_tcp_keepalive_intvl;
	__u8 sysctl_tcp_keepalive_probes; /* int before 5.15 */
	int sysctl_tcp_fin_timeout;
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

enum sock_flags { SOCK_KEEPOPEN = 3 };

typedef struct {
	long counter;
} atomic64_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	void *sk_user_data;
	__u16 sk_protocol;
	int sk_err;
};

struct list_head {
	struct list_head *next;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct file_lock_context {
	struct list_head flc_flock;
	struct list_head flc_posix;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
	struct file_lock_context *i_flctx;
};

struct qstr {
	__u32 hash;
	__u32 len;
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	atomic_long_t refcnt;
} file_ref_t;

struct file {
	struct inode *f_inode;
	struct path f_path;
	atomic_long_t f_count; /* before 6.13 */
	file_ref_t f_ref;      /* from 6.13: one less than the number of references */
};

struct file_lock_core {
	struct list_head flc_list;
	struct list_head flc_blocked_requests;
	struct list_head flc_blocked_member;
	unsigned int flc_flags;
	unsigned char flc_type;
	int flc_pid;
	struct file *flc_file;
	void *flc_owner;
};

struct file_lock {
	struct file_lock_core c; /* from 6.9 */
	long long fl_start;
	long long fl_end;
};

struct file_lock___before_6_9 {
	struct list_head fl_list;
	struct list_head fl_blocked_requests;
	struct list_head fl_blocked_member;
	unsigned int fl_flags;
	unsigned char fl_type;
	unsigned int fl_pid;
	struct file *fl_file;
	void *fl_owner;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const void *icsk_ulp_ops;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_una;
	__u32 write_seq;
	__u32 lsndtime;
	__u32 rcv_tstamp;
	__u8 repair : 1;
	bool is_mptcp;
	unsigned int keepalive_time;
	unsigned int keepalive_intvl;
	__u8 keepalive_probes;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	atomic_t refs;
} refcount_t;

struct signal_struct {
	unsigned int flags;
	atomic_t live;
	int group_exit_code;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct upid {
	int nr;
};

struct pid {
	refcount_t count;
	struct hlist_head tasks[4]; /* by enum pid_type */
	struct upid numbers[1];
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
	kuid_t suid;
	kuid_t euid;
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct ipc_ids {
	int in_use;
	struct idr ipcs_idr;
	int last_idx; /* of the newest object */
};

struct ipc_namespace {
	struct ipc_ids ids[3]; /* semaphores, messages, shared memory */
	int used_sems;
	unsigned long shm_tot;
	struct ns_common ns;
};

struct nsproxy {
	struct ipc_namespace *ipc_ns;
};

struct kern_ipc_perm {
	bool deleted;
	int id;
	kuid_t cuid;
};

struct shmid_kernel {
	struct kern_ipc_perm shm_perm;
	struct pid *shm_cprid;
	struct pid *shm_lprid;
};

struct msg_queue {
	struct kern_ipc_perm q_perm;
	long long q_ctime;
	struct pid *q_lspid;
	struct pid *q_lrpid;
	struct list_head q_receivers;
	struct list_head q_senders;
};

struct sem {
	struct pid *sempid;
	struct list_head pending_alter;
	struct list_head pending_const;
};

struct sem_array {
	struct kern_ipc_perm sem_perm;
	long long sem_ctime;
	struct list_head pending_alter;
	struct list_head pending_const;
	struct list_head list_id; /* of those who have something to undo on it */
	int sem_nsems;
	struct sem sems[1];
};

struct kernfs_node {
	const char *name;
};

struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
};

struct kernfs_node___since_6_15 {
	struct kernfs_node *__parent;
};

struct cgroup_root {
	char name[64];
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct list_head cgrp_links;
};

/* Of a css_set: its cgroup in one hierarchy. */
struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct list_head cgrp_link;
};

struct fdtable {
	unsigned long *close_on_exec;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sem_undo_list;

struct sysv_sem {
	struct sem_undo_list *undo_list;
};

struct mm_struct {
	struct file *exe_file;
};

struct task_struct {
	int pid;
	int tgid;
	__u64 start_time; /* CLOCK_MONOTONIC */
	__u64 start_boottime;
	__u64 self_exec_id;
	char comm[16];
	struct mm_struct *mm;
	struct sysv_sem sysvsem;
	struct files_struct *files;
	struct task_struct *real_parent;
	unsigned int ptrace;
	unsigned int flags;
	int exit_code;
	unsigned int frozen : 1;
	unsigned int __state;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct nsproxy *nsproxy;
	struct pid *thread_pid;
	struct hlist_node pid_links[4]; /* by enum pid_type */
	struct css_set *cgroups;
	const struct cred *real_cred;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct vm_area_struct {
	unsigned long vm_start;
	struct file *vm_file;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute pop

#endif
