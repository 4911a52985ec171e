/* SPDX-License-Identifier: Apache-2.0 */
/* After a reaping: whether the application closes the dead descriptor, who carries how many, and where that is told. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lab_check.h"

enum { PORT = 8080, LEAKS = 4 };

static struct lab_scene scene;
static struct lab_daemon daemon_;
static struct lab_connection leaks[LEAKS];

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

/*
 * The daemon is held while the ghosts come to be: all are due, and reaped, at the same moment, and one look tells of all.
 * What comes later in a test is never-looked: it makes the daemon look at descriptors, and adds none that is dead.
 */
static void begin(const char *method, const char *action)
{
	char options[128];

	snprintf(options, sizeof(options),
		 "action = \"%s\"; rules = ( { class = \"never-looked\"; action = \"report\"; } );", action);
	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon_, &(struct lab_setup){
					   .timeout = "1s", .method = method, .options = options, .net = {&scene.net}});
	kill(daemon_.pid, SIGSTOP);
	for (int i = 0; i < LEAKS; i++)
		lab_scene_leak(&scene, &leaks[i]);
	lab_sleep_ms(1000);
	kill(daemon_.pid, SIGCONT);
	lab_daemon_wait(&daemon_, LEAKS, LAB_MATCH(.event = "ghost.reaped"));
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	lab_scene_end(&scene);
}

/* Of the one who leaks. */
static long leaker(const char *name)
{
	json_t *answer = lab_daemon_ask(&daemon_, "leakers", NULL);
	long value = number(json_array_get(json_object_get(answer, "leakers"), 0), name);

	json_decref(answer);
	return value;
}

static void assert_event(const char *event, pid_t owner, long reacted, long dead)
{
	const json_t *said = lab_daemon_expect(&daemon_, LAB_MATCH(.event = event, .owner = owner));

	ck_assert_int_eq(number(said, "reacted"), reacted);
	ck_assert_int_eq(number(said, "dead"), dead);
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = event, .owner = owner)), 1);
}

/* One is closed at once; the others are carried on, and closed later: seen when the daemon looks at descriptors anyway. */
START_TEST(who_reacts_and_who_carries_on)
{
	const char *method = lab_method(_i);
	struct lab_connection more;
	json_t *answer;

	begin(method, "destroy");
	lab_must(&scene.server, deed_close, leaks[0].server_fd);
	assert_event("owner.holds", scene.server.pid, 1, LEAKS - 1);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "reacted"), 1);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "dead_descriptors"), LEAKS - 1);
	ck_assert_int_eq(leaker("dead"), LEAKS - 1);
	ck_assert_int_eq(leaker("reacted"), 1);
	answer = lab_daemon_ask(
		&daemon_, "explain",
		text(lab_daemon_expect(&daemon_, LAB_MATCH(.event = "ghost.reaped", .remote = leaks[1].remote)), "id"));
	ck_assert_msg(strstr(text(answer, "advice"),
			     strcmp(method, "iterator") == 0 ? "still held its descriptor" : "may still have held"),
		      "%s", text(answer, "advice"));
	json_decref(answer);

	for (int i = 1; i < LEAKS; i++)
		lab_must(&scene.server, deed_close, leaks[i].server_fd);
	lab_daemon_pump(&daemon_, 5000);
	lab_scene_half_close(&scene, &more);
	assert_event("owner.reacted", scene.server.pid, LEAKS - 1, 0);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "reacted"), LEAKS);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "dead_descriptors"), 0);
	ck_assert_int_eq(leaker("dead"), 0);
	end();
}
END_TEST

/* Gently released ones leave a descriptor, too. A child that inherited them carries them as well; it ends. */
START_TEST(each_process_that_carries)
{
	const char *method = lab_method(_i);
	struct lab_connection more;
	long child;

	begin(method, "shutdown");
	child = lab_must(&scene.server, deed_fork_holder, LAB_COMM_PLAIN);
	assert_event("owner.holds", scene.server.pid, 0, LEAKS);
	assert_event("owner.holds", (pid_t)child, 0, LEAKS);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "dead_descriptors"), 2 * LEAKS);
	ck_assert_int_eq(leaker("dead"), 2 * LEAKS);
	for (int i = 0; i < LEAKS; i++)
		lab_must(&scene.server, deed_close, leaks[i].server_fd);
	lab_daemon_pump(&daemon_, 5000);
	lab_scene_half_close(&scene, &more);
	assert_event("owner.reacted", scene.server.pid, 0, 0); /* the child has them still: nothing is freed */
	ck_assert_int_eq(lab_daemon_number(&daemon_, "dead_descriptors"), LEAKS);
	ck_assert_int_eq(leaker("dead"), LEAKS);
	end();
}
END_TEST

/* An owner that dies has not reacted; and with nobody left the daemon sleeps. */
START_TEST(an_owner_that_ends_has_not_reacted)
{
	const char *method = lab_method(_i);
	long wakeups;

	begin(method, "destroy");
	lab_actor_end(&scene.server);
	lab_daemon_pump(&daemon_, 7500);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "reacted"), 0);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "dead_descriptors"), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = "owner.reacted")), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon_, LAB_MATCH(.event = "owner.holds")), 0);
	wakeups = lab_daemon_number(&daemon_, "wakeups");
	lab_daemon_pump(&daemon_, 3000);
	wakeups = lab_daemon_number(&daemon_, "wakeups") - wakeups;
	ck_assert_msg(wakeups <= 12, "%ld wake-ups in 3 s with a timeout of 1 s", wakeups);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_aftermath");
	TCase *tcase = lab_tcase(suite, "aftermath", 120);

	tcase_add_loop_test(tcase, who_reacts_and_who_carries_on, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, each_process_that_carries, 0, LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, an_owner_that_ends_has_not_reacted, 0, LAB_METHOD_COUNT);
	return lab_main(suite);
}
