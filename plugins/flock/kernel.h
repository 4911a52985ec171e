/* SPDX-License-Identifier: Apache-2.0 */
/* The BPF side: loaded in the best form that this kernel takes, found by trying. */
#ifndef FLOCK_KERNEL_H
#define FLOCK_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flock.h"

struct flock_bpf;

struct fl_kernel {
	struct flock_bpf *skel;
	bool walks; /* the locks of an inode can be listed; else only those whose taking was seen are known */
	bool maps;  /* mappings of a file can be found (Linux 5.13) */
	uint32_t bucket_mask;
};

enum fl_pass { FL_PASS_LOOK, FL_PASS_MAPPINGS, FL_PASS_SURVEY };

struct fl_wait_entry {
	struct fl_wait_key key;
	struct fl_wait wait;
};

/* Loads and attaches; as bpf(2), with libbpf's last words in `ret_why`. */
int fl_kernel_open(struct fl_kernel *kernel, uint32_t max_tracked, char *ret_why, size_t why_size);
void fl_kernel_close(struct fl_kernel *kernel);

/* A descriptor to read struct fl_record from. */
int fl_kernel_pass(const struct fl_kernel *kernel, enum fl_pass pass);

/* The inodes that the next passes are about. */
int fl_kernel_want(const struct fl_kernel *kernel, const struct fl_inode *inode);
void fl_kernel_unwant(const struct fl_kernel *kernel, const struct fl_inode *inode);

/* Calls `fn` for each entry of the map of waits; it may forget the entry. */
int fl_kernel_waits(const struct fl_kernel *kernel, int (*fn)(const struct fl_wait_entry *entry, void *arg), void *arg);
/* Unless it has changed since it was read. */
void fl_kernel_wait_forget(const struct fl_kernel *kernel, const struct fl_wait_entry *entry);

/* The acquisition that the kernel's side remembers; -ENOENT when there is none, or when it is not whole. */
int fl_kernel_acquisition(const struct fl_kernel *kernel, uint64_t inode, uint32_t dev, uint64_t file,
			  enum fl_kind kind, struct fl_slot *ret_slot);

uint64_t fl_kernel_missed(const struct fl_kernel *kernel); /* acquisitions that found no room */
uint64_t fl_kernel_missed_waits(const struct fl_kernel *kernel);
uint64_t fl_kernel_recursion_misses(const struct fl_kernel *kernel); /* events that no program saw */

#endif
