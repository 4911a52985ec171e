/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces: which is meant, and that none is kept alive. Hazard 14 of TCP. */
#include <signal.h>
#include <string.h>

#include "lab_check.h"

#define PORT 8080
#define SOURCE 30000

START_TEST(of_two_equal_tuples_only_the_leak_goes)
{
	struct lab_connection leak, stream;
	struct lab_scene leaking, healthy;
	struct lab_daemon daemon;

	lab_scene_make(&leaking, LAB_IPV4, PORT);
	lab_scene_make(&healthy, LAB_IPV4, PORT);
	lab_daemon_start(
		&daemon,
		&(struct lab_setup){.timeout = "1s", .method = lab_method(_i), .net = {&leaking.net, &healthy.net}});
	lab_scene_connect(&leaking, SOURCE, &leak);
	lab_scene_connect(&healthy, SOURCE, &stream);
	lab_must(&leaking.client, deed_close, leak.client_fd);
	lab_must(&healthy.client, deed_shutdown, stream.client_fd);
	lab_start(&healthy.client, deed_read_to_end, stream.client_fd);
	lab_start(&healthy.server, deed_stream, stream.server_fd, 40, 100);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = SOURCE, .owner = leaking.server.pid));
	ck_assert_int_eq(lab_scene_state(&leaking, &leak), LAB_GONE);
	ck_assert_int_eq(lab_end(&healthy.server), 40);
	ck_assert_int_eq(lab_end(&healthy.client), 40);
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), 1);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.owner = healthy.server.pid)), 0);
}
END_TEST

START_TEST(what_is_out_of_scope_is_not_seen)
{
	struct lab_connection in, out, before;
	struct lab_scene mine, other;
	struct lab_daemon daemon;

	if (lab_open_scope())
		return;
	lab_scene_make(&mine, LAB_IPV4, PORT);
	lab_scene_make(&other, LAB_IPV4, PORT);
	lab_scene_leak(&other, &before);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s", .method = lab_method(_i), .net = {&mine.net}});
	lab_scene_leak(&other, &out);
	lab_scene_leak(&mine, &in);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = in.remote));
	lab_daemon_pump(&daemon, 1500);
	ck_assert_int_eq(lab_scene_state(&other, &out), LAB_CLOSE_WAIT);
	ck_assert_int_eq(lab_scene_state(&other, &before), LAB_CLOSE_WAIT);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.owner = other.server.pid)), 0);
	lab_daemon_stop(&daemon);
}
END_TEST

/* Nothing of the daemon keeps a namespace whose processes have gone. */
START_TEST(a_namespace_is_freed_after_a_reaping_in_it)
{
	const char *method = lab_method(_i);
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	struct lab_net observer, named;
	struct lab_scene scene = {0};
	struct lab_connection leak;
	struct lab_daemon daemon;

	lab_net_make(&observer);
	lab_net_make_named(&named, "blue");
	lab_net_watch(&observer, &named, 7);
	scene.net = named;
	lab_scene_in(&scene, LAB_IPV4, PORT);
	lab_scene_leak(&scene, &leak);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s", .method = method, .net = {&named, &observer}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	ck_assert(lab_net_alive(&observer, 7));
	lab_scene_end(&scene);
	lab_net_delete(&named);
	while (lab_net_alive(&observer, 7) && lab_now_ms() < end)
		lab_daemon_pump(&daemon, 20);
	ck_assert_msg(!lab_net_alive(&observer, 7), "the namespace is still held");
	/* The daemon goes on: what leaks elsewhere is found. */
	scene = (struct lab_scene){.net = observer};
	lab_scene_in(&scene, LAB_IPV4, PORT);
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon,
			  LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote, .owner = scene.server.pid));
	lab_daemon_stop(&daemon);
}
END_TEST

/* It goes while a leak in it is tracked: skipped, and nothing is done in a wrong one. */
START_TEST(a_namespace_that_vanishes_is_skipped)
{
	const char *method = lab_method(_i);
	struct lab_connection leak, rest;
	struct lab_scene gone, stays;
	struct lab_daemon daemon;

	lab_scene_make(&gone, LAB_IPV4, PORT);
	lab_scene_make(&stays, LAB_IPV4, PORT);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){.timeout = "1s", .method = method, .net = {&gone.net, &stays.net}});
	lab_scene_leak(&gone, &leak);
	lab_scene_leak(&stays, &rest);
	lab_scene_end(&gone);
	lab_net_delete(&gone.net);
	lab_daemon_expect(&daemon,
			  LAB_MATCH(.event = "ghost.reaped", .remote = rest.remote, .owner = stays.server.pid));
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote)),
			  leak.remote == rest.remote);
	lab_daemon_stop(&daemon);
}
END_TEST

/* A rule's and an exemption's netns mean the namespace of the socket. */
START_TEST(an_exempt_namespace_is_spared)
{
	struct lab_connection leak, spared;
	struct lab_scene open, exempt = {0};
	struct lab_daemon daemon;

	lab_scene_make(&open, LAB_IPV4, PORT);
	lab_net_make_named(&exempt.net, "green");
	lab_scene_in(&exempt, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .guard = LAB_CALM "exempt = ( { netns = \"green\"; } );",
						      .net = {&open.net, &exempt.net}});
	lab_scene_leak(&exempt, &spared);
	lab_scene_leak(&open, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .owner = open.server.pid));
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "exempt", .owner = exempt.server.pid));
	lab_daemon_pump(&daemon, 1200);
	ck_assert_int_eq(lab_scene_state(&exempt, &spared), LAB_CLOSE_WAIT);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netns");
	TCase *tcase = lab_tcase(suite, "netns", 180);

	tcase_add_loop_test(tcase, of_two_equal_tuples_only_the_leak_goes, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, what_is_out_of_scope_is_not_seen, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_namespace_is_freed_after_a_reaping_in_it, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_namespace_that_vanishes_is_skipped, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, an_exempt_namespace_is_spared);
	return lab_main(suite);
}
