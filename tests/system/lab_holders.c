/* SPDX-License-Identifier: Apache-2.0 */
/* Other ways to hold a socket than a descriptor in one running process. */
#include "lab.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

long deed_tls(const long *args)
{
	return setsockopt((int)args[0], IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ? -errno : 0;
}

long deed_fork_holder(const long *args)
{
	pid_t pid = lab_fork();

	if (pid == 0) {
		prctl(PR_SET_NAME, args[0] == LAB_COMM_EXEMPT ? LAB_EXEMPT : "lab-holder");
		for (;;)
			pause();
	}
	return pid;
}

/* Both ends of the pair stay open in the actor, and nobody receives. */
long deed_stash(const long *args)
{
	int fd = (int)args[0], pair[2];
	char byte = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (lab_pass(pair[0], &byte, 1, &fd, 1) < 0)
		return -errno;
	return close(fd) < 0 ? -errno : 0;
}

long deed_uring(const long *args)
{
	struct io_uring_params params = {0};
	int fd = (int)args[0];
	int ring = (int)syscall(__NR_io_uring_setup, 4, &params);

	if (ring < 0)
		return -errno;
	if (syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) < 0)
		return -errno;
	return close(fd) < 0 ? -errno : ring;
}

long deed_trace(const long *args)
{
	pid_t pid = (pid_t)args[0];

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return -errno;
	return waitpid(pid, NULL, __WALL) == pid ? 0 : -errno;
}

long deed_untrace(const long *args)
{
	return ptrace(PTRACE_DETACH, (pid_t)args[0], NULL, NULL) < 0 ? -errno : 0;
}
