/* SPDX-License-Identifier: Apache-2.0 */
/* Who leaks, and why each socket is a ghost or is not: as the commands tell it of the real kernel. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_check.h"
#include "lab_storm.h"

#define PORT 8080

static long number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return value ? (long)json_integer_value(value) : -1;
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static const json_t *leaker(const json_t *answer, size_t at)
{
	const json_t *list = json_object_get(answer, "leakers");

	ck_assert_uint_gt(json_array_size(list), at);
	return json_array_get(list, at);
}

/* 1 holds, 0 does not, -1 not known, -2 there is no such condition. */
static int condition(const json_t *answer, const char *name)
{
	const json_t *list = json_object_get(answer, "conditions");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *holds = json_object_get(json_array_get(list, i), "holds");

		if (strcmp(text(json_array_get(list, i), "name"), name) == 0)
			return json_is_null(holds) ? -1 : json_is_true(holds);
	}
	return -2;
}

static const char *resource(const struct lab_connection *connection, char name[96])
{
	snprintf(name, 96, "tcp 127.0.0.1:%u -> 127.0.0.1:%u", connection->local, connection->remote);
	return name;
}

/* Two programs leak, one more than the other; a third is healthy. */
START_TEST(the_worst_comes_first)
{
	enum { MANY = 12, FEW = 5 };
	struct lab_scene worse, better, healthy;
	struct lab_connection leak;
	struct lab_daemon daemon;
	json_t *answer;
	long before;

	lab_scene_make(&worse, LAB_IPV4, PORT);
	better = healthy = (struct lab_scene){.net = worse.net};
	lab_scene_named(&better, LAB_IPV4, PORT + 1, "lab-better");
	lab_scene_named(&healthy, LAB_IPV4, PORT + 2, "lab-healthy");
	lab_scene_connect(&healthy, 0, &leak);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s", .method = lab_method(_i), .net = {&worse.net}});
	answer = lab_daemon_ask(&daemon, "leakers", NULL);
	ck_assert_int_eq(number(answer, "total"), 0);
	json_decref(answer);
	for (int i = 0; i < MANY; i++)
		lab_scene_leak(&worse, &leak);
	for (int i = 0; i < FEW; i++)
		lab_scene_leak(&better, &leak);
	lab_daemon_wait(&daemon, MANY + FEW, LAB_MATCH(.event = "ghost.reaped"));
	answer = lab_daemon_ask(&daemon, "leakers", NULL);
	/* The actors are forks of one program, in one unit: one leaker, whatever they call themselves. */
	ck_assert_int_eq(number(answer, "total"), 1);
	ck_assert_int_eq(number(leaker(answer, 0), "found"), MANY + FEW);
	ck_assert_int_eq(number(leaker(answer, 0), "reaped"), MANY + FEW);
	ck_assert_int_eq(number(leaker(answer, 0), "ghosts"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(leaker(answer, 0), "pids")), 2);
	ck_assert_int_eq(number(json_object_get(leaker(answer, 0), "classes"), "leaked-after-eof"), MANY + FEW);
	ck_assert_int_ge(number(leaker(answer, 0), "rate_hour"), MANY + FEW);
	before = number(leaker(answer, 0), "files_open");
	ck_assert_msg(before >= MANY && before < 100, "%ld descriptors", before);
	ck_assert_int_eq(number(leaker(answer, 0), "files_pid"), worse.server.pid);
	ck_assert_int_gt(number(leaker(answer, 0), "files_limit"), before);
	json_decref(answer);
	lab_daemon_stop(&daemon);
}
END_TEST

