/* SPDX-License-Identifier: Apache-2.0 */
/* System V IPC in the laboratory: IPC namespaces of its own, and actors in them. Failures as in lab.h. */
#ifndef TESTS_SYSTEM_LAB_IPC_H
#define TESTS_SYSTEM_LAB_IPC_H

#include <stdbool.h>
#include <stdint.h>

#include "lab.h"

#define LAB_IPC_USER 1500 /* no user of the system */
#define LAB_IPC_OTHER 1600

enum lab_ipc_kind { LAB_SHM, LAB_SEM, LAB_MSG };

struct lab_ipc {
	struct lab_actor keeper; /* root, in it */
	char path[64];
};

void lab_ipc_make(struct lab_ipc *ipc);
void lab_ipc_end(struct lab_ipc *ipc);

/* An actor in the namespace, as this user; 0: root. */
void lab_ipc_actor(const struct lab_ipc *ipc, struct lab_actor *actor, const char *comm, long uid);

long deed_new_ipc(const long *args);
long deed_join_ipc(const long *args); /* pid */

/* Key 0 is IPC_PRIVATE. -> id */
long deed_ipc_get(const long *args);    /* kind, key, bytes or semaphores */
long deed_ipc_exists(const long *args); /* kind, id -> 0 or 1 */
long deed_ipc_remove(const long *args); /* kind, id */

long deed_shm_attach(const long *args); /* id -> 0; every byte is readable, the first is set to 42 */
long deed_shm_detach(const long *args);
long deed_shm_read(const long *args);  /* -> the first byte of what is attached */
long deed_sem_op(const long *args);    /* id, semaphore, delta, may it wait, is it undone -> 0 */
long deed_sem_set(const long *args);   /* id, semaphore, value */
long deed_msg_send(const long *args);  /* id */
long deed_msg_fetch(const long *args); /* id, may it wait -> bytes */
long deed_limit(const long *args);     /* enum lab_ipc_kind of shmmni, -, msgmni; value */

/* Forks a child in a new pid namespace that makes an object there, and ends (args[3] 0) or stays. -> id */
long deed_ipc_in_pid_namespace(const long *args); /* kind, key, size, stay */

/* Forks a child whose first thread ends and whose second stays. -> its pid */
long deed_fork_headless(const long *args); /* uid */

/* Forks a child that gets this very pid, if it is free, and stays. -> its pid, or -errno */
long deed_fork_as(const long *args);

/* ---- the daemon with sysv_ipc alone ------------------------------------------------------------------------------- */

struct lab_ipc_setup {
	const struct lab_ipc *ipc; /* the scope */
	const char *timeout;       /* "1s" when NULL */
	const char *options;       /* more of sysv_ipc */
	const char *guard;         /* options of the guard; LAB_CALM when NULL */
	bool observe;              /* only looks, in an open scope */
	bool anew;                 /* see lab_daemon_begin() */
};
void lab_ipc_daemon_configure(struct lab_daemon *daemon, const struct lab_ipc_setup *setup); /* writes the file only */
void lab_ipc_daemon_start(struct lab_daemon *daemon, const struct lab_ipc_setup *setup);

/* Events about one object; `reason` may be NULL. */
unsigned int lab_ipc_count(const struct lab_daemon *daemon, const char *event, const char *reason,
			   enum lab_ipc_kind kind, long id);
/* Waits for the first; borrowed. */
json_t *lab_ipc_expect(struct lab_daemon *daemon, const char *event, const char *reason, enum lab_ipc_kind kind,
		       long id);

#endif
