/* SPDX-License-Identifier: Apache-2.0 */
/* Many at once, and the ground that goes away in the middle: overload, namespaces and owners that end during a sweep. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "lab_check.h"
#include "lab_peer.h"
#include "lab_storm.h"

#define PORT 8080
#define STORM_PORT 9000
#define GHOSTS 19000 /* what one process may hold here: RLIMIT_NOFILE is 20000 */
#define RACE_MS 8000

/* The guard's limits out of the way. */
#define UNLIMITED "rate = 1000000; burst = 10000000; owner_grace = 0;"

static unsigned int reaped(const struct lab_daemon *daemon)
{
	return lab_daemon_count(daemon, LAB_MATCH(.event = "ghost.reaped"));
}

/* The daemon is held while the ghosts come to be, so that all are due at the same moment. */
START_TEST(thousands_due_at_once_are_reaped_and_the_daemon_answers)
{
	struct lab_connection healthy, stream;
	struct lab_storm storm = {.ghosts = GHOSTS};
	struct lab_answers answers;
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct lab_actor hoarder;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_connect(&scene, 0, &healthy);
	lab_actor_start(&hoarder, &scene.net, "lab-hoarder");
	lab_daemon_start(&daemon,
			 &(struct lab_setup){
				 .timeout = "1s", .method = lab_method(_i), .guard = UNLIMITED, .net = {&scene.net}});
	kill(daemon.pid, SIGSTOP);
	ck_assert_int_eq(lab_must(&hoarder, deed_leak_many, STORM_PORT, GHOSTS), GHOSTS);
	lab_sleep_ms(1100);
	lab_scene_half_close(&scene, &stream);
	lab_start(&scene.server, deed_stream, stream.server_fd, 60, 100);
	storm.begun_ns = clock_now_ns();
	kill(daemon.pid, SIGCONT);
	lab_storm_watch(&daemon, &storm, &answers);
	printf("%d reaped, by %s; meanwhile %u answers to `status`, the longest after %.1f ms\n", GHOSTS,
	       lab_method(_i), answers.count, (double)answers.longest_ns / 1e6);
	ck_assert_uint_ge(answers.count, 3);
	ck_assert_uint_eq(lab_net_count(&scene.net, STORM_PORT, LAB_CLOSE_WAIT), 0);
	ck_assert_int_eq(lab_scene_state(&scene, &healthy), LAB_ESTABLISHED);
	ck_assert_int_eq(lab_end(&scene.server), 60);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, stream.client_fd, 0), 60);
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.failed")), 0);
}
END_TEST

/* After the burst never faster than the rate: a lower bound of the time, which no slow machine can break. */
START_TEST(the_rate_is_kept_to_the_second)
{
	enum { COUNT = 1500, BURST = 300, RATE = 300 };
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct lab_actor hoarder;
	uint64_t begun;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_actor_start(&hoarder, &scene.net, "lab-hoarder");
	lab_must(&hoarder, deed_leak_many, STORM_PORT, COUNT);
	lab_sleep_ms(1100);
	begun = lab_now_ms();
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .guard = "rate = 300; burst = 300; owner_grace = 0;",
						      .net = {&scene.net}});
	while (reaped(&daemon) < COUNT) {
		uint64_t elapsed = lab_now_ms() - begun;

		ck_assert_msg(elapsed < LAB_PATIENCE_MS, "%u of %d", reaped(&daemon), COUNT);
		ck_assert_msg(reaped(&daemon) <= BURST + RATE * (elapsed + 1000) / 1000, "%u after %lu ms",
			      reaped(&daemon), (unsigned long)elapsed);
		lab_daemon_pump(&daemon, 50);
	}
	ck_assert_uint_ge(lab_now_ms() - begun, (COUNT - BURST) * 1000 / RATE - 1000);
	lab_daemon_stop(&daemon);
}
END_TEST

static void check_still_works(struct lab_daemon *daemon, struct lab_scene *scene)
{
	struct lab_connection leak;

	lab_scene_leak(scene, &leak);
	lab_daemon_expect(daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	ck_assert_int_eq(lab_net_socket(&scene->net, PORT, 0).state, LAB_LISTEN);
}

START_TEST(a_namespace_may_be_deleted_during_a_sweep)
{
	uint64_t end = lab_now_ms() + RACE_MS;
	unsigned int rounds = 0;
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct lab_net doomed;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_net_make_named(&doomed, "doomed");
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .method = lab_method(_i),
						      .guard = UNLIMITED,
						      .net = {&scene.net, &doomed}});
	for (; lab_now_ms() < end; rounds++) {
		struct lab_actor hoarder;

		lab_actor_start(&hoarder, &doomed, "lab-hoarder");
		lab_must(&hoarder, deed_leak_many, STORM_PORT, 50);
		lab_daemon_pump(&daemon, 990 + (unsigned int)(rand() % 20));
		lab_actor_kill(&hoarder);
		lab_net_delete(&doomed);
		lab_net_make_named(&doomed, "doomed");
		kill(daemon.pid, SIGUSR1); /* so that the name is looked up again */
	}
	printf("%u namespaces deleted while their sockets were due, %u sockets reaped before\n", rounds,
	       reaped(&daemon));
	check_still_works(&daemon, &scene);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(an_owner_may_exit_during_a_sweep)
{
	uint64_t end = lab_now_ms() + RACE_MS;
	unsigned int rounds = 0;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){
				 .timeout = "1s", .method = lab_method(_i), .guard = UNLIMITED, .net = {&scene.net}});
	for (; lab_now_ms() < end; rounds++) {
		struct lab_actor hoarder;

		lab_actor_start(&hoarder, &scene.net, "lab-hoarder");
		lab_must(&hoarder, deed_leak_many, STORM_PORT + rounds % 500, 50);
		lab_daemon_pump(&daemon, 990 + (unsigned int)(rand() % 20));
		lab_actor_kill(&hoarder);
	}
	printf("%u owners ended while their sockets were due, %u sockets reaped before\n", rounds, reaped(&daemon));
	check_still_works(&daemon, &scene);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_storm");
	TCase *tcase = lab_tcase(suite, "overload", 150);

	tcase_add_loop_test(tcase, thousands_due_at_once_are_reaped_and_the_daemon_answers, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, the_rate_is_kept_to_the_second);
	tcase = lab_tcase(suite, "ground", 120);
	tcase_add_loop_test(tcase, a_namespace_may_be_deleted_during_a_sweep, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, an_owner_may_exit_during_a_sweep, 0, LAB_METHOD_COUNT);
	return lab_main(suite);
}
