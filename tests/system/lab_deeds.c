/* SPDX-License-Identifier: Apache-2.0 */
/* What actors do with TCP sockets. */
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

long deed_nothing(const long *args)
{
	return args[0];
}

/* A server's family MAPPED is IPv6; a client's is IPv4. */
static int make_socket(enum lab_family family, bool server, unsigned int port, union address *ret_address,
		       socklen_t *ret_size)
{
	bool v6 = family == LAB_IPV6 || (family == LAB_MAPPED && server);
	int one = 1, zero = 0;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, family == LAB_MPTCP ? IPPROTO_MPTCP : 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, family == LAB_MAPPED ? &zero : &one, sizeof(one));
	*ret_address = (union address){0};
	if (v6) {
		ret_address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
		ret_address->v6.sin6_addr = family == LAB_MAPPED ? in6addr_any : in6addr_loopback;
	} else {
		ret_address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		ret_address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	*ret_size = v6 ? sizeof(ret_address->v6) : sizeof(ret_address->v4);
	return fd;
}

long deed_listen(const long *args)
{
	union address address;
	socklen_t size;
	_cleanup_close_ int fd = make_socket((enum lab_family)args[0], true, (unsigned int)args[1], &address, &size);

	if (fd < 0)
		return fd;
	if (bind(fd, &address.any, size) < 0 || listen(fd, (int)args[2]) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int bind_source(int fd, const union address *target, socklen_t size, unsigned int port)
{
	union address source = *target;

	if (source.any.sa_family == AF_INET6)
		source.v6.sin6_port = htons((uint16_t)port);
	else
		source.v4.sin_port = htons((uint16_t)port);
	return bind(fd, &source.any, size) < 0 ? -errno : 0;
}

long deed_connect(const long *args)
{
	union address address;
	socklen_t size;
	int r;
	_cleanup_close_ int fd = make_socket((enum lab_family)args[0], false, (unsigned int)args[1], &address, &size);

	if (fd < 0)
		return fd;
	r = args[2] ? bind_source(fd, &address, size, (unsigned int)args[2]) : 0;
	if (r < 0)
		return r;
	if (connect(fd, &address.any, size) < 0)
		return -errno;
	return steal_fd(&fd);
}

long deed_accept(const long *args)
{
	int fd = accept4((int)args[0], NULL, NULL, SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

long deed_port(const long *args)
{
	union address address;
	socklen_t size = sizeof(address);

	if (getsockname((int)args[0], &address.any, &size) < 0)
		return -errno;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

long deed_shutdown(const long *args)
{
	return shutdown((int)args[0], SHUT_WR) < 0 ? -errno : 0;
}

long deed_close(const long *args)
{
	return close((int)args[0]) < 0 ? -errno : 0;
}

long deed_reset(const long *args)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt((int)args[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return deed_close(args);
}

static unsigned char pattern(size_t offset)
{
	return (unsigned char)(offset * 31 + offset / 256 + 7);
}

static ssize_t send_pattern(int fd, size_t count, size_t offset, int flags)
{
	unsigned char bytes[16384];

	count = count < sizeof(bytes) ? count : sizeof(bytes);
	for (size_t i = 0; i < count; i++)
		bytes[i] = pattern(offset + i);
	return send(fd, bytes, count, flags);
}

long deed_send(const long *args)
{
	ssize_t n = send_pattern((int)args[0], (size_t)args[1], (size_t)args[2], 0);

	return n < 0 ? -errno : n;
}

/* The peer's window grows while it takes in: the queue is full when nothing fits for a while. */
long deed_fill(const long *args)
{
	struct pollfd ready = {.fd = (int)args[0], .events = POLLOUT};
	size_t sent = 0;

	while (poll(&ready, 1, 300) == 1) {
		ssize_t n = send_pattern(ready.fd, SIZE_MAX, sent, MSG_DONTWAIT);

		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	return (long)sent;
}

long deed_stream(const long *args)
{
	int fd = (int)args[0];
	long sent;

	for (sent = 0; sent < args[1]; sent++) {
		lab_sleep_ms((unsigned int)args[2]);
		if (send_pattern(fd, 1, (size_t)sent, 0) != 1)
			return -errno;
	}
	close(fd);
	return sent;
}

long deed_recv(const long *args)
{
	char bytes[4096];
	ssize_t n = recv((int)args[0], bytes, sizeof(bytes), MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

long deed_read_to_end(const long *args)
{
	size_t offset = (size_t)args[1], total = 0;
	unsigned char bytes[16384];
	ssize_t n;

	while ((n = recv((int)args[0], bytes, sizeof(bytes), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++, total++)
			if (bytes[i] != pattern(offset + total))
				return -EILSEQ;
	}
	return n < 0 ? -errno : (long)total;
}

long deed_poll(const long *args)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
	_cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
	int n;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, (int)args[0], &event) < 0)
		return -errno;
	n = epoll_wait(epoll, &event, 1, (int)args[1]);
	return n < 0 ? -errno : n ? (long)event.events : 0;
}

long deed_error(const long *args)
{
	socklen_t size = sizeof(int);
	int error;

	return getsockopt((int)args[0], SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : error;
}

long deed_option(const long *args)
{
	int value = (int)args[3];

	return setsockopt((int)args[0], (int)args[1], (int)args[2], &value, sizeof(value)) < 0 ? -errno : 0;
}

long deed_nonblocking(const long *args)
{
	return fcntl((int)args[0], F_SETFL, args[1] ? O_NONBLOCK : 0) < 0 ? -errno : 0;
}

long deed_default_sigpipe(const long *args)
{
	(void)args;
	return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -errno : 0;
}

long deed_setuid(const long *args)
{
	return setresuid((uid_t)args[0], (uid_t)args[0], (uid_t)args[0]) < 0 ? -errno : 0;
}
