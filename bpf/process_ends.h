/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How processes ended: what the BPF program that notes it and user space share. Any plugin may include the pair. */
#ifndef BPF_PROCESS_ENDS_H
#define BPF_PROCESS_ENDS_H

#include <linux/types.h>

/* A process has the slot of its number: it is overwritten by the end of one whose number is equal in the lower bits. */
#define PROCESS_ENDS_MAX 4096
#define PROCESS_END_SLOT(tgid) ((__u32)(tgid) & (PROCESS_ENDS_MAX - 1))

struct process_end {
	__u64 start_ns; /* of the thread group, since boot (CLOCK_BOOTTIME) */
	__s32 tgid;
	__s32 status; /* as waitpid(2) gives it */
};

_Static_assert(sizeof(struct process_end) == 16, "shared with the kernel");

#endif
