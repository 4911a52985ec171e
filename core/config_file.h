/* SPDX-License-Identifier: Apache-2.0 */
/* Gets a configuration file into memory without trusting it: what it is, whose it is, how large. Inside of config*.c only. */
#ifndef CORE_CONFIG_FILE_H
#define CORE_CONFIG_FILE_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "problems.h"

/*
 * Whether a file of this stat(2) may configure a daemon that runs as `euid`: a regular file of root or `euid`, written by
 * nobody else, of at most CONFIG_FILE_MAX bytes. -EINVAL with one problem added.
 */
int config_file_judge(const char *path, const struct stat *stat, uid_t euid, struct problems *problems);

/*
 * Reads it whole, never waiting for a writer or a device. *ret_text is the caller's, *ret_size bytes and a NUL behind them.
 * -EINVAL with one problem added; -ENOMEM.
 */
int config_file_read(const char *path, struct problems *problems, char **ret_text, size_t *ret_size);

/*
 * Makes a text safe for libconfig: refuses NUL bytes, @include, too many names and numbers beyond 64 bits, and marks
 * numbers beyond 32 bits as 64 bits wide, which libconfig before 1.6 would silently cut. *ret_text is the caller's.
 * -EINVAL with problems added; -ENOMEM.
 */
int config_text_prepare(const char *file, const char *text, size_t size, struct problems *problems, char **ret_text);

#endif
