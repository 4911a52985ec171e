/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects themselves, by shmctl(2), semctl(2) and msgctl(2). Everything in here acts on the IPC namespace of the calling
 * thread.
 */
#ifndef SYSV_IPC_OBJECT_H
#define SYSV_IPC_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "sysv_ipc.h"

struct sysv_object {
	uint32_t kind; /* enum sysv_kind */
	int32_t id;
	uint32_t index; /* in the kernel's table */
	uint32_t key;   /* 0: IPC_PRIVATE */
	uint32_t uid, creator_uid, mode;
	int64_t changed_s; /* wall clock: created, or IPC_SET */
	int64_t used_s;    /* wall clock: last attached, detached, sent, ... or changed */
	uint64_t size;     /* shm: bytes; sem: semaphores; msg: bytes it may hold */
	uint64_t count;    /* shm: attachments; msg: messages; sem: 0 */
	bool hidden_user;  /* it was used by a process that this pid namespace does not show */
	struct sysv_query answer;
};

/* The object with this index; -EINVAL, -EIDRM: there is none. `answer` is left alone. */
int sysv_object_at(uint32_t kind, uint32_t index, struct sysv_object *ret_object);

/* The object with this id, looked up anew; `index` is left alone. As above. */
int sysv_object_again(uint32_t kind, int32_t id, struct sysv_object *ret_object);

/* -errno of ...ctl(IPC_RMID). */
int sysv_object_remove(uint32_t kind, int32_t id);

/* Whether it is the same one, and nobody has used or changed it since. */
bool sysv_object_same(const struct sysv_object *a, const struct sysv_object *b);

/* The highest index of the kind that is in use; negative: none. */
int sysv_last_index(uint32_t kind);

/* The limits of the namespace. */
struct sysv_limits_of_ns {
	uint64_t shmmni, shmall, semmni, semmns, msgmni;
};
void sysv_limits_read(struct sysv_limits_of_ns *ret_limits);

/* What is in use, as the kernel counts it: objects of each kind, bytes of shared memory, semaphores. */
struct sysv_totals {
	uint64_t objects[SYSV_KINDS];
	uint64_t shm_bytes, semaphores;
};
void sysv_totals_read(struct sysv_totals *ret_totals);

#endif
