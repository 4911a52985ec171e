/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors a process has open, and how many it may have. */
#ifndef CORE_PROCESS_FILES_H
#define CORE_PROCESS_FILES_H

#include <stdint.h>

#define PROCESS_FILES_COUNT_MAX 65536 /* no more are counted one by one */

struct process_files {
	uint64_t open;
	uint64_t limit; /* RLIMIT_NOFILE, the soft one; UINT64_MAX: none */
};

/*
 * Of the process `pid`, if it started at `start_ticks` (0: whoever has the pid). `proc_path`: "/proc". From Linux 6.2 on the
 * size of /proc/PID/fd is the number; before, the names are counted, which another user's process permits only to who may
 * read its folders: -EACCES. -ESRCH: gone, or another process by now; -EIO: something else than expected.
 */
int process_files_read(const char *proc_path, int32_t pid, uint64_t start_ticks, struct process_files *ret_files);

#endif
