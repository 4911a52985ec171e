/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 100,000 ghosts due at the same moment, in six processes, which hold healthy connections as well. Needs, for a minute at
 * most: 400 MB for the sockets (the kernel's 3.6 KB each) and 200 MB for the daemon; 20,000 descriptors a process.
 */
#include <signal.h>
#include <stdio.h>

#include "clock.h"
#include "lab_check.h"
#include "lab_storm.h"

#define PORT 8080
#define FLOOD_PORT 9000 /* and the next ones, one a hoarder */
#define HOARDERS 6
#define GHOSTS 100000
#define SHARE(i) (GHOSTS * ((i) + 1) / HOARDERS - GHOSTS * (i) / HOARDERS)

/*
 * What the daemon may weigh for each ghost, at its heaviest and beside the kernel's maps: less than the 3.6 KB that the ghost
 * itself costs the kernel, or it would be a poor cure for a machine that runs out of memory.
 */
#define GHOST_BYTES_MAX 3600

struct flood {
	struct lab_scene scene, apart; /* the second in a namespace that is out of scope */
	struct lab_actor hoarder[HOARDERS];
	long healthy[HOARDERS],
		accepted[HOARDERS]; /* a hoarder's connection to the server, and the server's end of it */
	struct lab_connection stream, outside;
};

static void flood_rise(struct flood *flood)
{
	struct lab_scene *scene = &flood->scene;

	for (int i = 0; i < HOARDERS; i++) {
		lab_actor_start(&flood->hoarder[i], &scene->net, "lab-hoarder");
		flood->healthy[i] = lab_must(&flood->hoarder[i], deed_connect, LAB_IPV4, PORT, 0);
		flood->accepted[i] = lab_must(&scene->server, deed_accept, scene->listener);
		lab_start(&flood->hoarder[i], deed_farm, FLOOD_PORT + i, SHARE(i));
	}
	for (int i = 0; i < HOARDERS; i++)
		ck_assert_int_eq(lab_end(&flood->hoarder[i]), 0);
	for (int i = 0; i < HOARDERS; i++)
		ck_assert_uint_eq(lab_net_count(&scene->net, FLOOD_PORT + (unsigned int)i, LAB_CLOSE_WAIT), SHARE(i));
	lab_scene_leak(&flood->apart, &flood->outside);
	lab_sleep_ms(1100);
	/* In CLOSE_WAIT like the others, but somebody still sends. */
	lab_scene_half_close(scene, &flood->stream);
	lab_start(&scene->server, deed_stream, flood->stream.server_fd, 100, 100);
}

static void assert_bystanders(struct flood *flood)
{
	struct lab_scene *scene = &flood->scene;

	for (int i = 0; i < HOARDERS; i++)
		ck_assert_uint_eq(lab_net_count(&scene->net, FLOOD_PORT + (unsigned int)i, LAB_CLOSE_WAIT), 0);
	ck_assert_int_eq(lab_scene_state(&flood->apart, &flood->outside), LAB_CLOSE_WAIT);
	ck_assert_int_eq(lab_end(&scene->server), 100);
	ck_assert_int_eq(lab_must(&scene->client, deed_read_to_end, flood->stream.client_fd, 0), 100);
	for (int i = 0; i < HOARDERS; i++) {
		ck_assert_int_eq(lab_must(&flood->hoarder[i], deed_send, flood->healthy[i], 7, 0), 7);
		ck_assert_int_ne(lab_must(&scene->server, deed_poll, flood->accepted[i], 10000), 0);
		ck_assert_int_eq(lab_must(&scene->server, deed_recv, flood->accepted[i]), 7);
	}
}

static void flood_make(struct flood *flood, struct lab_setup *setup, struct lab_daemon *daemon)
{
	lab_scene_make(&flood->scene, LAB_IPV4, PORT);
	lab_scene_make(&flood->apart, LAB_IPV4, PORT);
	setup->timeout = "1s";
	setup->net[0] = &flood->scene.net;
	setup->arg[0] = "--set";
	setup->arg[1] = "ghostbuster.journal.summary=true"; /* as it is by default: not 200,000 lines */
	lab_daemon_start(daemon, setup);
	/* Held while the ghosts come to be, so that all are due at the same moment. */
	kill(daemon->pid, SIGSTOP);
	flood_rise(flood);
}

static void assert_totals(const struct lab_daemon *daemon)
{
	json_t *status = lab_daemon_ask(daemon, "status", NULL);

	ck_assert_int_eq(lab_number_in(status, "found"), GHOSTS);
	ck_assert_int_eq(lab_number_in(status, "reaped"), GHOSTS);
	ck_assert_int_eq(lab_number_in(status, "failed"), 0);
	ck_assert_int_eq(lab_number_in(status, "journal_lost"), 0);
	json_decref(status);
}

static void flood_test(struct lab_setup *setup, struct lab_storm *storm, const char *method)
{
	long before_kb, peak_kb, each;
	struct lab_answers answers;
	struct lab_daemon daemon;
	static struct flood flood;

	flood_make(&flood, setup, &daemon);
	before_kb = lab_status_kb(daemon.pid, "VmHWM");
	storm->begun_ns = clock_now_ns();
	kill(daemon.pid, SIGCONT);
	lab_storm_watch(&daemon, storm, &answers);
	peak_kb = lab_status_kb(daemon.pid, "VmHWM");
	each = (peak_kb - before_kb) * 1024 / GHOSTS;
	printf("%d reaped in %.1f s, by %s; meanwhile %u answers to `status`, the longest after %.1f ms; the daemon "
	       "weighed %ld MB at most, %ld bytes a ghost\n",
	       GHOSTS, (double)answers.took_ns / 1e9, method, answers.count, (double)answers.longest_ns / 1e6,
	       peak_kb / 1024, each);
	ck_assert_uint_ge(answers.amid, 3);
	ck_assert_int_lt(each, GHOST_BYTES_MAX);
	assert_totals(&daemon);
	assert_bystanders(&flood);
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.failed")), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "guard.tripped")), 0);
}

START_TEST(all_are_reaped_and_the_daemon_answers)
{
	const char *method = lab_method(_i);
	struct lab_storm storm = {.ghosts = GHOSTS};
	struct lab_setup setup = {.method = method, .guard = "rate = 1000000; burst = 10000000; owner_grace = 0;"};

	flood_test(&setup, &storm, method);
}
END_TEST

START_TEST(the_rate_is_kept)
{
	struct lab_storm storm = {.ghosts = GHOSTS, .rate = 20000, .burst = 15000};
	struct lab_setup setup = {.guard = "rate = 20000; burst = 15000; owner_grace = 0;"};

	flood_test(&setup, &storm, "the best way, 20000 a second");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_flood");
	TCase *tcase = lab_tcase(suite, "flood", 150);

	tcase_add_loop_test(tcase, all_are_reaped_and_the_daemon_answers, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, the_rate_is_kept);
	return lab_main(suite);
}
