/* SPDX-License-Identifier: Apache-2.0 */
/* What leaked is reaped, the application sees it, and the journal tells who leaked. Hazards of TCP: 3, 8, 13, 16. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lab_check.h"

#define PORT 8080

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static long number(const json_t *object, const char *name)
{
	return (long)json_integer_value(json_object_get(object, name));
}

static void check_reaped_event(const json_t *event, const struct lab_actor *owner)
{
	const json_t *first = json_array_get(json_object_get(event, "owners"), 0);
	char exe[PATH_MAX] = "";

	ck_assert(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	ck_assert_str_eq(text(event, "plugin"), "tcp_close_wait");
	ck_assert_str_eq(text(event, "action"), "destroy");
	ck_assert_int_ge(number(event, "age_ms"), 2000);
	ck_assert_str_ne(text(event, "id"), "");
	ck_assert_str_ne(text(event, "time"), "");
	ck_assert(json_is_object(json_object_get(event, "evidence")));
	ck_assert_int_eq(number(first, "pid"), owner->pid);
	ck_assert_str_eq(text(first, "comm"), "lab-server");
	ck_assert_str_eq(text(first, "exe"), exe);
	ck_assert_int_eq(number(first, "uid"), 0);
}

/* Each family with each method. */
START_TEST(a_leak_is_reaped_and_the_application_sees_it)
{
	enum lab_family family = (enum lab_family)(_i / LAB_METHOD_COUNT);
	const char *method = lab_method(_i % LAB_METHOD_COUNT);
	struct lab_daemon daemon;
	struct lab_scene scene;
	struct lab_connection leak, other;
	uint64_t leaked;
	long events;

	lab_scene_make(&scene, family, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.method = method, .net = {&scene.net}});
	leaked = lab_now_ms();
	lab_scene_leak(&scene, &leak);
	lab_scene_leak(&scene, &other);
	lab_start(&scene.server, deed_poll, leak.server_fd, 0);
	ck_assert_int_eq(lab_end(&scene.server) & (EPOLLHUP | EPOLLERR), 0);

	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.found", .local = PORT, .remote = leak.remote));
	check_reaped_event(
		lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .local = PORT, .remote = leak.remote)),
		&scene.server);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .local = PORT, .remote = other.remote));
	ck_assert_msg(lab_now_ms() - leaked >= 2000, "reaped before its timeout");
	ck_assert_int_eq(lab_scene_state(&scene, &leak), LAB_GONE);
	ck_assert_int_eq(lab_net_socket(&scene.net, PORT, 0).state, LAB_LISTEN);

	events = lab_must(&scene.server, deed_poll, leak.server_fd, 0);
	ck_assert_msg((events & EPOLLHUP) && (events & EPOLLERR), "epoll reports %#lx", (unsigned long)events);
	ck_assert_int_eq(lab_must(&scene.server, deed_error, leak.server_fd), ECONNABORTED);
	ck_assert_int_eq(lab_do(&scene.server, deed_recv, leak.server_fd), 0);
	ck_assert_int_eq(lab_do(&scene.server, deed_send, other.server_fd, 1, 0), -ECONNABORTED);
	ck_assert_int_eq(lab_do(&scene.server, deed_send, other.server_fd, 1, 0), -EPIPE);
	/* Hazard 3: the descriptors stay, until the application closes them. */
	lab_must(&scene.server, deed_close, leak.server_fd);
	lab_must(&scene.server, deed_close, other.server_fd);
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.failed")), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), 2);
}
END_TEST

/* Hazard 16: what is counted is what is gone. */
START_TEST(many_leaks_of_many_processes_all_go)
{
	enum { SERVERS = 3, LEAKS = 60 };
	struct lab_connection leak;
	struct lab_scene scene[SERVERS];
	struct lab_daemon daemon;
	const char *method = lab_method(_i);

	lab_scene_make(&scene[0], LAB_IPV4, PORT);
	for (unsigned int i = 1; i < SERVERS; i++) {
		scene[i] = (struct lab_scene){.net = scene[0].net};
		lab_scene_in(&scene[i], LAB_IPV4, PORT + i);
	}
	lab_daemon_start(&daemon, &(struct lab_setup){.method = method, .net = {&scene[0].net}});
	for (unsigned int i = 0; i < SERVERS * LEAKS; i++)
		lab_scene_leak(&scene[i % SERVERS], &leak);
	lab_daemon_wait(&daemon, SERVERS * LEAKS, LAB_MATCH(.event = "ghost.reaped"));
	for (unsigned int i = 0; i < SERVERS; i++) {
		ck_assert_uint_eq(lab_net_count(&scene[0].net, PORT + i, LAB_CLOSE_WAIT), 0);
		ck_assert_uint_eq(lab_net_count(&scene[0].net, PORT + i, LAB_LISTEN), 1);
		ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped", .local = PORT + i,
								      .owner = scene[i].server.pid)),
				  LEAKS);
	}
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.failed")), 0);
}
END_TEST

