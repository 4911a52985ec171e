/* SPDX-License-Identifier: Apache-2.0 */
/* Rules, classes and the gentle shutdown of tcp_close_wait. Hazard of TCP: 5. */
#include <string.h>
#include <sys/epoll.h>

#include "lab_check.h"
#include "lab_peer.h"

#define PORT 8080

static const char *evidence(const json_t *event, const char *name)
{
	const char *value = json_string_value(json_object_get(json_object_get(event, "evidence"), name));

	return value ? value : "";
}

static long evidence_number(const json_t *event, const char *name)
{
	return (long)json_integer_value(json_object_get(json_object_get(event, "evidence"), name));
}

/* Two ports, two timeouts, and a third that is only reported. */
START_TEST(each_port_has_its_own_timeout)
{
	struct lab_scene quick, slow, told;
	struct lab_connection quick_leak, slow_leak, told_leak;
	struct lab_daemon daemon;
	json_t *event;

	lab_scene_make(&quick, LAB_IPV4, PORT);
	slow = told = (struct lab_scene){.net = quick.net};
	lab_scene_in(&slow, LAB_IPV4, PORT + 1);
	lab_scene_in(&told, LAB_IPV4, PORT + 2);
	lab_daemon_start(
		&daemon,
		&(struct lab_setup){
			.timeout = "30s",
			.method = lab_method(_i),
			.options = "rules = ( { local_port = 8080; timeout = \"1s\"; },"
				   "          { local_port = \"8081-8081\"; timeout = \"4s\"; },"
				   "          { comm = \"lab-server\"; remote = \"127.0.0.0/8\"; timeout = \"2s\"; "
				   "            action = \"report\"; } );",
			.net = {&quick.net},
		});
	lab_scene_leak(&quick, &quick_leak);
	lab_scene_leak(&slow, &slow_leak);
	lab_scene_leak(&told, &told_leak);
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = quick_leak.remote));
	ck_assert_int_eq(evidence_number(event, "timeout_ms"), 1000);
	ck_assert_int_gt(evidence_number(event, "rule_line"), 0);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "report", .remote = told_leak.remote));
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = slow_leak.remote));
	ck_assert_int_ge(json_integer_value(json_object_get(event, "age_ms")), 4000);
	ck_assert_int_eq(lab_scene_state(&told, &told_leak), LAB_CLOSE_WAIT);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(the_class_names_the_bug)
{
	struct lab_connection eof, unread, stuck, waiting;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_leak(&scene, &eof);
	lab_scene_half_close(&scene, &unread);
	lab_scene_connect(&scene, 0, &stuck);
	lab_must(&scene.client, deed_send, stuck.client_fd, 100, 0);
	lab_must(&scene.client, deed_close, stuck.client_fd);
	waiting.client_fd = (int)lab_must(&scene.client, deed_connect, scene.family, scene.port, 0);
	waiting.remote = (unsigned int)lab_must(&scene.client, deed_port, waiting.client_fd);
	lab_must(&scene.client, deed_close, waiting.client_fd);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s", .method = lab_method(_i), .net = {&scene.net}});
	ck_assert_str_eq(
		evidence(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = eof.remote)), "class"),
		"leaked-after-eof");
	ck_assert_str_eq(
		evidence(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = unread.remote)),
			 "class"),
		"never-looked");
	ck_assert_str_eq(
		evidence(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = stuck.remote)),
			 "class"),
		"stuck-reader");
	ck_assert_str_eq(
		evidence(lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .remote = waiting.remote)),
			 "class"),
		"unaccepted");
	lab_daemon_stop(&daemon);
}
END_TEST

