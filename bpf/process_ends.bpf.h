/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How processes ended. A stranger learns that from the kernel only while nobody has waited for the process, or from its
 * pidfd (Linux 6.15). Noted of every process, since the status 0 is an answer as well; a slot for each number instead of a
 * list costs one store, and asks nobody for room.
 * A part of the programs of a plugin, which include it.
 */
#ifndef BPF_PROCESS_ENDS_BPF_H
#define BPF_PROCESS_ENDS_BPF_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "process_ends.h"

#define SIGNAL_GROUP_EXIT 0x00000004

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROCESS_ENDS_MAX);
	__type(key, __u32);
	__type(value, struct process_end);
} process_ends SEC(".maps");

/*
 * The status is found as wait(2) finds it. It is there already: the kernel sets it before it tells of the exit, and wakes the
 * readers of a pidfd afterwards. When the last threads exit at the same moment each of them may be the last one in here; the
 * one that is later, at least, sees the status of the first thread.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_end_note, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct signal_struct *signal = task->signal;
	struct process_end end = {};
	__u32 slot;

	if (signal->live.counter > 0) /* not the last thread */
		return 0;
	end.start_ns = leader->start_boottime;
	end.tgid = task->tgid;
	end.status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
	slot = PROCESS_END_SLOT(end.tgid);
	bpf_map_update_elem(&process_ends, &slot, &end, BPF_ANY);
	return 0;
}

#endif
