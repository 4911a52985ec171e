/* SPDX-License-Identifier: Apache-2.0 */
/* What the running kernel offers, found by trying it. Each lack is one sentence with its remedy; the daemon exits with 3. */
#ifndef CORE_KERNEL_H
#define CORE_KERNEL_H

#include <stdint.h>

#include "problems.h"

#define KERNEL_BTF_PATH "/sys/kernel/btf/vmlinux"

union bpf_attr;

/* The seam for tests. */
struct kernel_probe {
	const char *btf_path;
	long (*bpf)(int command, union bpf_attr *attr, unsigned int size); /* as bpf(2): -1 and errno */
};

/* This machine's: KERNEL_BTF_PATH and bpf(2). */
extern const struct kernel_probe kernel_probe_host;

/*
 * `features`: enum gb_kernel_feature, of all plugins to be loaded; that bpf(2) answers is tried whenever any is wanted.
 * 0, or -EOPNOTSUPP and one sentence in `problems` for each lack. An unknown bit is a lack.
 */
int kernel_check(const struct kernel_probe *probe, uint32_t features, struct problems *problems);

/*
 * Whether the process has what it takes: all of `capabilities` effective (capability.h). 0, or -EPERM and one sentence.
 */
int kernel_check_privileges(uint64_t capabilities, struct problems *problems);

/* uname -r; "unknown" should that fail. */
#define KERNEL_RELEASE_SIZE 65
void kernel_release(char ret_release[KERNEL_RELEASE_SIZE]);

#endif
