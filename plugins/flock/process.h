/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc tells of a process. */
#ifndef FLOCK_PROCESS_H
#define FLOCK_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the very process that started then still runs; one that is only waited for by its parent does not. -errno when
 * /proc does not say. */
int fl_process_runs(int32_t tgid, uint64_t start_ns);

/* The same from the text of /proc/PID/stat; -EPROTO. */
int fl_stat_runs(const char *stat, uint64_t start_ns);

enum fl_thread_state {
	FL_THREAD_WAITS,     /* asleep in a call that takes a lock */
	FL_THREAD_ELSEWHERE, /* asleep in another */
	FL_THREAD_UNKNOWN,   /* it runs, and may be on its way into such a call or out of it; or /proc does not say */
	FL_THREAD_GONE,
};

enum fl_thread_state fl_thread_state(int32_t tid);
enum fl_thread_state fl_syscall_state(const char *text); /* of /proc/TID/syscall */
bool fl_any_thread_waits(int32_t tgid);

/* The path that a descriptor stands for, "" when it cannot be told; -errno. */
int fl_descriptor_path(int32_t tgid, int32_t fd, char *ret_path, size_t size);

/* The path of the mapping that begins at `start`. */
int fl_mapping_path(int32_t tgid, uint64_t start, char *ret_path, size_t size);

/* As /proc/PID/stat counts: ticks since boot. */
uint64_t fl_start_ticks(uint64_t start_ns);

#endif
