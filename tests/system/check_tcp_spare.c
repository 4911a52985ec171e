/* SPDX-License-Identifier: Apache-2.0 */
/* What must not be touched, each with a leak beside it that must go: so the daemon is known to have looked. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab_check.h"

#ifndef SOL_TCP
#define SOL_TCP 6
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define PORT 8080

static struct lab_scene scene;
static struct lab_daemon daemon_;

/* With a timeout of 1 s. */
static void begin(enum lab_family family, const char *method, const char *guard)
{
	lab_scene_make(&scene, family, PORT);
	lab_daemon_start(&daemon_,
			 &(struct lab_setup){.method = method, .timeout = "1s", .guard = guard, .net = {&scene.net}});
}

/* A leak of another server comes, is reaped, and the spared one is looked at once more after that. */
static void wait_for_a_reaping(void)
{
	struct lab_scene other = {.net = scene.net};
	struct lab_connection leak;

	lab_scene_in(&other, LAB_IPV4, PORT + 1);
	lab_scene_leak(&other, &leak);
	lab_daemon_expect(&daemon_, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_pump(&daemon_, 1200);
	lab_scene_end(&other);
}

/* It is there, nothing was done to it, and, when there is a reason, the journal gave it, once. */
static void assert_spared(const struct lab_connection *spared, int state, const char *reason)
{
	if (reason)
		lab_daemon_expect(&daemon_,
				  LAB_MATCH(.event = "ghost.spared", .reason = reason, .remote = spared->remote));
	ck_assert_int_eq(lab_scene_state(&scene, spared), state);
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = "ghost.reaped", .local = PORT)), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = "ghost.failed")), 0);
	if (reason)
		ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = "ghost.spared", .reason = reason,
								       .remote = spared->remote)),
				  1);
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	lab_scene_end(&scene);
}

/* One byte a second with a timeout of 2 s, for ten timeouts; both methods at once. */
START_TEST(a_half_closed_stream_survives_ten_timeouts)
{
	static const char *const names[] = {"iterator", "sock_diag"};
	struct lab_daemon daemon[LAB_METHOD_COUNT];
	struct lab_scene scenes[LAB_METHOD_COUNT];
	struct lab_connection stream, leak;
	int used = 0;

	for (int i = 0; i < LAB_METHOD_COUNT; i++) {
		if (!lab_has_method(names[i]))
			continue;
		if (used && lab_open_scope()) { /* both would see, and reap, the leaks of both */
			printf("one method only in an open scope\n");
			break;
		}
		lab_scene_make(&scenes[used], LAB_IPV4, PORT);
		lab_daemon_start(&daemon[used],
				 &(struct lab_setup){.name = names[i], .method = names[i], .net = {&scenes[used].net}});
		lab_scene_leak(&scenes[used], &leak);
		lab_scene_half_close(&scenes[used], &stream);
		lab_start(&scenes[used].client, deed_read_to_end, stream.client_fd);
		lab_start(&scenes[used].server, deed_stream, stream.server_fd, 21, 1000);
		used++;
	}
	for (int i = 0; i < used; i++) {
		ck_assert_int_eq(lab_end(&scenes[i].server), 21);
		ck_assert_int_eq(lab_end(&scenes[i].client), 21);
		lab_daemon_expect(&daemon[i], LAB_MATCH(.event = "ghost.reaped"));
		lab_daemon_stop(&daemon[i]);
		ck_assert_uint_eq(lab_daemon_count(&daemon[i], LAB_MATCH(.event = "ghost.reaped")), 1);
	}
}
END_TEST

START_TEST(a_full_send_queue_survives_and_arrives_whole)
{
	struct lab_connection slow;
	long sent;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_half_close(&scene, &slow);
	sent = lab_must(&scene.server, deed_fill, slow.server_fd);
	ck_assert_uint_gt(lab_net_socket(&scene.net, slow.local, slow.remote).send_queue, 0);
	wait_for_a_reaping();
	assert_spared(&slow, LAB_CLOSE_WAIT, "unsent-data");
	lab_start(&scene.client, deed_read_to_end, slow.client_fd);
	while (lab_net_socket(&scene.net, slow.local, slow.remote).send_queue)
		lab_sleep_ms(20);
	lab_must(&scene.server, deed_close, slow.server_fd);
	ck_assert_int_eq(lab_end(&scene.client), sent);
	end();
}
END_TEST

