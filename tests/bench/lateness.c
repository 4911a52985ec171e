/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_lateness [GHOSTS [SECONDS]]: how late a ghost is reaped, with a timeout of 2 s and leaks at random moments.
 *
 * Measured from outside: one process leaks, and sleeps in epoll until a socket of its own was destroyed under it. Lateness
 * is from just before the client's close (the server's socket cannot have been in CLOSE_WAIT earlier) plus the timeout, to
 * the return of epoll: never too small, and below 0 only if the daemon was early. Beside it, what the journal says: age_ms
 * of ghost.reaped, less the timeout.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "lab_storm.h"

#define TIMEOUT_S 2.0
#define PORT 8080
#define GHOSTS_MAX 10000
#define DESCRIPTORS 20000

static double *lateness; /* of each ghost, seconds; shared with the process that leaks */

struct leaker {
	int epoll, listener;
	double closed[DESCRIPTORS]; /* when the peer of this descriptor closed */
	long leaked, gone;
};

static void leak(struct leaker *leaker)
{
	const long connecting[LAB_ARGS] = {LAB_IPV4, PORT, LAB_FARM_SOURCE_PORT + leaker->leaked};
	struct epoll_event event = {0}; /* errors and hang-ups only */
	long client = deed_connect(connecting), server;

	server = deed_accept((const long[LAB_ARGS]){leaker->listener});
	lab_require(client >= 0 && server >= 0 && server < DESCRIPTORS, "no connection");
	event.data.fd = (int)server;
	lab_works(epoll_ctl(leaker->epoll, EPOLL_CTL_ADD, (int)server, &event) == 0, "epoll_ctl");
	leaker->closed[server] = bench_now();
	close((int)client);
	leaker->leaked++;
}

static void ends_take(struct leaker *leaker, double until)
{
	struct epoll_event events[64];
	double rest = until - bench_now();
	int count = epoll_wait(leaker->epoll, events, 64, rest > 0 ? (int)ceil(rest * 1000) : 0);
	double now = bench_now();

	for (int i = 0; i < count; i++) {
		lateness[leaker->gone++] = now - leaker->closed[events[i].data.fd] - TIMEOUT_S;
		close(events[i].data.fd);
	}
}

static int moment_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ghosts, seconds */
static long deed_leak_at_random(const long *args)
{
	static struct leaker leaker;
	static double moments[GHOSTS_MAX];
	const long listening[LAB_ARGS] = {LAB_IPV4, PORT, 512};
	double begun = bench_now();

	leaker = (struct leaker){.epoll = epoll_create1(EPOLL_CLOEXEC), .listener = (int)deed_listen(listening)};
	lab_no_time_wait();
	srand48((long)(begun * 1e6));
	for (long i = 0; i < args[0]; i++)
		moments[i] = begun + drand48() * (double)args[1];
	qsort(moments, (size_t)args[0], sizeof(moments[0]), moment_compare);
	while (leaker.gone < args[0] && bench_now() < begun + (double)args[1] + 20) {
		while (leaker.leaked < args[0] && moments[leaker.leaked] <= bench_now()) {
			leak(&leaker);
		}
		ends_take(&leaker, leaker.leaked < args[0] ? moments[leaker.leaked] : bench_now() + 1);
	}
	return leaker.gone;
}

static void from_outside(long ghosts)
{
	struct bench_series late = {0};
	long early = 0;

	for (long i = 0; i < ghosts; i++) {
		bench_add(&late, lateness[i] * 1000);
		early += lateness[i] < 0;
	}
	bench_row("lateness", &late, 1, " ms", BENCH_NO_AIM, 0);
	bench_row_one("lateness, p99", bench_quantile(&late, 0.99), 1, " ms", BENCH_BELOW, 50);
	bench_row_one("reaped early", (double)early, 0, "", BENCH_AT_MOST, 0);
	bench_free(&late);
}

static void from_journal(const struct lab_daemon *daemon)
{
	struct bench_series late = {0};
	const json_t *event;
	size_t i;

	json_array_foreach(daemon->events, i, event)
	{
		if (strcmp(json_string_value(json_object_get(event, "event")), "ghost.reaped") == 0)
			bench_add(&late,
				  (double)json_integer_value(json_object_get(event, "age_ms")) - TIMEOUT_S * 1000);
	}
	bench_row("age in the journal, less the timeout", &late, 0, " ms", BENCH_NO_AIM, 0);
	bench_row_one("age in the journal, less the timeout: least", bench_quantile(&late, 0), 0, " ms", BENCH_AT_LEAST,
		      0);
	bench_free(&late);
}

int main(int argc, char **argv)
{
	long ghosts = bench_argument(argc, argv, 1, 1000), seconds = bench_argument(argc, argv, 2, 10);
	struct lab_daemon daemon;
	struct lab_actor actor;
	struct lab_net net;
	long gone;

	lab_require(ghosts > 0 && ghosts <= GHOSTS_MAX, "at most %d ghosts", GHOSTS_MAX);
	lateness =
		mmap(NULL, GHOSTS_MAX * sizeof(*lateness), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	lab_works(lateness != MAP_FAILED, "mmap");
	lab_open();
	lab_net_make(&net);
	lab_actor_start(&actor, &net, "lab-leaker");
	lab_daemon_start(&daemon, &(struct lab_setup){
					  .timeout = "2s", .guard = "rate = 1000000; burst = 1000000;", .net = {&net}});
	lab_start(&actor, deed_leak_at_random, ghosts, seconds);
	lab_daemon_wait(&daemon, (unsigned int)ghosts, LAB_MATCH(.event = "ghost.reaped"));
	gone = lab_end(&actor);
	lab_require(gone == ghosts, "%ld of %ld were reaped", gone, ghosts);
	from_outside(ghosts);
	from_journal(&daemon);
	lab_daemon_stop(&daemon);
	lab_actor_end(&actor);
	return 0;
}
