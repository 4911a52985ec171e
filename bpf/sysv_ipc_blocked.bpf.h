/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sysv_ipc in the kernel, who sleeps: which object a task is blocked on, from the registers of its system call. A part of
 * sysv_ipc.bpf.c, which includes it.
 */
#ifndef BPF_SYSV_IPC_BLOCKED_H
#define BPF_SYSV_IPC_BLOCKED_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sysv_ipc.h"

#define SIGNAL_STOP_STOPPED 0x00000001
#define PF_FROZEN 0x00010000 /* before 6.1 */

#if defined(__TARGET_ARCH_x86)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___x86 {
	unsigned long bx;
	unsigned long cx;
	unsigned long di;
	unsigned long orig_ax;
};

struct thread_info___x86 {
	unsigned int status;
};

struct task_struct___x86 {
	struct thread_info___x86 thread_info;
};

#pragma clang attribute pop

#define TS_COMPAT 0x0002
#define X32_SYSCALL 0x40000000

/* Which object a system call of the i386 personality may sleep on. */
static __always_inline bool blocked_compat(struct sysv_sighting *seen, struct pt_regs___x86 *regs)
{
	__u32 number = (__u32)regs->orig_ax, call = (__u32)regs->bx & 0xffff;

	seen->id = (__s32)regs->bx;
	switch (number) {
	case 400: /* msgsnd */
	case 401: /* msgrcv */
		seen->kind = SYSV_MSG;
		return true;
	case 420: /* semtimedop_time64 */
		seen->kind = SYSV_SEM;
		return true;
	case 117: /* ipc(2): the call, then the id */
		seen->id = (__s32)regs->cx;
		seen->kind = call == 11 || call == 12 ? SYSV_MSG : SYSV_SEM;
		return call == 11 || call == 12 || call == 1 || call == 4;
	}
	return false;
}

static __always_inline bool blocked_read(struct sysv_sighting *seen, struct task_struct *task)
{
	struct task_struct___x86 *x86 = (void *)task;
	struct pt_regs___x86 *regs = (void *)bpf_task_pt_regs(task);

	if (bpf_core_field_exists(x86->thread_info) && x86->thread_info.status & TS_COMPAT)
		return blocked_compat(seen, regs);
	seen->id = (__s32)regs->di;
	switch ((__u32)regs->orig_ax & ~X32_SYSCALL) {
	case 69: /* msgsnd */
	case 70: /* msgrcv */
		seen->kind = SYSV_MSG;
		return true;
	case 65:  /* semop */
	case 220: /* semtimedop */
		seen->kind = SYSV_SEM;
		return true;
	}
	return false;
}

#elif defined(__TARGET_ARCH_arm64)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___arm64 {
	__u64 orig_x0;
	int syscallno;
};

#pragma clang attribute pop

/* Not told apart from a call of the 32-bit personality, whose numbers mean other calls there: that is a false alarm. */
static __always_inline bool blocked_read(struct sysv_sighting *seen, struct task_struct *task)
{
	struct pt_regs___arm64 *regs = (void *)bpf_task_pt_regs(task);

	seen->id = (__s32)regs->orig_x0;
	switch (regs->syscallno) {
	case 188: /* msgrcv */
	case 189: /* msgsnd */
	case 400: /* 32-bit: msgsnd */
	case 401: /* 32-bit: msgrcv */
	case 301: /* 32-bit: msgsnd */
	case 302: /* 32-bit: msgrcv */
		seen->kind = SYSV_MSG;
		return true;
	case 192: /* semtimedop */
	case 193: /* semop */
	case 298: /* 32-bit: semop */
	case 312: /* 32-bit: semtimedop */
	case 420: /* 32-bit: semtimedop_time64 */
		seen->kind = SYSV_SEM;
		return true;
	}
	return false;
}

#else
#error "which registers hold a system call's number and first argument?"
#endif

/* One that was stopped while it slept has left the list that it slept on, and what it will go back to is not known here. */
static __always_inline bool paused_read(struct sysv_sighting *seen, struct task_struct *task)
{
	seen->kind = SYSV_KINDS;
	seen->id = -1;
	return task->signal->flags & SIGNAL_STOP_STOPPED || task->ptrace || task->flags & PF_FROZEN ||
	       BPF_CORE_READ_BITFIELD(task, frozen);
}

#endif
