/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scan of sysv_ipc costs: with a thousand IPC namespaces that hold an object each, and with 10,000 segments in one,
 * against `lsipc -m` there; and how long the removal of those 10,000 takes. Run by hand, as root, on a quiet machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab_ipc.h"

#define NAMESPACES 1000
#define SEGMENTS 10000
#define SCANS 20

/* CPU time of a process so far, in ms (resolution 10). */
static unsigned long cpu_ms(pid_t pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	lab_require(file && fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %lu %lu", &user,
				   &kernel) == 2,
		    "%s", path);
	fclose(file);
	return (user + kernel) * 10;
}

/* SIGUSR1 asks for a scan; `status` answers after it. */
static void scans_measure(struct lab_daemon *daemon, const char *what)
{
	unsigned long before;

	lab_daemon_number(daemon, "tracked");
	before = cpu_ms(daemon->pid);
	for (int i = 0; i < SCANS; i++) {
		kill(daemon->pid, SIGUSR1);
		lab_daemon_pump(daemon, 150);
	}
	printf("%s: %.1f ms of CPU a scan (namespaces %ld, tracked %ld)\n", what,
	       (double)(cpu_ms(daemon->pid) - before) / SCANS, lab_daemon_number(daemon, "namespaces"),
	       lab_daemon_number(daemon, "tracked"));
}

/* Open scope: only looks, for an hour at least. */
static void daemon_start(struct lab_daemon *daemon, const struct lab_ipc *ipc, const char *timeout, bool open)
{
	lab_ipc_daemon_start(daemon, &(struct lab_ipc_setup){.timeout = timeout,
							     .options = open ? "action = \"report\";" : "",
							     .guard = "rate = 1000000; burst = 1000000;",
							     .ipc = ipc,
							     .observe = open});
}

static void namespaces_measure(void)
{
	static pid_t pids[NAMESPACES];
	struct lab_daemon daemon;
	struct lab_ipc ipc;

	lab_ipc_make(&ipc);
	for (int i = 0; i < NAMESPACES; i++) {
		pids[i] = lab_fork();
		if (pids[i] == 0) {
			if (unshare(CLONE_NEWIPC) < 0 || shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) < 0)
				_exit(EXIT_FAILURE);
			for (;;)
				pause();
		}
	}
	lab_sleep_ms(500);
	daemon_start(&daemon, &ipc, "1h", true);
	scans_measure(&daemon, "1000 namespaces");
	lab_daemon_stop(&daemon);
	for (int i = 0; i < NAMESPACES; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	lab_ipc_end(&ipc);
}

static long deed_segments(const long *args)
{
	for (long i = 0; i < args[0]; i++)
		if (shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) < 0)
			return -errno;
	return 0;
}

static void lsipc_measure(const struct lab_ipc *ipc)
{
	const char *argv[] = {"/usr/bin/nsenter", NULL, "/usr/bin/lsipc", "-m", "--noheadings", NULL};
	char enter[96], *out, *err;
	uint64_t begun = lab_now_ms();

	snprintf(enter, sizeof(enter), "--ipc=%s", ipc->path);
	argv[1] = enter;
	if (lab_run(argv, &out, &err))
		printf("lsipc -m: %s\n", err);
	else
		printf("lsipc -m, %d segments: %lu ms\n", SEGMENTS, (unsigned long)(lab_now_ms() - begun));
	free(out);
	free(err);
}

static void segments_measure(void)
{
	struct lab_actor creator;
	struct lab_daemon daemon;
	struct lab_ipc ipc;
	uint64_t begun;
	long gone;

	lab_ipc_make(&ipc);
	lab_must(&ipc.keeper, deed_limit, LAB_SHM, 2 * SEGMENTS);
	lab_ipc_actor(&ipc, &creator, "leaker", LAB_IPC_USER);
	lab_must(&creator, deed_segments, SEGMENTS);
	lsipc_measure(&ipc);
	daemon_start(&daemon, &ipc, "1h", false);
	scans_measure(&daemon, "10000 segments");
	lab_daemon_stop(&daemon);
	lab_actor_kill(&creator);
	lab_sleep_ms(2100);
	begun = lab_now_ms();
	daemon_start(&daemon, &ipc, "1s", false);
	while ((gone = lab_daemon_number(&daemon, "segments_given_back")) < SEGMENTS && lab_now_ms() < begun + 60000)
		lab_daemon_pump(&daemon, 50);
	printf("removal: %ld segments, %ld bytes, %lu ms from the start of the daemon, %lu ms of CPU\n", gone,
	       lab_daemon_number(&daemon, "bytes_given_back"), (unsigned long)(lab_now_ms() - begun),
	       cpu_ms(daemon.pid));
	lab_daemon_stop(&daemon);
	lab_ipc_end(&ipc);
}

int main(void)
{
	lab_open();
	setvbuf(stdout, NULL, _IOLBF, 0);
	namespaces_measure();
	segments_measure();
	return 0;
}