/* Hazard 6: the backlog of a listener that hangs. */
START_TEST(a_socket_in_the_accept_queue_survives)
{
	struct lab_connection queued = {.local = PORT};

	begin(LAB_IPV4, lab_method(_i), NULL);
	queued.client_fd = (int)lab_must(&scene.client, deed_connect, LAB_IPV4, PORT, 0);
	queued.remote = (unsigned int)lab_must(&scene.client, deed_port, queued.client_fd);
	lab_must(&scene.client, deed_send, queued.client_fd, 100, 0);
	lab_must(&scene.client, deed_shutdown, queued.client_fd);
	wait_for_a_reaping();
	assert_spared(&queued, LAB_CLOSE_WAIT, "not-accepted");
	queued.server_fd = (int)lab_must(&scene.server, deed_accept, scene.listener);
	ck_assert_int_eq(lab_must(&scene.server, deed_read_to_end, queued.server_fd), 100);
	ck_assert_int_eq(lab_must(&scene.server, deed_send, queued.server_fd, 50, 0), 50);
	lab_must(&scene.server, deed_close, queued.server_fd);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, queued.client_fd), 50);
	end();
}
END_TEST

/* Hazard 7: no holder found is no orphan. */
START_TEST(a_socket_in_flight_survives)
{
	struct lab_connection flying;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_half_close(&scene, &flying);
	lab_must(&scene.server, deed_stash, flying.server_fd);
	wait_for_a_reaping();
	assert_spared(&flying, LAB_CLOSE_WAIT, "no-holder");
	end();
}
END_TEST

/* Hazard 7 again: an io_uring may still read and write it. */
START_TEST(a_socket_of_an_io_uring_survives)
{
	struct lab_connection held;
	long ring;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_half_close(&scene, &held);
	ring = lab_do(&scene.server, deed_uring, held.server_fd);
	if (ring == -ENOSYS || ring == -EPERM) {
		printf("not on this kernel: io_uring\n");
		return;
	}
	ck_assert_int_ge(ring, 0);
	wait_for_a_reaping();
	assert_spared(&held, LAB_CLOSE_WAIT, "no-holder");
	end();
}
END_TEST

/* Hazard 9: and who goes on gets the whole timeout again. */
START_TEST(a_stopped_owner_keeps_its_sockets)
{
	struct lab_connection held;
	uint64_t resumed;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_leak(&scene, &held);
	kill(scene.server.pid, SIGSTOP);
	wait_for_a_reaping();
	assert_spared(&held, LAB_CLOSE_WAIT, "holder-stopped");
	resumed = lab_now_ms();
	kill(scene.server.pid, SIGCONT);
	lab_daemon_expect(&daemon_, LAB_MATCH(.event = "ghost.reaped", .remote = held.remote));
	ck_assert_msg(lab_now_ms() - resumed >= 900, "reaped %lu ms after its owner went on, wanted 1000",
		      (unsigned long)(lab_now_ms() - resumed));
	end();
}
END_TEST

/* Hazard 9, although nobody looked while it was stopped. */
START_TEST(an_owner_that_was_stopped_between_two_looks_gets_its_time)
{
	struct lab_connection held;
	uint64_t resumed;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon_, &(struct lab_setup){.method = lab_method(_i), .timeout = "3s", .net = {&scene.net}});
	lab_scene_leak(&scene, &held);
	kill(scene.server.pid, SIGSTOP);
	lab_sleep_ms(2000);
	resumed = lab_now_ms();
	kill(scene.server.pid, SIGCONT);
	lab_daemon_expect(&daemon_,
			  LAB_MATCH(.event = "ghost.spared", .reason = "holder-resumed", .remote = held.remote));
	ck_assert_int_eq(lab_scene_state(&scene, &held), LAB_CLOSE_WAIT);
	lab_daemon_expect(&daemon_, LAB_MATCH(.event = "ghost.reaped", .remote = held.remote));
	ck_assert_msg(lab_now_ms() - resumed >= 2900, "reaped %lu ms after its owner went on, wanted 3000",
		      (unsigned long)(lab_now_ms() - resumed));
	end();
}
END_TEST

/* Hazard 9: a debugger holds its owner. */
START_TEST(a_traced_owner_keeps_its_sockets)
{
	struct lab_connection held;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_leak(&scene, &held);
	lab_must(&scene.client, deed_trace, scene.server.pid);
	wait_for_a_reaping();
	assert_spared(&held, LAB_CLOSE_WAIT, "holder-traced");
	lab_must(&scene.client, deed_untrace, scene.server.pid);
	lab_daemon_expect(&daemon_, LAB_MATCH(.event = "ghost.reaped", .remote = held.remote));
	end();
}
END_TEST

/* Hazard 8: one exempt holder of several protects. */
START_TEST(an_exempt_second_holder_protects)
{
	struct lab_connection held;

	begin(LAB_IPV4, lab_method(_i), LAB_CALM "exempt = ( { comm = \"" LAB_EXEMPT "\"; } );");
	lab_scene_leak(&scene, &held);
	lab_must(&scene.server, deed_fork_holder, LAB_COMM_EXEMPT);
	wait_for_a_reaping();
	assert_spared(&held, LAB_CLOSE_WAIT, "exempt");
	end();
}
END_TEST