/* What it holds now, in observe mode; the name of the program decides where the executable is not known. */
START_TEST(ghosts_that_stay_are_counted)
{
	char *argv_out, *argv_err;
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	json_t *answer;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){.timeout = "1s", .more = "mode = \"observe\";", .net = {&scene.net}});
	for (int i = 0; i < 3; i++)
		lab_scene_half_close(&scene, &leak);
	lab_daemon_wait(&daemon, 3, LAB_MATCH(.event = "ghost.spared", .reason = "observe"));
	answer = lab_daemon_ask(&daemon, "leakers", NULL);
	ck_assert_int_eq(number(leaker(answer, 0), "ghosts"), 3);
	ck_assert_int_eq(number(leaker(answer, 0), "reaped"), 0);
	ck_assert_int_ge(number(leaker(answer, 0), "oldest_ms"), 1000);
	ck_assert_int_eq(number(json_object_get(leaker(answer, 0), "classes"), "never-looked"), 3);
	json_decref(answer);
	ck_assert_int_eq(lab_run((const char *const[]){LAB_PROGRAM, "leakers", "--control", daemon.control, NULL},
				 &argv_out, &argv_err),
			 0);
	ck_assert_msg(strstr(argv_out, "One program has leaked.") && strstr(argv_out, "never-looked 3"), "%s",
		      argv_out);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(a_ghost_is_explained)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	json_t *answer, *event;
	char name[96];

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "30s",
						      .method = lab_method(_i),
						      .options = "rules = ( { local_port = 8080; timeout = \"1s\"; "
								 "action = \"report\"; } );",
						      .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "report"));
	answer = lab_daemon_ask(&daemon, "explain", text(event, "id"));
	ck_assert_int_eq(condition(answer, "rule"), 1);
	ck_assert_int_eq(condition(answer, "close-wait"), 1);
	ck_assert_int_eq(condition(answer, "age"), 1);
	ck_assert_int_eq(condition(answer, "silence"), 1);
	ck_assert_int_eq(condition(answer, "send-queue"), 1);
	ck_assert_int_eq(condition(answer, "accepted"), 1);
	ck_assert_int_eq(condition(answer, "holder"), 1);
	ck_assert_int_eq(condition(answer, "peer"), 1);
	ck_assert_int_eq(condition(answer, "action"), 0);
	ck_assert_msg(strstr(text(answer, "advice"), "never closed the descriptor"), "%s", text(answer, "advice"));
	json_decref(answer);
	/* By what `ss` shows, too. */
	answer = lab_daemon_ask(&daemon, "explain", resource(&leak, name));
	ck_assert_str_eq(text(answer, "id"), text(event, "id"));
	ck_assert_int_eq(condition(answer, "age"), 1);
	json_decref(answer);
	lab_daemon_stop(&daemon);
}
END_TEST

/* One that streams is spared, one that is young was not told of at all: both are explained. */
START_TEST(a_suspect_is_explained)
{
	struct lab_connection busy, young;
	struct lab_scene scene, patient;
	struct lab_daemon daemon;
	json_t *answer, *event;
	char name[96], *out, *err;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	patient = (struct lab_scene){.net = scene.net};
	lab_scene_in(&patient, LAB_IPV4, PORT + 1);
	/* Where the young one is, the timeout outlasts a command on the slowest machine. */
	lab_daemon_start(&daemon,
			 &(struct lab_setup){.timeout = "2s",
					     .method = lab_method(_i),
					     .options = "rules = ( { local_port = 8081; timeout = \"2m\"; } );",
					     .net = {&scene.net}});
	lab_scene_half_close(&scene, &busy);
	lab_start(&scene.server, deed_stream, busy.server_fd, 80, 100);
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "not-silent"));
	answer = lab_daemon_ask(&daemon, "explain", text(event, "id"));
	ck_assert_str_eq(text(answer, "state"), "suspect");
	ck_assert_int_eq(condition(answer, "age"), 1);
	ck_assert_int_eq(condition(answer, "silence"), 0);
	json_decref(answer);
	lab_end(&scene.server);

	lab_scene_half_close(&patient, &young);
	answer = lab_daemon_ask(&daemon, "explain", resource(&young, name));
	ck_assert_str_eq(text(answer, "state"), "suspect");
	ck_assert_str_eq(text(answer, "resource"), name);
	ck_assert_int_eq(strncmp(text(answer, "id"), "tcp_close_wait-", 15), 0);
	ck_assert_int_eq(condition(answer, "close-wait"), 1);
	ck_assert_int_eq(condition(answer, "age"), 0);
	ck_assert_int_eq(condition(answer, "rule"), 1);
	ck_assert_msg(strstr(text(answer, "advice"), "idle pool"), "%s", text(answer, "advice"));
	json_decref(answer);
	ck_assert_int_eq(lab_run((const char *const[]){LAB_PROGRAM, "explain", "tcp 127.0.0.1:1 -> 127.0.0.1:2",
						       "--control", daemon.control, NULL},
				 &out, &err),
			 1);
	ck_assert_msg(strstr(err, "is no id or resource") != NULL, "%s", err);
	lab_daemon_stop(&daemon);
}
END_TEST

static void assert_counts(const json_t *plugin, const char *class, const char *expected)
{
	const json_t *counts =
		class ? json_object_get(json_object_get(plugin, "classes"), class) : json_object_get(plugin, "totals");
	char *found = counts ? json_dumps(counts, JSON_COMPACT) : NULL;

	ck_assert_msg(found && strcmp(found, expected) == 0, "%s: %s, wanted %s", class ? class : "all",
		      found ? found : "nothing", expected);
	free(found);
}

