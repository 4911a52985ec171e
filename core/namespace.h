/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which namespaces there are, and how to open one. A namespace is named by the inode of its nsfs file. No descriptor of
 * one is kept: it would pin a dead container's namespace.
 */
#ifndef CORE_NAMESPACE_H
#define CORE_NAMESPACE_H

#include <stdint.h>

#include <eghostbuster/plugin.h>

#define NAMESPACE_RUN_PATH "/run/netns" /* where ip-netns(8) keeps names; /var/run is a link to /run */
#define NAMESPACE_COUNT_MAX 65536

/* Where namespaces are searched, and hints to where they were found last. */
struct namespaces;

/* "/proc" and NAMESPACE_RUN_PATH, or folders that look like them; the latter may be missing. -errno. */
int namespaces_new(const char *proc_path, const char *run_path, struct namespaces **ret_namespaces);
void namespaces_free(struct namespaces *namespaces); /* NULL is fine */

/* "net", "ipc": the file in /proc/PID/ns. NULL for another kind. */
const char *namespace_kind_name(uint32_t kind);

/* The CLONE_NEW... flag of a kind; 0 for another kind. */
int namespace_kind_flag(uint32_t kind);

/*
 * Calls `fn` once for each namespace of `kind` that a process lives in (with its pid) or, for GB_NS_NET, that has a name
 * in /run/netns (pid 0); stops at the first value other than 0 and returns it. All are collected before the first call.
 * -E2BIG: more than NAMESPACE_COUNT_MAX; -EINVAL: unknown kind; -errno when /proc cannot be walked.
 */
int namespace_each(struct namespaces *namespaces, uint32_t kind, int (*fn)(const struct gb_ns *ns, void *arg),
		   void *arg);

/*
 * Opens it: by ns->pid, by its socket, by where it was seen last, by name, by a walk over /proc, whichever first has this
 * very inode.
 * The caller closes the descriptor as soon as it has used it. -ESRCH: there is none (any more); -EINVAL: unknown kind.
 */
int namespace_open(struct namespaces *namespaces, const struct gb_ns *ns, int *ret_fd);

/*
 * The inode of what a user calls `name`: a name under /run/netns (GB_NS_NET only), or an absolute path such as
 * /proc/PID/ns/net. -EINVAL: no such name can exist, or it is no namespace of this kind; -ENOENT and others of open(2).
 * Opens nothing but namespaces, so a FIFO cannot stall it.
 */
int namespace_resolve(uint32_t kind, const char *name, uint64_t *ret_inode);

/* The inode of an open namespace. -EINVAL when the descriptor is something else, or of another kind. */
int namespace_inode(uint32_t kind, int ns_fd, uint64_t *ret_inode);

#endif
