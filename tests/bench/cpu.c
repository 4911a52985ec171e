/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_cpu [ROUNDS [CONNECTIONS]]: what a connection costs the workload, with nothing attached, with the daemon (its scope
 * is the workload's namespace), and with tcplife of libbpf-tools, whose output goes to /dev/null.
 *
 * A connection is connect, accept, close of the client, close of the server, over loopback, in one process: 8 changes of
 * state, one visit to CLOSE_WAIT. Counted is the process's user and system time: a tracepoint's program runs in there. What
 * the observer uses itself is a row of its own. One processor is the workload's (the last one), so that it does not wander.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bench.h"
#include "lab_storm.h"

#define PORT 8080
#define TCPLIFE "/usr/sbin/tcplife"

enum { NOTHING, DAEMON, PEER, SIDES };

static void pin(void)
{
	cpu_set_t all, last;
	int cpu = CPU_SETSIZE - 1;

	lab_works(sched_getaffinity(0, sizeof(all), &all) == 0, "the processors");
	while (cpu > 0 && !CPU_ISSET(cpu, &all))
		cpu--;
	CPU_ZERO(&last);
	CPU_SET(cpu, &last);
	lab_works(sched_setaffinity(0, sizeof(last), &last) == 0, "the last processor");
}

static long deed_prepare(const long *args)
{
	const long listening[LAB_ARGS] = {LAB_IPV4, PORT, 512};

	(void)args;
	lab_no_time_wait();
	pin();
	return deed_listen(listening);
}

/* listener, connections -> nanoseconds of the processor */
static long deed_work(const long *args)
{
	const long connecting[LAB_ARGS] = {LAB_IPV4, PORT, 0}, accepting[LAB_ARGS] = {args[0]};
	double begun = bench_cpu_own();

	for (long i = 0; i < args[1]; i++) {
		long client = deed_connect(connecting), server;

		if (client < 0)
			return client;
		server = deed_accept(accepting);
		if (server < 0)
			return server;
		close((int)client);
		close((int)server);
	}
	return (long)((bench_cpu_own() - begun) * 1e9);
}

/* The first of its descriptors that is a tracepoint's link or event. */
static bool attached(pid_t pid)
{
	char path[64], target[64];

	for (int fd = 3; fd < 128; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		size = readlink(path, target, sizeof(target) - 1);
		target[size > 0 ? size : 0] = '\0';
		if (size > 0 &&
		    (strstr(target, "bpf_link") || strstr(target, "bpf-link") || strstr(target, "perf_event")))
			return true;
	}
	return false;
}

static pid_t peer_start(void)
{
	static const char *const argv[] = {TCPLIFE, NULL};
	pid_t pid = bench_spawn(NULL, argv, "/dev/null", "/dev/null");
	double end = bench_now() + 20;

	while (!attached(pid)) {
		lab_require(bench_now() < end && kill(pid, 0) == 0, TCPLIFE " does not attach");
		lab_sleep_ms(20);
	}
	lab_sleep_ms(300);
	return pid;
}

struct cost {
	double workload, observer; /* microseconds a connection */
};

static struct cost side_cost(int side, const struct lab_actor *worker, const struct lab_net *net, long listener,
			     long connections)
{
	struct lab_daemon daemon = {0};
	struct cost cost = {0};
	pid_t observer = 0;
	double before = 0;

	if (side == DAEMON) {
		bench_daemon_spawn(&daemon, &(struct lab_setup){.timeout = "60s", .net = {net}});
		bench_daemon_wait_ready(&daemon);
		observer = daemon.pid;
		lab_sleep_ms(300);
	} else if (side == PEER) {
		observer = peer_start();
	}
	lab_must(worker, deed_work, listener, connections / 10); /* warm */
	before = observer ? bench_cpu_of(observer) : 0;
	cost.workload = (double)lab_must(worker, deed_work, listener, connections) / 1000 / (double)connections;
	if (observer)
		cost.observer = (bench_cpu_of(observer) - before) * 1e6 / (double)connections;
	if (side == DAEMON)
		bench_daemon_end(&daemon);
	else if (side == PEER)
		bench_stop(observer, SIGINT);
	return cost;
}

static void rows(struct bench_series *workload, struct bench_series *ratio, struct bench_series *observer)
{
	bench_row("CPU a connection: nothing attached", &workload[NOTHING], 2, " us", BENCH_NO_AIM, 0);
	bench_row("CPU a connection: daemon", &workload[DAEMON], 2, " us", BENCH_NO_AIM, 0);
	bench_row("CPU a connection: tcplife", &workload[PEER], 2, " us", BENCH_NO_AIM, 0);
	bench_row("CPU a connection: daemon / nothing", &ratio[DAEMON], 3, " times", BENCH_AT_MOST, 1.08);
	bench_row("CPU a connection: tcplife / nothing", &ratio[PEER], 3, " times", BENCH_NO_AIM, 0);
	bench_row("CPU of the daemon itself, a connection", &observer[DAEMON], 2, " us", BENCH_NO_AIM, 0);
	bench_row("CPU of tcplife itself, a connection", &observer[PEER], 2, " us", BENCH_NO_AIM, 0);
}

int main(int argc, char **argv)
{
	long rounds = bench_argument(argc, argv, 1, 15), connections = bench_argument(argc, argv, 2, 20000), listener;
	struct bench_series workload[SIDES] = {0}, ratio[SIDES] = {0}, observer[SIDES] = {0};
	struct lab_actor worker;
	struct lab_net net;

	lab_open();
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0,
	      NULL); /* tcplife needs it; in the lab's mount namespace */
	lab_net_make(&net);
	lab_actor_start(&worker, &net, "lab-worker");
	listener = lab_must(&worker, deed_prepare, 0);
	for (long round = 0; round < rounds; round++) {
		struct cost cost[SIDES];

		for (int side = 0; side < SIDES; side++) {
			cost[side] = side_cost(side, &worker, &net, listener, connections);
			bench_add(&workload[side], cost[side].workload);
			bench_add(&ratio[side], cost[side].workload / cost[NOTHING].workload);
			bench_add(&observer[side], cost[side].observer);
		}
		bench_say("cpu, round %ld: nothing %.2f us, daemon %.2f us, tcplife %.2f us", round + 1,
			  cost[NOTHING].workload, cost[DAEMON].workload, cost[PEER].workload);
	}
	rows(workload, ratio, observer);
	for (int side = 0; side < SIDES; side++) {
		bench_free(&workload[side]);
		bench_free(&ratio[side]);
		bench_free(&observer[side]);
	}
	lab_actor_end(&worker);
	return 0;
}
