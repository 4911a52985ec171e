/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_idle [SECONDS]: how often the daemon wakes up when nothing is wrong: voluntary context switches of all its threads,
 * with a timeout of 2 s. The namespace has traffic that is closed in time, and in the second half a healthy half-closed
 * stream that is never a ghost.
 */
#include <signal.h>
#include <stdio.h>

#include "bench.h"

#define TIMEOUT_S 2

static double wakeups(const struct lab_daemon *daemon, long seconds, double *ret_cpu)
{
	double begun = bench_now(), cpu = bench_cpu_of(daemon->pid), count;
	long before = bench_switches(daemon->pid);

	lab_sleep_ms((unsigned int)seconds * 1000);
	count = (double)(bench_switches(daemon->pid) - before);
	*ret_cpu = (bench_cpu_of(daemon->pid) - cpu) / (bench_now() - begun);
	return count / (bench_now() - begun);
}

int main(int argc, char **argv)
{
	long seconds = bench_argument(argc, argv, 1, 30);
	struct lab_connection connection;
	struct lab_daemon daemon;
	struct lab_scene scene;
	double rate, cpu;

	lab_open();
	lab_scene_make(&scene, LAB_IPV4, 8080);
	bench_daemon_spawn(&daemon, &(struct lab_setup){.timeout = "2s", .net = {&scene.net}});
	bench_daemon_wait_ready(&daemon);
	lab_sleep_ms(1000);
	rate = wakeups(&daemon, seconds, &cpu);
	bench_row_one("wake-ups a timeout, nothing tracked", rate * TIMEOUT_S, 2, "", BENCH_AT_MOST, 1.1);
	bench_row_one("wake-ups a minute at a timeout of 2 s", rate * 60, 1, "", BENCH_NO_AIM, 0);
	bench_row_one("processor of the idle daemon at a timeout of 2 s", cpu * 100, 3, " %", BENCH_NO_AIM, 0);

	lab_scene_half_close(&scene, &connection);
	lab_start(&scene.server, deed_stream, connection.server_fd, seconds * 10 + 20, 100);
	lab_sleep_ms(1000);
	rate = wakeups(&daemon, seconds, &cpu);
	bench_row_one("wake-ups a timeout, one healthy half-closed stream", rate * TIMEOUT_S, 2, "", BENCH_NO_AIM, 0);
	bench_daemon_end(&daemon);
	lab_end(&scene.server);
	lab_scene_end(&scene);
	return 0;
}
