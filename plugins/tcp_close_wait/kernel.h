/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF side: loaded in the best form that this kernel takes, found by trying. */
#ifndef TCP_CLOSE_WAIT_KERNEL_H
#define TCP_CLOSE_WAIT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp_close_wait.h"

enum cw_method { CW_METHOD_AUTO, CW_METHOD_ITERATOR, CW_METHOD_SOCK_DIAG };

struct tcp_close_wait_bpf;

struct cw_kernel {
	struct tcp_close_wait_bpf *skel;
	bool looks;             /* an iterator looks at the sockets, and holders are found by the socket's address;
			    * else sock_diag dumps them, and holders are found by the inode number */
	bool acts;              /* an iterator may change a socket under its lock: it probes */
	bool releases;          /* bpf_sock_destroy() under the socket's lock; else SOCK_DESTROY with the cookie */
	uint32_t condemned_max; /* sockets that may be condemned at a time */
	uint64_t tick_ns;       /* of jiffies */
	uint64_t slack_ns;      /* by which a silence may fall short, see cw_judge() */
};

struct cw_entry {
	uint64_t sock;
	struct cw_suspect suspect;
};

/*
 * Loads and attaches. -EOPNOTSUPP when `method` is CW_METHOD_ITERATOR and this kernel has no bpf_sock_destroy(); else as
 * bpf(2), with libbpf's last words in `ret_why`.
 */
int cw_kernel_open(struct cw_kernel *kernel, enum cw_method method, uint32_t max_tracked, char *ret_why,
		   size_t why_size);
void cw_kernel_close(struct cw_kernel *kernel);

/* A place in one of the kernel's maps, to go on from; zeroed before the first call. */
struct cw_cursor {
	uint32_t position;
	bool begun;
};

/* Calls `fn` for some thousands of the suspects in the map: 1 when there are more, 0 after the last, or what `fn` failed with. */
int cw_kernel_walk(const struct cw_kernel *kernel, struct cw_cursor *cursor,
		   int (*fn)(const struct cw_entry *entry, void *arg), void *arg);
int cw_kernel_find(const struct cw_kernel *kernel, uint64_t sock, struct cw_suspect *ret_suspect); /* -ENOENT */
void cw_kernel_forget(const struct cw_kernel *kernel, uint64_t sock);

/* Suspects that found no room, and events that came while the tracepoint's program ran already: both need a repair. */
uint64_t cw_kernel_missed(const struct cw_kernel *kernel);
uint64_t cw_kernel_unplaced(
	const struct cw_kernel *kernel); /* those that a look found and the map still had no room for */
uint64_t cw_kernel_recursion_misses(const struct cw_kernel *kernel);

/* Replaces the set of namespaces in scope; count 0 with scoped: none. */
int cw_kernel_scope(const struct cw_kernel *kernel, bool scoped, const uint32_t *netns, size_t count);

enum cw_pass { CW_PASS_LOOK, CW_PASS_RELEASE, CW_PASS_HOLDERS };

/* A descriptor to read the pass's records from; looks at the network namespace of the calling thread. */
int cw_kernel_pass(const struct cw_kernel *kernel, enum cw_pass pass);

/* What the next pass is told. */
void cw_kernel_tell_look(const struct cw_kernel *kernel, uint64_t timeout_ns, bool all);
void cw_kernel_tell_holders(const struct cw_kernel *kernel, uint64_t looked_since_ns, bool of_condemned);
void cw_kernel_tell_release(const struct cw_kernel *kernel, bool verify);

/* Sockets whose peer is being asked: what became of them is noted when they leave CLOSE_WAIT. */
int cw_kernel_probe_begin(const struct cw_kernel *kernel, uint64_t sock, uint64_t cookie);
int cw_kernel_probe_find(const struct cw_kernel *kernel, uint64_t sock, struct cw_probe *ret_probe);
void cw_kernel_probe_end(const struct cw_kernel *kernel, uint64_t sock);
void cw_kernel_tell_probe(const struct cw_kernel *kernel, bool probing, uint64_t interval_ns);

struct cw_sentence {
	uint64_t sock;
	struct cw_condemned condemned;
};

/* Tells the next pass about sockets, in one system call. At most `condemned_max` are condemned at a time. */
int cw_kernel_condemn(const struct cw_kernel *kernel, const uint64_t *socks, const struct cw_condemned *doomed,
		      uint32_t count);
void cw_kernel_pardon(const struct cw_kernel *kernel, uint64_t sock);

#define CW_DRAIN_MAX 4096

/* Takes at most CW_DRAIN_MAX answers back; their sockets are no longer condemned. 1 when there are more, 0 after the last. */
int cw_kernel_drain(const struct cw_kernel *kernel, struct cw_cursor *cursor, struct cw_sentence *ret_sentences,
		    uint32_t *ret_count);

/* What was released: CW_PASS_HOLDERS shows its descriptors, too, when it is told. In one system call; -E2BIG: there is no
 * room for more. *count becomes how many the kernel took, also on failure. */
int cw_kernel_released_add(const struct cw_kernel *kernel, const uint64_t *socks, const uint64_t *cookies,
			   uint32_t *count);
void cw_kernel_released_remove(const struct cw_kernel *kernel, uint64_t sock, uint64_t cookie); /* if it is still it */
void cw_kernel_tell_released(const struct cw_kernel *kernel, bool holders_of_released);

/* As gb_plugin.ended. */
int cw_kernel_ended(const struct cw_kernel *kernel, int32_t pid, uint64_t start_ticks, int32_t *ret_status);

/* The inode numbers for CW_PASS_HOLDERS where !looks. One for which there is no room is not found. */
void cw_kernel_want_inode(const struct cw_kernel *kernel, uint32_t inode);
void cw_kernel_want_dead_inode(const struct cw_kernel *kernel, uint32_t inode); /* of what was released */
void cw_kernel_unwant_inode(const struct cw_kernel *kernel, uint32_t inode);

#endif
