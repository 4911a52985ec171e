/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the peer before the release: who answers lives, who resets or stays silent is gone. Hazards of TCP: 4, 12. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "lab_check.h"
#include "lab_peer.h"
#include "lab_storm.h"

#define PORT 8080
#define PROBING "peer_probe = \"always\"; probe_interval = \"1s\"; probe_count = 3;"

struct keepalive {
	long on, idle, interval, count;
};

static struct keepalive keepalive_read(const struct lab_actor *actor, int fd)
{
	return (struct keepalive){
		.on = lab_must(actor, deed_option_read, fd, SOL_SOCKET, SO_KEEPALIVE),
		.idle = lab_must(actor, deed_option_read, fd, IPPROTO_TCP, TCP_KEEPIDLE),
		.interval = lab_must(actor, deed_option_read, fd, IPPROTO_TCP, TCP_KEEPINTVL),
		.count = lab_must(actor, deed_option_read, fd, IPPROTO_TCP, TCP_KEEPCNT),
	};
}

static void keepalive_same(struct keepalive now, struct keepalive before)
{
	ck_assert_int_eq(now.on, before.on);
	ck_assert_int_eq(now.idle, before.idle);
	ck_assert_int_eq(now.interval, before.interval);
	ck_assert_int_eq(now.count, before.count);
}

/* They are put back after each answer, until the next question, which may begin just as this looks. */
static void keepalive_put_back(const struct lab_actor *actor, int fd, struct keepalive before)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (keepalive_read(actor, fd).on != before.on && lab_now_ms() < end)
		lab_sleep_ms(50);
	keepalive_same(keepalive_read(actor, fd), before);
}

static void wait_number(struct lab_daemon *daemon, const char *name, long least)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (lab_daemon_number(daemon, name) < least) {
		ck_assert_msg(lab_now_ms() < end, "%s is %ld, wanted %ld", name, lab_daemon_number(daemon, name),
			      least);
		lab_daemon_pump(daemon, 500);
	}
}

/* It is asked again when a late tick has made its last answer look younger than it is. */
static void wait_until_asked(struct lab_daemon *daemon, const struct lab_actor *actor, int fd)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (keepalive_read(actor, fd).on != 1) {
		if (lab_now_ms() > end)
			lab_daemon_give_up(daemon, "the peer to be asked", 1, 0);
		lab_daemon_pump(daemon, 50);
	}
}

static void action_is(const json_t *event, const char *action)
{
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), action);
}

START_TEST(a_silent_half_close_answers_and_gets_its_late_answer)
{
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct keepalive before;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &half);
	before = keepalive_read(&scene.server, half.server_fd);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){
				 .timeout = "1s", .method = lab_method(_i), .options = PROBING, .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "peer-alive", .remote = half.remote));
	keepalive_put_back(&scene.server, half.server_fd, before);
	wait_number(&daemon, "probes_answered", 3);
	keepalive_put_back(&scene.server, half.server_fd, before);

	ck_assert_int_eq(lab_scene_state(&scene, &half), LAB_CLOSE_WAIT);
	lab_must(&scene.server, deed_send, half.server_fd, 1000, 0);
	lab_must(&scene.server, deed_close, half.server_fd);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, half.client_fd, 0), 1000);
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "peer-alive")), 1);
}
END_TEST

START_TEST(a_fully_closed_peer_answers_with_a_reset)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_must(&scene.server, deed_fin_timeout, 1);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){
				 .timeout = "2s", .method = lab_method(_i), .options = PROBING, .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	action_is(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote)), "probe");
	ck_assert_int_eq(lab_scene_state(&scene, &leak), LAB_GONE);
	lab_daemon_stop(&daemon);
}
END_TEST

/*
 * More than netdev_max_backlog (1000) lets through, and each has a single probe to be heard by: none may be taken for silent.
 * Its interval leaves the daemon of a slow machine the time to look.
 */
