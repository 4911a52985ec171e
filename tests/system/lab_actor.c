/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An actor is a fork of the test, so that a function of the test's program has the same address in it: a message is the
 * function to call and its numbers, the answer is what it returned.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

struct message {
	lab_deed deed;
	long args[LAB_ARGS];
};

static void raise_loopback(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};

	lab_works(fd >= 0, "socket");
	lab_works(ioctl(fd, SIOCGIFFLAGS, &request) == 0, "lo");
	request.ifr_flags |= IFF_UP;
	lab_works(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo up");
}

void lab_sysctl(const char *path, const char *value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	lab_works(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s", path);
}

static void enter(const struct lab_net *net)
{
	_cleanup_close_ int fd = -1;

	if (!net) {
		lab_works(unshare(CLONE_NEWNET) == 0, "a network namespace");
		raise_loopback();
		/* On loopback a port may be reused after a second (tcp_tw_reuse = 2); the new SYN meets the ghost of
		 * before, and ends it: the challenge ACK is answered with an RST. */
		lab_sysctl("/proc/sys/net/ipv4/tcp_tw_reuse", "0");
		return;
	}
	fd = open(net->path, O_RDONLY | O_CLOEXEC);
	lab_works(fd >= 0, "%s", net->path);
	lab_works(setns(fd, CLONE_NEWNET) == 0, "%s", net->path);
}

static void serve(int control)
{
	struct message message;
	long result;

	while (recv(control, &message, sizeof(message), 0) == (ssize_t)sizeof(message)) {
		result = message.deed(message.args);
		if (send(control, &result, sizeof(result), 0) != (ssize_t)sizeof(result))
			break;
	}
}

void lab_actor_start(struct lab_actor *actor, const struct lab_net *net, const char *comm)
{
	int pair[2];

	lab_works(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	actor->pid = lab_fork();
	if (actor->pid == 0) {
		/* Other actors' controls must not stay open in here: their end would not be seen. */
		int control = fcntl(pair[1], F_DUPFD_CLOEXEC, 900);

		lab_works(control >= 0, "fcntl");
		close_range(3, (unsigned int)control - 1, 0);
		enter(net);
		prctl(PR_SET_NAME, comm);
		serve(control);
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	actor->control = pair[0];
	lab_must(actor, deed_nothing, 0);
}

void lab_actor_kill(struct lab_actor *actor)
{
	if (actor->pid <= 0)
		return;
	kill(actor->pid, SIGKILL);
	waitpid(actor->pid, NULL, 0);
	close(actor->control);
	*actor = (struct lab_actor){.control = -1};
}

void lab_actor_end(struct lab_actor *actor)
{
	uint64_t end = lab_now_ms() + 1000;

	if (actor->pid <= 0)
		return;
	shutdown(actor->control, SHUT_RDWR);
	while (waitpid(actor->pid, NULL, WNOHANG) == 0) {
		if (lab_now_ms() > end) {
			lab_actor_kill(actor);
			return;
		}
		lab_sleep_ms(2);
	}
	close(actor->control);
	*actor = (struct lab_actor){.control = -1};
}

bool lab_actor_died(const struct lab_actor *actor, int *ret_status)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (lab_now_ms() < end) {
		if (waitpid(actor->pid, ret_status, WNOHANG) == actor->pid)
			return true;
		lab_sleep_ms(5);
	}
	return false;
}

void lab_begin(const struct lab_actor *actor, lab_deed deed, const long args[LAB_ARGS])
{
	struct message message = {.deed = deed};

	memcpy(message.args, args, sizeof(message.args));
	lab_works(send(actor->control, &message, sizeof(message), MSG_NOSIGNAL) == (ssize_t)sizeof(message),
		  "actor %d cannot be told", actor->pid);
}

long lab_end(const struct lab_actor *actor)
{
	struct pollfd ready = {.fd = actor->control, .events = POLLIN};
	long result;

	lab_require(poll(&ready, 1, (int)LAB_PATIENCE_MS) == 1, "actor %d does not answer", actor->pid);
	lab_require(recv(actor->control, &result, sizeof(result), 0) == (ssize_t)sizeof(result), "actor %d has died",
		    actor->pid);
	return result;
}

long lab_call(const struct lab_actor *actor, lab_deed deed, const long args[LAB_ARGS])
{
	lab_begin(actor, deed, args);
	return lab_end(actor);
}

long lab_checked(const char *file, int line, const char *what, long result)
{
	if (result < 0)
		lab_fail(file, line, (int)-result, "%s", what);
	return result;
}
