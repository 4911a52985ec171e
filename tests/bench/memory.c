/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_memory [SUSPECTS]: what the daemon weighs, alone and for each socket it tracks.
 *
 * Kernel: `memlock` of every BPF map that it holds, from fdinfo. Daemon: VmRSS, the most that was seen. Tracked: in
 * CLOSE_WAIT and not due, over the daemon's own walk of the map. Reported: due and spared (mode "observe"), so that the
 * daemon keeps owners, evidence and history of each.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

#define TIMEOUT_S 20

struct weight {
	long rss_kb, map_bytes;
};

static struct weight weigh_most(const struct lab_daemon *daemon, double seconds)
{
	double end = bench_now() + seconds;
	struct weight most = {0};

	do {
		long rss_kb = bench_status_kb(daemon->pid, "VmRSS"), map_bytes = bench_map_bytes(daemon->pid);

		most.rss_kb = rss_kb > most.rss_kb ? rss_kb : most.rss_kb;
		most.map_bytes = map_bytes > most.map_bytes ? map_bytes : most.map_bytes;
		lab_sleep_ms(50);
	} while (bench_now() < end);
	return most;
}

static double each(const struct weight *before, const struct weight *after, long suspects)
{
	return (double)(after->map_bytes - before->map_bytes + (after->rss_kb - before->rss_kb) * 1024) /
	       (double)suspects;
}

static void say(const char *what, const struct weight *weight)
{
	bench_say("%s: VmRSS %ld kB, maps %ld kB", what, weight->rss_kb, weight->map_bytes / 1024);
}

int main(int argc, char **argv)
{
	long suspects = bench_argument(argc, argv, 1, 50000);
	struct weight idle, tracked, reported;
	struct lab_daemon daemon;
	struct bench_farm farm;
	char text[96];

	lab_open();
	bench_farm_make(&farm);
	bench_daemon_spawn(&daemon,
			   &(struct lab_setup){.timeout = "20s", .more = "mode = \"observe\";", .net = {&farm.net}});
	bench_daemon_wait_ready(&daemon);
	idle = weigh_most(&daemon, TIMEOUT_S + 1);
	say("idle", &idle);
	bench_farm_grow(&farm, suspects);
	tracked = weigh_most(&daemon, TIMEOUT_S - 4);
	say("tracked", &tracked);
	reported = weigh_most(&daemon, TIMEOUT_S + 5);
	say("reported", &reported);

	bench_row_one("resident memory of the idle daemon", (double)idle.rss_kb / 1024, 2, " MB", BENCH_BELOW, 6);
	bench_row_one("kernel memory of its empty maps", (double)idle.map_bytes / 1048576, 2, " MB", BENCH_NO_AIM, 0);
	snprintf(text, sizeof(text), "each of %ld tracked: kernel's map", suspects);
	bench_row_one(text, (double)(tracked.map_bytes - idle.map_bytes) / (double)suspects, 0, " B", BENCH_NO_AIM, 0);
	snprintf(text, sizeof(text), "each of %ld tracked: map and daemon", suspects);
	bench_row_one(text, each(&idle, &tracked, suspects), 0, " B", BENCH_BELOW, 200);
	snprintf(text, sizeof(text), "each of %ld reported and spared: map and daemon", suspects);
	bench_row_one(text, each(&idle, &reported, suspects), 0, " B", BENCH_NO_AIM, 0);
	bench_daemon_end(&daemon);
	bench_farm_end(&farm);
	return 0;
}