START_TEST(many_peers_are_asked_and_each_is_heard)
{
	enum { MANY = 1500, MORE = 500, AT_ONCE = 400 };
	unsigned int reaped = MANY;
	struct lab_daemon daemon;
	struct lab_actor hoarder;
	struct lab_scene scene;
	uint64_t end;
	long most = 0;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_actor_start(&hoarder, &scene.net, "lab-hoarder");
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "2s",
						      .method = lab_method(_i),
						      .options = "peer_probe = \"always\"; "
								 "probe_interval = \"3s\"; probe_count = 1;",
						      .guard = LAB_CALM "rate = 100000; burst = 100000;",
						      .net = {&scene.net}});
	kill(daemon.pid, SIGSTOP);
	lab_must(&hoarder, deed_farm, PORT + 1, MANY);
	lab_sleep_ms(2000);
	kill(daemon.pid, SIGCONT);
	lab_daemon_wait(&daemon, MANY, LAB_MATCH(.event = "ghost.reaped"));
	ck_assert_uint_eq(lab_net_count(&scene.net, PORT + 1, LAB_CLOSE_WAIT), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped", .action = "destroy")), 0);

	/* How many at a time is seen where nobody answers: an answer takes less time than a look at the status. */
	kill(daemon.pid, SIGSTOP);
	lab_must(&hoarder, deed_farm, PORT + 2, MORE);
	lab_must(&scene.server, deed_loopback, 0);
	lab_sleep_ms(2000);
	kill(daemon.pid, SIGCONT);
	end = lab_now_ms() + LAB_PATIENCE_MS;
	for (long probing = 0; probing < AT_ONCE && reaped < MANY + MORE;) {
		if (lab_now_ms() > end)
			lab_daemon_give_up(&daemon, "ghost.reaped", MANY + MORE, reaped);
		probing = lab_daemon_number(&daemon, "probing");
		most = probing > most ? probing : most;
		lab_daemon_pump(&daemon, 100);
		reaped = lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped"));
	}
	/* A slow machine has condemned the first before it asks the last. */
	ck_assert_msg(most > AT_ONCE / 2 && most <= AT_ONCE, "%ld were asked at the same time", most);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(a_vanished_peer_is_condemned_by_its_silence)
{
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &half);
	lab_must(&scene.server, deed_loopback, 0);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){
				 .timeout = "1s", .method = lab_method(_i), .options = PROBING, .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.found", .remote = half.remote));
	lab_daemon_pump(&daemon, 2000);
	ck_assert_int_eq(lab_scene_state(&scene, &half), LAB_CLOSE_WAIT); /* three probes have not passed yet */
	action_is(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = half.remote)), "destroy");
	ck_assert_int_eq(lab_scene_state(&scene, &half), LAB_GONE);
	lab_daemon_stop(&daemon);
}
END_TEST

/* By the namespace's own tcp_fin_timeout: 60 s by default. */
static const struct {
	long fin_timeout_s;
	const char *timeout, *action;
} automatic[] = {{60, "2s", "destroy"}, {1, "2s", "probe"}, {3, "2s", "destroy"}, {1, "60s", "probe"}};

START_TEST(auto_asks_when_a_closed_peer_would_no_longer_answer)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	int i = _i / LAB_METHOD_COUNT;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_must(&scene.server, deed_fin_timeout, automatic[i].fin_timeout_s);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = automatic[i].timeout,
						      .method = lab_method(_i % LAB_METHOD_COUNT),
						      .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	lab_daemon_pump(&daemon, i == 3 ? 55000 : 0);
	action_is(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote)),
		  automatic[i].action);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(where_the_application_asks_itself_it_is_not_asked)
{
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &half);
	lab_must(&scene.server, deed_option, half.server_fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .method = lab_method(_i),
						      .options = PROBING,
						      .own = true,
						      .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "keepalive", .remote = half.remote));
	ck_assert_int_eq(lab_daemon_number(&daemon, "probes"), -1);
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), 0);
}
END_TEST

START_TEST(values_of_its_own_are_left_to_the_application)
{
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &half);
	lab_must(&scene.server, deed_option, half.server_fd, IPPROTO_TCP, TCP_KEEPIDLE, 1234);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){
				 .timeout = "1s", .method = lab_method(_i), .options = PROBING, .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "keepalive-options"));
	ck_assert_int_eq(lab_must(&scene.server, deed_option_read, half.server_fd, IPPROTO_TCP, TCP_KEEPIDLE), 1234);
	lab_daemon_stop(&daemon);
}
END_TEST

