/* SPDX-License-Identifier: Apache-2.0 */
/* What BPF iterators write, read in slices. */
#ifndef PLUGINS_SUPPORT_ITERATOR_H
#define PLUGINS_SUPPORT_ITERATOR_H

#include <stddef.h>
#include <stdint.h>

struct bpf_link;

/* A descriptor to read a new pass of this iterator from, or -errno. It looks with the calling thread's namespaces. */
int iterator_open(const struct bpf_link *link);

/*
 * Reads records of `size` bytes and gives each to `take`, until the end or `until_ns` of CLOCK_MONOTONIC, at least one read.
 * 1 when there may be more, 0 at the end, -errno, or the negative number that `take` returned.
 */
int iterator_read(int fd, size_t size, uint64_t until_ns, int (*take)(const void *record, void *arg), void *arg);

#endif
