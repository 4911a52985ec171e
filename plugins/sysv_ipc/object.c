/* SPDX-License-Identifier: Apache-2.0 */
#include "object.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15 /* Linux 4.17 */
#endif
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

union semun {
	int val;
	struct semid_ds *buf;
	struct seminfo *info;
};

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void perm_take(struct sysv_object *object, const struct ipc_perm *perm)
{
	object->key = (uint32_t)perm->__key;
	object->uid = perm->uid;
	object->creator_uid = perm->cuid;
	object->mode = perm->mode;
}

static int shm_stat(int command, int which, struct sysv_object *object)
{
	struct shmid_ds shm;
	int id = shmctl(which, command, &shm);

	if (id < 0)
		return -errno;
	perm_take(object, &shm.shm_perm);
	object->id = command == IPC_STAT ? which : id;
	object->changed_s = shm.shm_ctime;
	object->used_s = latest(latest(shm.shm_atime, shm.shm_dtime), shm.shm_ctime);
	object->size = shm.shm_segsz;
	object->count = shm.shm_nattch;
	object->hidden_user = !shm.shm_cpid || (!shm.shm_lpid && (shm.shm_atime || shm.shm_dtime));
	return 0;
}

static int sem_stat(int command, int which, struct sysv_object *object)
{
	struct semid_ds sem;
	int id = semctl(which, 0, command, (union semun){.buf = &sem});

	if (id < 0)
		return -errno;
	perm_take(object, &sem.sem_perm);
	object->id = command == IPC_STAT ? which : id;
	object->changed_s = sem.sem_ctime;
	object->used_s = latest(sem.sem_otime, sem.sem_ctime);
	object->size = sem.sem_nsems;
	return 0;
}

static int msg_stat(int command, int which, struct sysv_object *object)
{
	struct msqid_ds msg;
	int id = msgctl(which, command, &msg);

	if (id < 0)
		return -errno;
	perm_take(object, &msg.msg_perm);
	object->id = command == IPC_STAT ? which : id;
	object->changed_s = msg.msg_ctime;
	object->used_s = latest(latest(msg.msg_stime, msg.msg_rtime), msg.msg_ctime);
	object->size = msg.msg_qbytes;
	object->count = msg.msg_qnum;
	object->hidden_user = (!msg.msg_lspid && msg.msg_stime) || (!msg.msg_lrpid && msg.msg_rtime);
	return 0;
}

int sysv_object_at(uint32_t kind, uint32_t index, struct sysv_object *ret_object)
{
	struct sysv_object object = {.kind = kind, .index = index};
	int r = -EINVAL;

	switch ((enum sysv_kind)kind) {
	case SYSV_SHM:
		r = shm_stat(SHM_STAT_ANY, (int)index, &object);
		break;
	case SYSV_SEM:
		r = sem_stat(SEM_STAT_ANY, (int)index, &object);
		break;
	case SYSV_MSG:
		r = msg_stat(MSG_STAT_ANY, (int)index, &object);
		break;
	}
	if (r == 0)
		*ret_object = object;
	return r;
}

int sysv_object_again(uint32_t kind, int32_t id, struct sysv_object *ret_object)
{
	struct sysv_object object = {.kind = kind, .index = ret_object->index};
	int r = -EINVAL;

	switch ((enum sysv_kind)kind) {
	case SYSV_SHM:
		r = shm_stat(IPC_STAT, id, &object);
		break;
	case SYSV_SEM:
		r = sem_stat(IPC_STAT, id, &object);
		break;
	case SYSV_MSG:
		r = msg_stat(IPC_STAT, id, &object);
		break;
	}
	if (r == 0)
		*ret_object = object;
	return r;
}

int sysv_object_remove(uint32_t kind, int32_t id)
{
	int r = -1;

	errno = EINVAL;
	switch ((enum sysv_kind)kind) {
	case SYSV_SHM:
		r = shmctl(id, IPC_RMID, NULL);
		break;
	case SYSV_SEM:
		r = semctl(id, 0, IPC_RMID);
		break;
	case SYSV_MSG:
		r = msgctl(id, IPC_RMID, NULL);
		break;
	}
	return r < 0 ? -errno : 0;
}

bool sysv_object_same(const struct sysv_object *a, const struct sysv_object *b)
{
	return a->kind == b->kind && a->id == b->id && a->key == b->key && a->uid == b->uid &&
	       a->creator_uid == b->creator_uid && a->mode == b->mode && a->changed_s == b->changed_s &&
	       a->used_s == b->used_s && a->size == b->size && a->count == b->count;
}

int sysv_last_index(uint32_t kind)
{
	struct seminfo sem;
	struct shminfo shm;
	struct msginfo msg;

	switch ((enum sysv_kind)kind) {
	case SYSV_SHM:
		return shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&shm);
	case SYSV_SEM:
		return semctl(0, 0, IPC_INFO, (union semun){.info = &sem});
	case SYSV_MSG:
		return msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&msg);
	}
	return -1;
}

void sysv_limits_read(struct sysv_limits_of_ns *ret_limits)
{
	struct seminfo sem = {0};
	struct shminfo shm = {0};
	struct msginfo msg = {0};

	shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&shm);
	semctl(0, 0, IPC_INFO, (union semun){.info = &sem});
	msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&msg);
	*ret_limits = (struct sysv_limits_of_ns){
		.shmmni = shm.shmmni,
		.shmall = shm.shmall,
		.semmni = (uint64_t)sem.semmni,
		.semmns = (uint64_t)sem.semmns,
		.msgmni = (uint64_t)msg.msgmni,
	};
}

void sysv_totals_read(struct sysv_totals *ret_totals)
{
	struct seminfo sem = {0};
	struct shm_info shm = {0};
	struct msginfo msg = {0};

	shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&shm);
	semctl(0, 0, SEM_INFO, (union semun){.info = &sem});
	msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&msg);
	*ret_totals = (struct sysv_totals){
		.objects = {(uint64_t)shm.used_ids, (uint64_t)sem.semusz, (uint64_t)msg.msgpool},
		.shm_bytes = shm.shm_tot * (uint64_t)sysconf(_SC_PAGESIZE),
		.semaphores = (uint64_t)sem.semaem,
	};
}