START_TEST(all_holders_are_named)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	json_t *event;
	long holder;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_leak(&scene, &leak);
	holder = lab_must(&scene.server, deed_fork_holder, LAB_COMM_PLAIN);
	lab_daemon_start(&daemon, &(struct lab_setup){.method = lab_method(_i), .net = {&scene.net}});
	event = lab_daemon_expect(&daemon,
				  LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote, .owner = scene.server.pid));
	ck_assert_uint_eq(json_array_size(json_object_get(event, "owners")), 2);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote, .owner = (pid_t)holder));
	lab_daemon_stop(&daemon);
}
END_TEST

/* The map is counted when a scan walks it. */
static void wait_until_tracked(struct lab_daemon *daemon, long wanted)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	long tracked = -1;

	while (tracked != wanted) {
		ck_assert_msg(lab_now_ms() < end, "%ld are tracked, wanted %ld", tracked, wanted);
		kill(daemon->pid, SIGUSR1);
		lab_daemon_pump(daemon, 100);
		tracked = lab_daemon_number(daemon, "tracked");
	}
}

START_TEST(closed_in_time_is_never_touched)
{
	struct lab_connection connection;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.method = lab_method(_i), .net = {&scene.net}});
	for (int i = 0; i < 20; i++) {
		lab_scene_leak(&scene, &connection);
		if (i == 10)
			lab_sleep_ms(500);
		lab_must(&scene.server, deed_close, connection.server_fd);
	}
	lab_daemon_pump(&daemon, 3000);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.local = PORT)), 0);
	wait_until_tracked(&daemon, 0);
	/* And it still finds what does leak. */
	lab_scene_leak(&scene, &connection);
	wait_until_tracked(&daemon, 1);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = connection.remote));
	wait_until_tracked(&daemon, 0);
	lab_daemon_stop(&daemon);
}
END_TEST

/* `mode`, the command line and the action: three ways to look and not to touch. */
START_TEST(observing_reaps_nothing_and_says_each)
{
	static const struct lab_setup setups[] = {
		{.more = "mode = \"observe\";"}, {.arg = {"--observe"}}, {.options = "action = \"report\";"}};
	struct lab_setup setup = setups[_i];
	struct lab_connection leak[3];
	unsigned int spared;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	setup.timeout = "1s";
	lab_daemon_start(&daemon, &setup);
	for (int i = 0; i < 3; i++)
		lab_scene_leak(&scene, &leak[i]);
	for (int i = 0; i < 3; i++) {
		json_t *event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.found", .remote = leak[i].remote));

		ck_assert(event);
		if (_i < 2)
			lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "observe",
							     .remote = leak[i].remote));
	}
	lab_daemon_pump(&daemon, 3500);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(lab_scene_state(&scene, &leak[i]), LAB_CLOSE_WAIT);
		/* Once for each, not at every look. */
		ck_assert_uint_eq(
			lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.found", .remote = leak[i].remote)), 1);
		spared = lab_daemon_count(
			&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "observe", .remote = leak[i].remote));
		if (spared > 1)
			lab_daemon_give_up(&daemon, "one ghost.spared at the most", 1, spared);
	}
	lab_must(&scene.server, deed_close, leak[0].server_fd);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.healed", .remote = leak[0].remote));
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), 0);
	lab_daemon_stop(&daemon);
}
END_TEST

/* The timeout that counts is the command line's. */
START_TEST(the_command_line_sets_the_timeout)
{
	const char *method = lab_method(lab_has_method("iterator") ? 0 : 1);
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1h",
						      .method = method,
						      .arg = {"--set", "tcp_close_wait.timeout=1s"},
						      .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

/* `explain`, `ghosts` and `status` know what the journal said. */
START_TEST(the_commands_answer)
{
	json_t *answer, *event, *ghosts;
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	char id[128];

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.arg = {"--observe"}, .timeout = "1s", .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "observe"));
	snprintf(id, sizeof(id), "%s", text(event, "id"));
	answer = lab_daemon_ask(&daemon, "ghosts", NULL);
	ghosts = json_object_get(answer, "ghosts");
	ck_assert_uint_eq(json_array_size(ghosts), 1);
	ck_assert_str_eq(text(json_array_get(ghosts, 0), "id"), id);
	json_decref(answer);
	answer = lab_daemon_ask(&daemon, "explain", id);
	ck_assert_str_eq(text(answer, "reason"), "observe");
	ck_assert_uint_gt(json_array_size(json_object_get(answer, "history")), 0);
	json_decref(answer);
	answer = lab_daemon_ask(&daemon, "status", NULL);
	ck_assert_int_eq(number(answer, "pid"), daemon.pid);
	ck_assert_str_eq(text(answer, "mode"), "observe");
	json_decref(answer);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_reap");
	TCase *tcase = lab_tcase(suite, "reap", 120);

	tcase_add_loop_test(tcase, a_leak_is_reaped_and_the_application_sees_it, 0,
			    (LAB_MAPPED + 1) * LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, many_leaks_of_many_processes_all_go, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, all_holders_are_named, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, closed_in_time_is_never_touched, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, observing_reaps_nothing_and_says_each, 0, 3);
	tcase_add_test(tcase, the_command_line_sets_the_timeout);
	tcase_add_test(tcase, the_commands_answer);
	return lab_main_shared(suite);
}