START_TEST(an_exempt_port_protects)
{
	struct lab_connection held;

	begin(LAB_IPV4, lab_method(_i), LAB_CALM "exempt = ( { port = 8080; } );");
	lab_scene_leak(&scene, &held);
	wait_for_a_reaping();
	assert_spared(&held, LAB_CLOSE_WAIT, "exempt");
	end();
}
END_TEST

/* Hazard 10: what TCP shows of MPTCP is a subflow. */
START_TEST(mptcp_is_left_alone)
{
	const char *method = lab_method(_i);
	struct lab_connection flow;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	if (fd < 0) {
		printf("not on this kernel: MPTCP\n");
		return;
	}
	close(fd);
	begin(LAB_MPTCP, method, NULL);
	lab_scene_connect(&scene, 0, &flow);
	lab_must(&scene.client, deed_shutdown, flow.client_fd);
	wait_for_a_reaping();
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = "ghost.reaped", .local = PORT)), 0);
	ck_assert_int_ne(lab_scene_state(&scene, &flow), LAB_GONE);
	ck_assert_int_eq(lab_must(&scene.server, deed_send, flow.server_fd, 10, 0), 10);
	lab_must(&scene.server, deed_close, flow.server_fd);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, flow.client_fd), 10);
	end();
}
END_TEST

/* Hazard 9: a checkpoint is being made. */
START_TEST(tcp_repair_is_left_alone)
{
	struct lab_connection frozen;
	long r;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_half_close(&scene, &frozen);
	r = lab_do(&scene.server, deed_option, frozen.server_fd, SOL_TCP, TCP_REPAIR, 1);
	if (r == -EPERM || r == -ENOPROTOOPT) {
		printf("not on this kernel: TCP_REPAIR\n");
		return;
	}
	ck_assert_int_eq(r, 0);
	wait_for_a_reaping();
	assert_spared(&frozen, LAB_CLOSE_WAIT, "tcp-repair");
	end();
}
END_TEST

/* Hazard 10: what the application sends is made of records, which nobody may cut off. */
START_TEST(ktls_is_left_alone)
{
	struct lab_connection coded;
	long r;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_connect(&scene, 0, &coded);
	r = lab_do(&scene.server, deed_tls, coded.server_fd);
	if (r == -ENOENT) {
		printf("not on this kernel: kTLS\n");
		return;
	}
	ck_assert_int_eq(r, 0);
	lab_must(&scene.client, deed_shutdown, coded.client_fd);
	wait_for_a_reaping();
	assert_spared(&coded, LAB_CLOSE_WAIT, "ulp");
	end();
}
END_TEST

/* Established, listening, closing from this side: not CLOSE_WAIT. The other side of the last one is, and leaks. */
START_TEST(other_states_are_never_touched)
{
	struct lab_connection idle, closing;

	begin(LAB_IPV4, lab_method(_i), NULL);
	lab_scene_connect(&scene, 0, &idle);
	lab_scene_connect(&scene, 0, &closing);
	lab_must(&scene.server, deed_shutdown, closing.server_fd);
	wait_for_a_reaping();
	assert_spared(&idle, LAB_ESTABLISHED, NULL);
	lab_daemon_expect(&daemon_, LAB_MATCH(.event = "ghost.reaped", .local = closing.remote, .remote = PORT,
					      .owner = scene.client.pid));
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.local = PORT)), 0);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_spare");
	TCase *tcase;

	tcase = lab_tcase(suite, "queues", 180);
	tcase_add_test(tcase, a_half_closed_stream_survives_ten_timeouts);
	tcase_add_loop_test(tcase, a_full_send_queue_survives_and_arrives_whole, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_socket_in_the_accept_queue_survives, 0, LAB_METHOD_COUNT);
	tcase = lab_tcase(suite, "holders", 180);
	tcase_add_loop_test(tcase, a_socket_in_flight_survives, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_socket_of_an_io_uring_survives, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_traced_owner_keeps_its_sockets, 0, LAB_METHOD_COUNT);
	tcase = lab_tcase(suite, "stopped", 180);
	tcase_add_loop_test(tcase, a_stopped_owner_keeps_its_sockets, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, an_owner_that_was_stopped_between_two_looks_gets_its_time, 0, LAB_METHOD_COUNT);
	tcase = lab_tcase(suite, "exempt", 180);
	tcase_add_loop_test(tcase, an_exempt_second_holder_protects, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, an_exempt_port_protects, 0, LAB_METHOD_COUNT);
	tcase = lab_tcase(suite, "protocols", 180);
	tcase_add_loop_test(tcase, mptcp_is_left_alone, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, tcp_repair_is_left_alone, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, ktls_is_left_alone, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, other_states_are_never_touched, 0, LAB_METHOD_COUNT);
	return lab_main_shared(suite);
}