/* `status` counts all, and each class; a reload that loads the plugin's programs anew begins no count anew. */
START_TEST(the_status_counts_by_class)
{
	static const char stuck_counts[] = "{\"found\":1,\"reaped\":0,\"healed\":0,\"spared\":1,\"failed\":0}";
	struct lab_setup setup = {
		.timeout = "1s",
		.options = "rules = ( { class = \"stuck-reader\"; action = \"report\"; } );",
	};
	struct lab_connection leak, stuck;
	struct lab_daemon daemon;
	struct lab_scene scene;
	const json_t *plugin;
	char *out, *err;
	json_t *status;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	lab_daemon_start(&daemon, &setup);
	/* Held, so that none is judged while it comes to be: one spared before its reaping would count as both. */
	kill(daemon.pid, SIGSTOP);
	for (int i = 0; i < 3; i++)
		lab_scene_leak(&scene, &leak);
	lab_scene_half_close(&scene, &leak);
	lab_scene_connect(&scene, 0, &stuck);
	lab_must(&scene.client, deed_send, stuck.client_fd, 100, 0);
	lab_must(&scene.client, deed_shutdown, stuck.client_fd);
	lab_sleep_ms(1100);
	kill(daemon.pid, SIGCONT);
	lab_daemon_wait(&daemon, 4, LAB_MATCH(.event = "ghost.reaped"));
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "report"));

	setup.method = "sock_diag";
	lab_daemon_configure(&daemon, &setup);
	lab_daemon_reload(&daemon);
	kill(daemon.pid, SIGSTOP);
	lab_scene_leak(&scene, &leak);
	lab_sleep_ms(1100);
	kill(daemon.pid, SIGCONT);
	lab_daemon_wait(&daemon, 5, LAB_MATCH(.event = "ghost.reaped"));
	status = lab_daemon_ask(&daemon, "status", NULL);
	plugin = json_array_get(json_object_get(status, "plugins"), 0);
	assert_counts(plugin, "leaked-after-eof", "{\"found\":4,\"reaped\":4,\"healed\":0,\"spared\":0,\"failed\":0}");
	assert_counts(plugin, "never-looked", "{\"found\":1,\"reaped\":1,\"healed\":0,\"spared\":0,\"failed\":0}");
	assert_counts(plugin, "stuck-reader", stuck_counts);
	assert_counts(plugin, NULL, "{\"found\":6,\"reaped\":5,\"healed\":0,\"spared\":1,\"failed\":0}");
	json_decref(status);
	ck_assert_int_eq(
		lab_run((const char *const[]){LAB_PROGRAM, "status", "--control", daemon.control, NULL}, &out, &err),
		0);
	ck_assert_msg(strstr(out, "tcp_close_wait  never-looked          1       1       0       0       0\n"), "%s",
		      out);
	lab_daemon_stop(&daemon);
}
END_TEST

/* More than 1000 of them in a minute: 1000 lines, and the others in a summary; or each its line. */
START_TEST(a_storm_has_a_summary)
{
	enum { LEAKS = 1100, LINES = 1000 };
	const char *lines = _i ? "ghostbuster.journal.summary=false" : "ghostbuster.journal.summary=true";
	struct lab_daemon daemon;
	struct lab_scene scene;
	json_t *status, *event;
	uint64_t end;
	long reaped = 0;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .guard = "rate = 10000; burst = 10000;",
						      .arg = {"--set", lines},
						      .net = {&scene.net}});
	/* Held, so that all are due at the same moment: the minute is for the reaping alone. */
	kill(daemon.pid, SIGSTOP);
	lab_must(&scene.server, deed_farm, PORT + 1, LEAKS);
	lab_sleep_ms(1000);
	kill(daemon.pid, SIGCONT);
	lab_daemon_wait(&daemon, _i ? LEAKS : LINES, LAB_MATCH(.event = "ghost.reaped"));
	end = lab_now_ms() + LAB_PATIENCE_MS;
	while (reaped < LEAKS) {
		const json_t *plugin;

		if (lab_now_ms() > end)
			lab_daemon_give_up(&daemon, "reaped", LEAKS, (unsigned int)reaped);
		lab_daemon_pump(&daemon, 100);
		status = lab_daemon_ask(&daemon, "status", NULL);
		plugin = json_array_get(json_object_get(status, "plugins"), 0);
		reaped = number(json_object_get(plugin, "totals"), "reaped");
		json_decref(status);
	}
	lab_daemon_stop(&daemon);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), _i ? LEAKS : LINES);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.summary")), _i ? 0 : 1);
	if (_i)
		return;
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.summary"));
	ck_assert_int_eq(number(event, "reaped"), LEAKS - LINES);
	ck_assert_int_eq(number(event, "found"), LEAKS - LINES);
	ck_assert_msg(strstr(text(event, "leakers"), "lab-server"), "%s", text(event, "leakers"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("leakers");
	TCase *tcase = lab_tcase(suite, "leakers", 120);

	tcase_add_loop_test(tcase, the_worst_comes_first, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, ghosts_that_stay_are_counted);
	tcase_add_loop_test(tcase, a_ghost_is_explained, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, a_suspect_is_explained, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, the_status_counts_by_class);
	tcase = lab_tcase(suite, "storm", 120);
	tcase_add_loop_test(tcase, a_storm_has_a_summary, 0, 2);
	return lab_main(suite);
}
