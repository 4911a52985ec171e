/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

#define FIRST_PORT 100 /* of the holders */

static void sysctl_set(const char *path, const char *value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	lab_works(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s", path);
}

void bench_no_time_wait(void)
{
	sysctl_set("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
	sysctl_set("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
}

#define CLOSED_TOGETHER 500

/*
 * Closes what was shut down before, when the acknowledgements had their time: an orphan in FIN_WAIT1 may become one of a
 * minute's FIN_WAIT2, which is counted among the sockets and ends with an RST, and with the ghost.
 */
static void close_together(const int *clients, size_t count)
{
	lab_sleep_ms(5);
	for (size_t i = 0; i < count; i++)
		close(clients[i]);
}

/* So many connections whose client is closed and whose server is not; never twice from the same port, which would meet the
 * ghost of before and wait for a second SYN. */
static long leak_many(long port, long listener, long count)
{
	int clients[CLOSED_TOGETHER];
	size_t open = 0;

	for (long i = 0; i < count; i++) {
		long client = deed_connect((const long[LAB_ARGS]){LAB_IPV4, port, BENCH_SOURCE_PORT + i}), server;

		if (client < 0)
			return client;
		server = deed_accept((const long[LAB_ARGS]){listener});
		if (server < 0)
			return server;
		shutdown((int)client, SHUT_WR);
		clients[open++] = (int)client;
		if (open < CLOSED_TOGETHER && i + 1 < count)
			continue;
		close_together(clients, open);
		open = 0;
	}
	return 0;
}

/* port, count */
static long deed_farm(const long *args)
{
	struct rlimit limit;
	long listener;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	bench_no_time_wait();
	listener = deed_listen((const long[LAB_ARGS]){LAB_IPV4, args[0], 512});
	return listener < 0 ? listener : leak_many(args[0], listener, args[1]);
}

/* Until nothing is left of the clients. */
static void farm_settle(const struct bench_farm *farm)
{
	long wanted = farm->sockets + farm->holders;
	double end = bench_now() + 10;

	while (bench_sockets(&farm->net) != wanted) {
		lab_require(bench_now() < end, "%ld sockets, wanted %ld", bench_sockets(&farm->net), wanted);
		lab_sleep_ms(5);
	}
}

void bench_farm_make(struct bench_farm *farm)
{
	*farm = (struct bench_farm){0};
	lab_net_make(&farm->net);
}

void bench_farm_grow(struct bench_farm *farm, long sockets)
{
	for (long left = sockets; left > 0;) {
		long count = left < BENCH_HOLDER_MAX ? left : BENCH_HOLDER_MAX;

		lab_require(farm->holders < BENCH_HOLDERS, "a farm has at most %d sockets",
			    BENCH_HOLDERS * BENCH_HOLDER_MAX);
		lab_actor_start(&farm->holder[farm->holders], &farm->net, "lab-holder");
		lab_must(&farm->holder[farm->holders], deed_farm, FIRST_PORT + farm->holders, count);
		farm->holders++;
		left -= count;
	}
	farm->sockets += sockets;
	farm_settle(farm);
}

void bench_farm_end(struct bench_farm *farm)
{
	for (unsigned int i = 0; i < farm->holders; i++)
		lab_actor_end(&farm->holder[i]);
	lab_net_delete(&farm->net);
}

static long inuse_read(int fd)
{
	char text[1024];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	const char *found;
	long count;

	lab_works(size > 0, "sockstat");
	text[size] = '\0';
	found = strstr(text, "TCP: inuse ");
	lab_require(found && sscanf(found, "TCP: inuse %ld", &count) == 1, "sockstat is not understood: %s", text);
	return count;
}

static int sockstat_open(const struct lab_net *net)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/net/sockstat", net->keeper.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	lab_works(fd >= 0, "%s", path);
	return fd;
}

long bench_sockets(const struct lab_net *net)
{
	_cleanup_close_ int fd = sockstat_open(net);

	return inuse_read(fd);
}

double bench_farm_wait_gone(const struct bench_farm *farm, double seconds, double *ret_first)
{
	_cleanup_close_ int fd = sockstat_open(&farm->net);
	double end = bench_now() + seconds;

	*ret_first = bench_now();
	for (;;) {
		long count = inuse_read(fd);

		if (count >= farm->sockets + (long)farm->holders)
			*ret_first = bench_now();
		if (count <= (long)farm->holders)
			return bench_now();
		lab_require(bench_now() < end, "%ld of %ld sockets are left after %.0f s", count - farm->holders,
			    farm->sockets, seconds);
		lab_sleep_ms(1);
	}
}
