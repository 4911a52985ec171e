/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_probe [ROUNDS [GHOSTS]]: what it costs to ask each peer first. The peers are gone and their ports closed, so that
 * each answers with a reset. The daemon runs, and is stopped (SIGSTOP) while the ghosts come to be and fall due; from the
 * SIGCONT until none is left: the time, which holds the second that keepalive waits before it asks, and the processor time
 * of the daemon. Sides: peer_probe = "never" / "always".
 */
#include <signal.h>
#include <stdio.h>

#include "bench.h"

#define TIMEOUT "1s"
#define TIMEOUT_MS 1000
#define PATIENCE 60.0

enum { NEVER, ALWAYS, SIDES };

struct cost {
	double seconds, cpu;
};

static struct cost measure(int side, long ghosts)
{
	static const char *const options[SIDES] = {"peer_probe = \"never\";", "peer_probe = \"always\";"};
	struct lab_daemon daemon;
	struct bench_farm farm;
	double begun, cpu, first;
	struct cost cost;

	bench_farm_make(&farm);
	bench_daemon_spawn(&daemon, &(struct lab_setup){.timeout = TIMEOUT,
							.options = options[side],
							.guard = "rate = 1000000; burst = 10000000;",
							.net = {&farm.net}});
	bench_daemon_wait_ready(&daemon);
	kill(daemon.pid, SIGSTOP);
	bench_farm_grow(&farm, ghosts);
	lab_sleep_ms(TIMEOUT_MS + 100);
	cpu = bench_cpu_of(daemon.pid);
	begun = bench_now();
	kill(daemon.pid, SIGCONT);
	cost.seconds = bench_farm_wait_gone(&farm, PATIENCE, &first) - begun;
	lab_sleep_ms(500); /* what it still has to tell is part of the cost */
	cost.cpu = bench_cpu_of(daemon.pid) - cpu;
	bench_daemon_end(&daemon);
	bench_farm_end(&farm);
	return cost;
}

int main(int argc, char **argv)
{
	long rounds = bench_argument(argc, argv, 1, 5), ghosts = bench_argument(argc, argv, 2, 5000);
	struct bench_series seconds[SIDES] = {0}, ratio = {0}, added = {0};

	lab_open();
	for (long round = 0; round < rounds; round++) {
		struct cost cost[SIDES];

		for (int i = 0; i < SIDES; i++) {
			int side = (int)((i + round) % SIDES);

			cost[side] = measure(side, ghosts);
			bench_add(&seconds[side], cost[side].seconds);
		}
		bench_add(&ratio, cost[ALWAYS].cpu / cost[NEVER].cpu);
		bench_add(&added, (cost[ALWAYS].cpu - cost[NEVER].cpu) / (double)ghosts * 1e6);
		bench_say("probe, round %ld: never %.3f s (%.3f s of the processor), always %.3f s (%.3f s)", round + 1,
			  cost[NEVER].seconds, cost[NEVER].cpu, cost[ALWAYS].seconds, cost[ALWAYS].cpu);
	}
	bench_row("reaped, nobody asked", &seconds[NEVER], 3, " s", BENCH_NO_AIM, 0);
	bench_row("reaped, every peer asked, who resets", &seconds[ALWAYS], 3, " s", BENCH_NO_AIM, 0);
	bench_row("processor time of the daemon, asked / not asked", &ratio, 2, " times", BENCH_NO_AIM, 0);
	bench_row("processor time that asking adds for each socket", &added, 1, " us", BENCH_NO_AIM, 0);
	for (int side = 0; side < SIDES; side++)
		bench_free(&seconds[side]);
	bench_free(&ratio);
	bench_free(&added);
	return 0;
}
