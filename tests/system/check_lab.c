/* SPDX-License-Identifier: Apache-2.0 */
/* The laboratory itself: a test that cannot see the truth proves nothing. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "lab_check.h"

START_TEST(a_leak_is_seen)
{
	struct lab_scene scene;
	struct lab_connection leak;

	lab_scene_make(&scene, (enum lab_family)_i, 8080);
	lab_scene_leak(&scene, &leak);
	ck_assert_int_eq(lab_scene_state(&scene, &leak), LAB_CLOSE_WAIT);
	ck_assert_uint_eq(lab_net_count(&scene.net, 8080, LAB_LISTEN), 1);
	ck_assert_uint_gt(lab_net_socket(&scene.net, leak.local, leak.remote).inode, 0);
	lab_must(&scene.server, deed_reset, leak.server_fd);
	lab_net_wait_state(&scene.net, leak.local, leak.remote, LAB_GONE);
	lab_scene_end(&scene);
}
END_TEST

START_TEST(a_stream_arrives_whole)
{
	struct lab_scene scene;
	struct lab_connection connection;
	long sent;

	lab_scene_make(&scene, LAB_IPV4, 8080);
	lab_scene_half_close(&scene, &connection);
	lab_start(&scene.client, deed_read_to_end, connection.client_fd);
	ck_assert_int_eq(lab_must(&scene.server, deed_stream, connection.server_fd, 20, 5), 20);
	ck_assert_int_eq(lab_end(&scene.client), 20);
	lab_scene_half_close(&scene, &connection);
	sent = lab_must(&scene.server, deed_fill, connection.server_fd);
	ck_assert_int_gt(sent, 10000);
	ck_assert_uint_gt(lab_net_socket(&scene.net, connection.local, connection.remote).send_queue, 0);
	lab_must(&scene.server, deed_close, connection.server_fd);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, connection.client_fd), sent);
	lab_scene_end(&scene);
}
END_TEST

START_TEST(the_end_of_a_namespace_is_seen)
{
	struct lab_net observer, named;
	struct lab_scene scene = {0};
	struct lab_connection leak;
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	lab_net_make(&observer);
	lab_net_make_named(&named, "blue");
	lab_net_watch(&observer, &named, 7);
	scene.net = named;
	lab_scene_in(&scene, LAB_IPV4, 8080);
	lab_scene_leak(&scene, &leak);
	lab_net_delete(&named);
	lab_sleep_ms(300);
	ck_assert(lab_net_alive(&observer, 7)); /* held by the actors */
	lab_scene_end(&scene);
	while (lab_net_alive(&observer, 7) && lab_now_ms() < end)
		lab_sleep_ms(10);
	ck_assert(!lab_net_alive(&observer, 7));
}
END_TEST

START_TEST(holders_of_all_sorts)
{
	struct lab_scene scene;
	struct lab_connection connection;
	long pid;

	lab_scene_make(&scene, LAB_IPV4, 8080);
	lab_scene_leak(&scene, &connection);
	lab_must(&scene.server, deed_stash, connection.server_fd);
	ck_assert_int_eq(lab_scene_state(&scene, &connection), LAB_CLOSE_WAIT);
	lab_scene_leak(&scene, &connection);
	pid = lab_must(&scene.server, deed_fork_holder, LAB_COMM_EXEMPT);
	lab_must(&scene.client, deed_trace, pid);
	lab_must(&scene.client, deed_untrace, pid);
	lab_must(&scene.server, deed_close, connection.server_fd);
	lab_sleep_ms(50);
	ck_assert_int_eq(lab_scene_state(&scene, &connection), LAB_CLOSE_WAIT);
	lab_scene_end(&scene);
}
END_TEST

/* What some kernels lack must be said here, so that the tests which then do nothing are known. */
START_TEST(what_this_kernel_has)
{
	struct lab_scene scene;
	struct lab_connection connection;
	long repair, ring, mptcp;

	lab_scene_make(&scene, LAB_IPV4, 8080);
	lab_scene_half_close(&scene, &connection);
	repair = lab_do(&scene.server, deed_option, connection.server_fd, IPPROTO_TCP, TCP_REPAIR, 1);
	ring = lab_do(&scene.server, deed_uring, connection.server_fd);
	mptcp = lab_do(&scene.server, deed_listen, LAB_MPTCP, 9090, 1);
	printf("TCP_REPAIR: %s, io_uring: %s, MPTCP: %s\n", repair < 0 ? "no" : "yes", ring < 0 ? "no" : "yes",
	       mptcp < 0 ? "no" : "yes");
	fflush(stdout);
	ck_assert_int_eq(lab_scene_state(&scene, &connection), LAB_CLOSE_WAIT);
	lab_scene_end(&scene);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lab");
	TCase *tcase = lab_tcase(suite, "lab", 120);

	tcase_add_loop_test(tcase, a_leak_is_seen, LAB_IPV4, LAB_MAPPED + 1);
	tcase_add_test(tcase, a_stream_arrives_whole);
	tcase_add_test(tcase, the_end_of_a_namespace_is_seen);
	tcase_add_test(tcase, holders_of_all_sorts);
	tcase_add_test(tcase, what_this_kernel_has);
	return lab_main(suite);
}
