/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

/* ---- namespaces and actors ---------------------------------------------------------------------------------------- */

long deed_new_ipc(const long *args)
{
	(void)args;
	return unshare(CLONE_NEWIPC) < 0 ? -errno : 0;
}

long deed_join_ipc(const long *args)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/ns/ipc", args[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || setns(fd, CLONE_NEWIPC) < 0 ? -errno : 0;
}

void lab_ipc_make(struct lab_ipc *ipc)
{
	lab_actor_start(&ipc->keeper, NULL, "keeper");
	lab_must(&ipc->keeper, deed_new_ipc, 0);
	snprintf(ipc->path, sizeof(ipc->path), "/proc/%d/ns/ipc", ipc->keeper.pid);
}

void lab_ipc_end(struct lab_ipc *ipc)
{
	lab_actor_kill(&ipc->keeper);
}

void lab_ipc_actor(const struct lab_ipc *ipc, struct lab_actor *actor, const char *comm, long uid)
{
	lab_actor_start(actor, NULL, comm);
	lab_must(actor, deed_join_ipc, ipc->keeper.pid);
	if (uid)
		lab_must(actor, deed_setuid, uid);
}

/* ---- objects ------------------------------------------------------------------------------------------------------ */

static long object_get(long kind, long key, long size)
{
	long id = -1;

	if (kind == LAB_SHM)
		id = shmget((key_t)key, (size_t)size, IPC_CREAT | 0666);
	if (kind == LAB_SEM)
		id = semget((key_t)key, (int)size, IPC_CREAT | 0666);
	if (kind == LAB_MSG)
		id = msgget((key_t)key, IPC_CREAT | 0666);
	return id < 0 ? -errno : id;
}

long deed_ipc_get(const long *args)
{
	return object_get(args[0], args[1], args[2]);
}

long deed_ipc_exists(const long *args)
{
	struct shmid_ds shm;
	struct semid_ds sem;
	struct msqid_ds msg;
	int r = -1;

	if (args[0] == LAB_SHM)
		r = shmctl((int)args[1], IPC_STAT, &shm);
	if (args[0] == LAB_SEM)
		r = semctl((int)args[1], 0, IPC_STAT, &sem);
	if (args[0] == LAB_MSG)
		r = msgctl((int)args[1], IPC_STAT, &msg);
	return r == 0;
}

long deed_ipc_remove(const long *args)
{
	int r = -1;

	if (args[0] == LAB_SHM)
		r = shmctl((int)args[1], IPC_RMID, NULL);
	if (args[0] == LAB_SEM)
		r = semctl((int)args[1], 0, IPC_RMID);
	if (args[0] == LAB_MSG)
		r = msgctl((int)args[1], IPC_RMID, NULL);
	return r < 0 ? -errno : 0;
}

static char *attached;

long deed_shm_attach(const long *args)
{
	void *memory = shmat((int)args[0], NULL, 0);

	if (memory == (void *)-1)
		return -errno;
	attached = memory;
	attached[0] = 42;
	return 0;
}

long deed_shm_detach(const long *args)
{
	(void)args;
	return shmdt(attached) < 0 ? -errno : 0;
}

long deed_shm_read(const long *args)
{
	(void)args;
	return attached[0];
}

long deed_sem_op(const long *args)
{
	struct sembuf op = {.sem_num = (unsigned short)args[1], .sem_op = (short)args[2]};

	op.sem_flg = (short)((args[3] ? 0 : IPC_NOWAIT) | (args[4] ? SEM_UNDO : 0));
	return semop((int)args[0], &op, 1) < 0 ? -errno : 0;
}

long deed_sem_set(const long *args)
{
	return semctl((int)args[0], (int)args[1], SETVAL, (int)args[2]) < 0 ? -errno : 0;
}

struct text {
	long type;
	char bytes[16];
};

long deed_msg_send(const long *args)
{
	struct text text = {.type = 1, .bytes = "hello"};

	return msgsnd((int)args[0], &text, sizeof(text.bytes), IPC_NOWAIT) < 0 ? -errno : 0;
}

long deed_msg_fetch(const long *args)
{
	struct text text;
	ssize_t got = msgrcv((int)args[0], &text, sizeof(text.bytes), 0, args[1] ? 0 : IPC_NOWAIT);

	return got < 0 ? -errno : got;
}

long deed_limit(const long *args)
{
	const char *path = args[0] == LAB_SHM ? "/proc/sys/kernel/shmmni" : "/proc/sys/kernel/msgmni";
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld", args[1]);

	return fd < 0 || write(fd, text, (size_t)length) != length ? -errno : 0;
}