/* What was queued is delivered, in both directions, and both sides see a clean end. */
START_TEST(shutdown_delivers_every_byte_and_a_clean_end)
{
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;
	json_t *event;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_connect(&scene, 0, &half);
	lab_must(&scene.client, deed_send, half.client_fd, 5000, 0);
	lab_must(&scene.client, deed_shutdown, half.client_fd);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .method = lab_method(_i),
						      .options = "action = \"shutdown\";",
						      .net = {&scene.net}});
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = half.remote));
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), "shutdown");
	ck_assert_int_ne(lab_scene_state(&scene, &half), LAB_CLOSE_WAIT);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, half.client_fd, 0), 0);
	ck_assert_int_eq(lab_must(&scene.client, deed_error, half.client_fd), 0);
	ck_assert_int_eq(lab_must(&scene.server, deed_read_to_end, half.server_fd, 0), 5000);
	ck_assert_int_eq(lab_must(&scene.server, deed_error, half.server_fd), 0);
	lab_daemon_stop(&daemon);
}
END_TEST

/*
 * Where the kernel refuses a duplicate, nothing else is done in its place. With the iterator that is known when it comes to
 * the release, with sock_diag already when the suspect is examined.
 */
START_TEST(shutdown_that_is_refused_touches_nothing)
{
	const char *method = lab_method(_i);
	bool iterator = strcmp(method, "iterator") == 0;
	struct lab_connection half;
	struct lab_daemon daemon;
	struct lab_scene scene;
	const json_t *event;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &half);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .method = method,
						      .options = "action = \"shutdown\";",
						      .no_getfd = true,
						      .net = {&scene.net}});
	if (iterator) {
		event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.failed", .remote = half.remote));
		ck_assert_int_eq(json_integer_value(json_object_get(event, "errno")), EPERM);
		ck_assert_str_eq(
			json_string_value(json_object_get(event, "message")),
			"pidfd_getfd is refused, as under Yama ptrace_scope 3: set action or shutdown_refused = "
			"\"destroy\"");
	} else {
		lab_daemon_expect(&daemon,
				  LAB_MATCH(.event = "ghost.spared", .reason = "not-examined", .remote = half.remote));
	}
	lab_daemon_pump(&daemon, 2500);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), 0);
	ck_assert_int_eq(lab_scene_state(&scene, &half), LAB_CLOSE_WAIT);
	ck_assert_int_eq(lab_must(&scene.server, deed_send, half.server_fd, 100, 0), 100);
	lab_must(&scene.server, deed_close, half.server_fd);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, half.client_fd, 0), 100);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(shutdown_that_is_refused_may_be_a_destroy)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	const json_t *event;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){.timeout = "1s",
					     .method = lab_method(0),
					     .options = "action = \"shutdown\"; shutdown_refused = \"destroy\";",
					     .no_getfd = true,
					     .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon,
			  LAB_MATCH(.event = "ghost.spared", .reason = "shutdown-refused", .remote = leak.remote));
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), "destroy");
	lab_daemon_stop(&daemon);
}
END_TEST

/* The least timeout is what the daemon wakes for, and what a reload changes counts at once. */
START_TEST(many_rules_and_a_half_closed_stream_survive)
{
	struct lab_connection stream, leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &stream);
	lab_start(&scene.server, deed_stream, stream.server_fd, 40, 100);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){.timeout = "1h",
					     .method = lab_method(_i),
					     .options = "rules = ( { class = \"never-looked\"; timeout = \"1s\"; } );",
					     .net = {&scene.net}});
	ck_assert_int_eq(lab_end(&scene.server), 40);
	ck_assert_int_eq(lab_must(&scene.client, deed_read_to_end, stream.client_fd, 0), 40);
	lab_scene_half_close(&scene, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = stream.remote)), 0);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_policy");
	TCase *tcase = lab_tcase(suite, "policy", 120);

	tcase_add_loop_test(tcase, each_port_has_its_own_timeout, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, the_class_names_the_bug, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, shutdown_delivers_every_byte_and_a_clean_end, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, shutdown_that_is_refused_touches_nothing, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, shutdown_that_is_refused_may_be_a_destroy);
	tcase_add_loop_test(tcase, many_rules_and_a_half_closed_stream_survive, 0, LAB_METHOD_COUNT);
	return lab_main_shared(suite);
}
