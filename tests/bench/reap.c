/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_reap [ROUNDS [MOST]]: how long it takes to reap many ghosts.
 *
 * The daemon, running: it is stopped (SIGSTOP) while the ghosts come to be and fall due; from the SIGCONT that lets it go on
 * until the namespace has none left. That is its look, the search for the holders, the judgement, the release and what of
 * the journal is written before the end, in JSON, into a file in memory; as it is installed, which is the first thousand
 * lines and then counts. Of that the reaping itself, to which the aim belongs (to reap is to release): from the last moment
 * at which all were there until none was. The whole again with two lines a ghost (journal.summary = false).
 * The daemon, started: the ghosts are older than the timeout; from its fork, with the loading of its BPF programs.
 * ss: `ss -K state close-wait` in the namespace, from its fork to its end, output to /dev/null.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TIMEOUT "1s"
#define TIMEOUT_MS 1000
#define PATIENCE 60.0

enum { RUNNING, LINES, STARTED, SS, SIDES, RELEASE = SIDES, FIGURES };

static struct lab_setup setup_of(const struct bench_farm *farm)
{
	return (struct lab_setup){
		.timeout = TIMEOUT, .summary = true, .guard = "rate = 1000000; burst = 10000000;", .net = {&farm->net}};
}

static void farm_ripen(struct bench_farm *farm, long ghosts)
{
	bench_farm_grow(farm, ghosts);
	lab_sleep_ms(TIMEOUT_MS + 100);
}

static double time_running(struct bench_farm *farm, long ghosts, bool summary, double *ret_release)
{
	struct lab_setup setup = setup_of(farm);
	struct lab_daemon daemon;
	double begun, first, gone;

	setup.summary = summary;
	bench_daemon_spawn(&daemon, &setup);
	bench_daemon_wait_ready(&daemon);
	kill(daemon.pid, SIGSTOP);
	farm_ripen(farm, ghosts);
	begun = bench_now();
	kill(daemon.pid, SIGCONT);
	gone = bench_farm_wait_gone(farm, PATIENCE, &first);
	bench_daemon_end(&daemon);
	*ret_release = gone - first;
	return gone - begun;
}

static double time_started(struct bench_farm *farm, long ghosts)
{
	struct lab_setup setup = setup_of(farm);
	struct lab_daemon daemon;
	double begun, first, gone;

	farm_ripen(farm, ghosts);
	begun = bench_now();
	bench_daemon_spawn(&daemon, &setup);
	gone = bench_farm_wait_gone(farm, PATIENCE, &first);
	bench_daemon_wait_ready(&daemon);
	bench_daemon_end(&daemon);
	return gone - begun;
}

static double time_ss(struct bench_farm *farm, long ghosts, long *ret_missed)
{
	static const char *const argv[] = {"/usr/bin/ss", "-K", "state", "close-wait", NULL};
	double begun, ended;
	int status;
	pid_t pid;

	farm_ripen(farm, ghosts);
	begun = bench_now();
	pid = bench_spawn(&farm->net, argv, "/dev/null", "/dev/null");
	lab_works(waitpid(pid, &status, 0) == pid, "waitpid");
	ended = bench_now();
	lab_require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ss ended with status %#x", (unsigned int)status);
	*ret_missed += bench_sockets(&farm->net) - farm->holders;
	return ended - begun;
}

static double side_time(int side, long ghosts, long *missed, double *release)
{
	struct bench_farm farm;
	double seconds, unused;

	bench_farm_make(&farm);
	seconds = side == RUNNING   ? time_running(&farm, ghosts, true, release)
		  : side == LINES   ? time_running(&farm, ghosts, false, &unused)
		  : side == STARTED ? time_started(&farm, ghosts)
				    : time_ss(&farm, ghosts, missed);
	bench_farm_end(&farm);
	return seconds;
}

static void rows(long ghosts, struct bench_series *seconds, struct bench_series *faster, long missed)
{
	static const char *const who[FIGURES] = {"daemon, whole way", "daemon, whole way, two lines each",
						 "daemon, whole way, from its start", "ss -K state close-wait",
						 "daemon, reaping"};
	enum bench_aim aim = ghosts >= 10000 ? BENCH_AT_LEAST : BENCH_NO_AIM;
	char text[128];

	for (int figure = 0; figure < FIGURES; figure++) {
		snprintf(text, sizeof(text), "reap %ld: %s", ghosts, who[figure]);
		bench_row(text, &seconds[figure], 3, " s", BENCH_NO_AIM, 0);
	}
	for (int figure = 0; figure < FIGURES; figure++) {
		if (figure == SS)
			continue;
		snprintf(text, sizeof(text), "reap %ld: ss / %s", ghosts, who[figure]);
		bench_row(text, &faster[figure], 1, " times", figure == RELEASE ? aim : BENCH_NO_AIM, 10);
	}
	if (missed) {
		snprintf(text, sizeof(text), "reap %ld: left behind by ss, all rounds", ghosts);
		bench_row_one(text, (double)missed, 0, "", BENCH_NO_AIM, 0);
	}
}

static void measure(long ghosts, long rounds)
{
	struct bench_series seconds[FIGURES] = {0}, faster[FIGURES] = {0};
	long missed = 0;

	for (long round = 0; round < rounds; round++) {
		double now[FIGURES];

		for (int i = 0; i < SIDES; i++) {
			int side = (int)((i + round) % SIDES);

			now[side] = side_time(side, ghosts, &missed, &now[RELEASE]);
		}
		for (int figure = 0; figure < FIGURES; figure++) {
			bench_add(&seconds[figure], now[figure]);
			bench_add(&faster[figure], now[SS] / now[figure]);
		}
		bench_say(
			"reap %ld, round %ld: whole way %.3f s (reaping %.3f s), with lines %.3f s, started %.3f s, ss %.3f s",
			ghosts, round + 1, now[RUNNING], now[RELEASE], now[LINES], now[STARTED], now[SS]);
	}
	rows(ghosts, seconds, faster, missed);
	for (int figure = 0; figure < FIGURES; figure++) {
		bench_free(&seconds[figure]);
		bench_free(&faster[figure]);
	}
}

int main(int argc, char **argv)
{
	long rounds = bench_argument(argc, argv, 1, 5);
	long most = bench_argument(argc, argv, 2, 100000);

	lab_open();
	for (long ghosts = 1000; ghosts <= most; ghosts *= 10)
		measure(ghosts, ghosts < 100000 ? rounds : (rounds + 1) / 2);
	return 0;
}