/* Killed, or stopped as asked, while the peer is being asked: the options are put back. */
START_TEST(an_interrupted_probe_is_tidied_up_after)
{
	struct lab_setup setup = {
		.timeout = "1s", /* enough probes that the kernel does not give up before all is done here */
		.options = "peer_probe = \"always\"; probe_interval = \"1s\"; probe_count = 9;",
		.own = true};
	bool killed = _i / LAB_METHOD_COUNT;
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct keepalive before;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	setup.method = lab_method(_i % LAB_METHOD_COUNT);
	lab_scene_half_close(&scene, &half);
	before = keepalive_read(&scene.server, half.server_fd);
	lab_must(&scene.server, deed_loopback, 0); /* so that no answer ends the probe */
	lab_daemon_start(&daemon, &setup);
	wait_until_asked(&daemon, &scene.server, half.server_fd);
	if (!killed) {
		lab_daemon_stop(&daemon);
		keepalive_same(keepalive_read(&scene.server, half.server_fd), before);
		return;
	}
	kill(daemon.pid, SIGKILL);
	ck_assert_int_eq(lab_daemon_exit(&daemon), -SIGKILL);
	ck_assert_int_eq(keepalive_read(&scene.server, half.server_fd).on, 1);
	lab_must(&scene.server, deed_loopback, 1);
	setup.name = "next";
	setup.timeout = "2s"; /* each second an answer: never silent for so long before it is tidied up */
	lab_daemon_start(&daemon, &setup);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "peer-alive", .remote = half.remote));
	keepalive_put_back(&scene.server, half.server_fd, before);
	lab_daemon_stop(&daemon);
}
END_TEST

/* A reload forgets when to look where; who was asked in a namespace that is gone is not asked for ever. */
START_TEST(who_is_asked_when_the_namespace_ends)
{
	struct lab_setup setup = {.timeout = "1s",
				  .options = "peer_probe = \"always\"; probe_interval = \"1s\"; probe_count = 9;",
				  .own = true};
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct lab_net other;
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	lab_net_make(&other);
	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	setup.net[1] = &other;
	setup.method = lab_method(_i);
	lab_scene_half_close(&scene, &half);
	lab_must(&scene.server, deed_loopback, 0);
	lab_daemon_start(&daemon, &setup);
	wait_number(&daemon, "probing", 1);
	kill(daemon.pid, SIGSTOP);
	setup.timeout = "2s";
	lab_daemon_configure(&daemon, &setup);
	lab_scene_end(&scene);
	lab_net_delete(&scene.net);
	kill(daemon.pid, SIGHUP);
	kill(daemon.pid, SIGCONT);
	while (lab_daemon_number(&daemon, "probing") > 0) {
		if (lab_now_ms() > end)
			lab_daemon_give_up(&daemon, "nobody to be asked", 0, 1);
		lab_daemon_pump(&daemon, 200);
	}
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.healed", .remote = half.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(observing_asks_nobody)
{
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &half);
	lab_daemon_start(
		&daemon,
		&(struct lab_setup){.timeout = "1s", .options = PROBING, .arg = {"--observe"}, .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "observe", .remote = half.remote));
	lab_daemon_pump(&daemon, 2000);
	ck_assert_int_eq(keepalive_read(&scene.server, half.server_fd).on, 0);
	ck_assert_int_eq(lab_daemon_number(&daemon, "probes"), -1);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_probe");
	TCase *tcase = lab_tcase(suite, "probe", 150);

	tcase_add_loop_test(tcase, a_silent_half_close_answers_and_gets_its_late_answer, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_fully_closed_peer_answers_with_a_reset, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, many_peers_are_asked_and_each_is_heard, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_vanished_peer_is_condemned_by_its_silence, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, where_the_application_asks_itself_it_is_not_asked, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, values_of_its_own_are_left_to_the_application, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, an_interrupted_probe_is_tidied_up_after, 0, 2 * LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, who_is_asked_when_the_namespace_ends, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, observing_asks_nobody);
	tcase = lab_tcase(suite, "automatic", 150);
	tcase_add_loop_test(tcase, auto_asks_when_a_closed_peer_would_no_longer_answer, 0, 3 * LAB_METHOD_COUNT + 1);
	return lab_main_shared(suite);
}