long deed_ipc_in_pid_namespace(const long *args)
{
	int answer[2];
	long id = -EIO;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0 || pipe2(answer, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		id = object_get(args[0], args[1], args[2]);
		if (write(answer[1], &id, sizeof(id)) != sizeof(id))
			_exit(EXIT_FAILURE);
		while (args[3])
			pause();
		_exit(EXIT_SUCCESS);
	}
	if (read(answer[0], &id, sizeof(id)) != sizeof(id))
		id = -EIO;
	close(answer[0]);
	close(answer[1]);
	if (!args[3])
		waitpid(pid, NULL, 0);
	return id;
}

static void *wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

long deed_fork_headless(const long *args)
{
	pthread_t thread;
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	if (deed_setuid(args) != 0)
		_exit(EXIT_FAILURE);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		_exit(EXIT_FAILURE);
	syscall(SYS_exit, 0); /* of this thread alone */
	return 0;
}

long deed_fork_as(const long *args)
{
	pid_t want = (pid_t)args[0];
	struct clone_args clone = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&want, .set_tid_size = 1};
	/* glibc has no wrapper; no other fork can take the number, as it could after a write to ns_last_pid. */
	long pid = syscall(SYS_clone3, &clone, sizeof(clone));

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid < 0 ? -errno : pid;
}

/* ---- the daemon --------------------------------------------------------------------------------------------------- */

void lab_ipc_daemon_configure(struct lab_daemon *daemon, const struct lab_ipc_setup *setup)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	char link[128];
	FILE *file = open_memstream(&text, &size);

	lab_require(file && setup->ipc, "a daemon without a scope would look at the whole machine");
	fprintf(file, "ghostbuster: {\n  journal: { format = \"json\"; };\n  control = \"%s\";\n", daemon->control);
	if (setup->observe)
		fputs("  mode = \"observe\";\n", file);
	else
		fprintf(file, "  scope: { ipcns = (\"%s\"); };\n", lab_share_link(daemon, 0, setup->ipc->path, link));
	fprintf(file, "  guard: { %s };\n};\n", setup->guard ? setup->guard : LAB_CALM);
	fprintf(file, "plugins: { sysv_ipc: { enabled = true; timeout = \"%s\"; %s }; };\n",
		setup->timeout ? setup->timeout : "1s", setup->options ? setup->options : "");
	fclose(file);
	lab_write_file(daemon->config, 0600, text);
}

void lab_ipc_daemon_start(struct lab_daemon *daemon, const struct lab_ipc_setup *setup)
{
	lab_daemon_name(daemon, NULL);
	lab_ipc_daemon_configure(daemon, setup);
	lab_daemon_begin(daemon, setup->anew);
}

static bool event_is(const json_t *event, const char *name, const char *reason, enum lab_ipc_kind kind, long id)
{
	static const char *const kinds[] = {"shm", "sem", "msg"};
	const char *resource = json_string_value(json_object_get(event, "resource"));
	const char *said = json_string_value(json_object_get(event, "reason"));
	char start[32];
	int length = snprintf(start, sizeof(start), "%s %ld ", kinds[kind], id);

	return strcmp(json_string_value(json_object_get(event, "event")), name) == 0 && resource &&
	       strncmp(resource, start, (size_t)length) == 0 && (!reason || (said && strcmp(said, reason) == 0));
}

unsigned int lab_ipc_count(const struct lab_daemon *daemon, const char *event, const char *reason,
			   enum lab_ipc_kind kind, long id)
{
	unsigned int count = 0;

	for (size_t i = 0; i < json_array_size(daemon->events); i++)
		count += event_is(json_array_get(daemon->events, i), event, reason, kind, id);
	return count;
}

json_t *lab_ipc_expect(struct lab_daemon *daemon, const char *event, const char *reason, enum lab_ipc_kind kind,
		       long id)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	for (;;) {
		for (size_t i = 0; i < json_array_size(daemon->events); i++)
			if (event_is(json_array_get(daemon->events, i), event, reason, kind, id))
				return json_array_get(daemon->events, i);
		if (lab_now_ms() > end) {
			char *events = json_dumps(daemon->events, JSON_COMPACT);

			lab_fail(__FILE__, __LINE__, 0,
				 "waited in vain for %s %s of object %ld; it said:\n%s\njournal: %s", event,
				 reason ? reason : "", id, daemon->said, events);
		}
		lab_daemon_hear(daemon, LAB_HEAR_MS);
	}
}
