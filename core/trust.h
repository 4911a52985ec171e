/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what root is about to trust. A path is walked part by part, each part opened once and checked by its descriptor,
 * so nothing can be exchanged between the check and the use:
 *  - every folder belongs to root or to the wanted owner, and nobody else may write to it. A sticky folder (/tmp) may be
 *    writable by all, because what stands in it can only be exchanged by its owner, and each part's owner is checked;
 *  - a symbolic link on the way (/lib) is followed when it belongs to root or the wanted owner; it is never followed as
 *    the last part of a file's path;
 *  - the file is a regular one, belongs to root or the wanted owner, and nobody else may write to it. Opening neither
 *    blocks on a FIFO nor wakes a device.
 *
 * The wanted owner is 0 in the daemon; unit tests, which run as anybody, pass their own.
 * On failure, -errno (-EACCES: not trusted), and *ret_refusal is one sentence, to be freed by the caller.
 */
#ifndef CORE_TRUST_H
#define CORE_TRUST_H

#include <sys/types.h>

/* A file, for reading. */
int trust_open_file(const char *path, uid_t owner, int *ret_fd, char **ret_refusal);

/* A folder, for reading and as the start of trust_open_in(). */
int trust_open_folder(const char *path, uid_t owner, int *ret_fd, char **ret_refusal);

/* The file `name` (without a slash) in a folder that trust_open_folder() opened; `folder` is its path, for messages. */
int trust_open_in(int folder_fd, const char *folder, const char *name, uid_t owner, int *ret_fd, char **ret_refusal);

#endif
