/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_storm.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

void lab_no_time_wait(void)
{
	lab_sysctl("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
	lab_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
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
		long client = deed_connect((const long[LAB_ARGS]){LAB_IPV4, port, LAB_FARM_SOURCE_PORT + i}), server;

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

long deed_farm(const long *args)
{
	struct rlimit limit;
	long listener;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	lab_no_time_wait();
	listener = deed_listen((const long[LAB_ARGS]){LAB_IPV4, args[0], 512});
	return listener < 0 ? listener : leak_many(args[0], listener, args[1]);
}
