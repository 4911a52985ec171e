/* SPDX-License-Identifier: Apache-2.0 */
/* Small reads from a /proc, given as a descriptor of the folder: the seam of all that looks at processes. */
#ifndef CORE_PROCFS_H
#define CORE_PROCFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* A folder as a descriptor for the *at() calls. -errno. */
int procfs_open(const char *path, int *ret_fd);

/*
 * Reads at most size - 1 bytes of a file and terminates them; what is longer is cut. Returns the number of bytes, or
 * -errno: a process that has gone shows as -ENOENT or -ESRCH.
 */
int procfs_read(int dir_fd, const char *name, char *buffer, size_t size);

/* Calls `fn` with each numeric name of a folder until it returns other than 0, and returns that; -errno. */
int procfs_each_number(int dir_fd, const char *name, int (*fn)(int32_t number, void *arg), void *arg);

/*
 * Finds ns/KIND of a process, below a descriptor of /proc, and its status. A main thread that has exited has none, so
 * the next threads are tried. `ret_path` is relative to proc_fd. -ESRCH when no thread shows it, -EACCES when it is
 * not permitted.
 */
#define PROCFS_NS_PATH_SIZE 64
int procfs_ns(int proc_fd, int32_t pid, const char *kind, char ret_path[PROCFS_NS_PATH_SIZE], struct stat *ret_status);

#endif
