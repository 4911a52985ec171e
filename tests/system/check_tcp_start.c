/* SPDX-License-Identifier: Apache-2.0 */
/* What leaked before the daemon was there: reaped, and not before its proven age. Hazard 15 of TCP; map full. */
#include <signal.h>
#include <stdio.h>

#include "lab_check.h"

#define PORT 8080

static long age_ms(const json_t *event)
{
	return (long)json_integer_value(json_object_get(event, "age_ms"));
}

/* Of the day, in UTC. */
static long moment_ms(const json_t *event)
{
	const char *time = json_string_value(json_object_get(event, "time"));
	int hour = 0, minute = 0, second = 0, ms = 0;

	ck_assert_ptr_nonnull(time);
	ck_assert_int_eq(sscanf(time, "%*[^T]T%d:%d:%d.%d", &hour, &minute, &second, &ms), 4);
	return ((hour * 60L + minute) * 60 + second) * 1000 + ms;
}

/* From one event to a later one of the same day or the next. */
static long between_ms(const json_t *event, const json_t *later)
{
	const long day_ms = 24 * 60 * 60 * 1000L;

	return (moment_ms(later) - moment_ms(event) + day_ms) % day_ms;
}

START_TEST(a_leak_from_before_the_start_is_reaped_with_its_age)
{
	enum lab_family family = (enum lab_family)(_i / LAB_METHOD_COUNT);
	const char *method = lab_method(_i % LAB_METHOD_COUNT);
	struct lab_connection old;
	struct lab_daemon daemon;
	struct lab_scene scene;
	const json_t *event, *loaded;
	uint64_t leaked;

	lab_scene_make(&scene, family, PORT);
	leaked = lab_now_ms();
	lab_scene_leak(&scene, &old);
	lab_sleep_ms(2500);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "4s", .method = method, .net = {&scene.net}});
	event = lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.found", .remote = old.remote));
	ck_assert_int_ge(age_ms(event), 4000);
	ck_assert_msg((uint64_t)age_ms(event) <= lab_now_ms() - leaked, "older than it can be");
	/* Its age is more than the daemon's: it was proven, not counted from the start. */
	loaded = lab_daemon_expect(&daemon, LAB_MATCH(.event = "plugin.loaded"));
	ck_assert_msg(age_ms(event) >= between_ms(loaded, event) + 1000, "an age of %ld ms was counted, not proven",
		      age_ms(event));
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = old.remote));
	ck_assert_msg(lab_now_ms() - leaked >= 4000, "reaped before its timeout");
	lab_daemon_stop(&daemon);
}
END_TEST

/* It is in CLOSE_WAIT for long, but was active a moment ago: no evidence that it is stale. */
START_TEST(an_old_but_active_one_is_not_reaped_before_its_proven_age)
{
	struct lab_connection stream;
	struct lab_daemon daemon;
	struct lab_scene scene;
	uint64_t started;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_scene_half_close(&scene, &stream);
	for (int i = 0; i < 15; i++) {
		lab_must(&scene.server, deed_send, stream.server_fd, 1, i);
		lab_sleep_ms(200);
	}
	started = lab_now_ms();
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "3s", .method = lab_method(_i), .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = stream.remote));
	ck_assert_msg(lab_now_ms() - started >= 2700, "reaped %lu ms after its last byte",
		      (unsigned long)(lab_now_ms() - started + 200));
	lab_daemon_stop(&daemon);
}
END_TEST

/* A daemon that is killed leaves nothing pinned, and the next one finds what is left. */
START_TEST(after_sigkill_the_next_daemon_goes_on)
{
	struct lab_setup setup = {.timeout = "3s"};
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	lab_daemon_start(&daemon, &setup);
	lab_scene_leak(&scene, &leak);
	lab_daemon_pump(&daemon, 500);
	kill(daemon.pid, SIGKILL);
	ck_assert_int_eq(lab_daemon_exit(&daemon), -SIGKILL);
	ck_assert_int_eq(lab_scene_state(&scene, &leak), LAB_CLOSE_WAIT);
	lab_daemon_again(&daemon, &setup);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "daemon.ready"));
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

/* The map holds 16: the rest is counted, said, and found by looking again. */
START_TEST(a_full_map_loses_nothing)
{
	enum { LEAKS = 60 };
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s",
						      .options = "max_tracked = 16;",
						      .method = lab_method(_i),
						      .net = {&scene.net}});
	for (int i = 0; i < LEAKS; i++)
		lab_scene_leak(&scene, &leak);
	lab_daemon_wait(&daemon, LEAKS, LAB_MATCH(.event = "ghost.reaped"));
	lab_daemon_wait_said(&daemon, "max_tracked");
	ck_assert_int_gt(lab_daemon_number(&daemon, "missed"), 0);
	ck_assert_uint_eq(lab_net_count(&scene.net, PORT, LAB_CLOSE_WAIT), 0);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_start");
	TCase *tcase = lab_tcase(suite, "start", 120);

	tcase_add_loop_test(tcase, a_leak_from_before_the_start_is_reaped_with_its_age, 0,
			    (LAB_MAPPED + 1) * LAB_METHOD_COUNT);
	tcase_add_loop_test(tcase, an_old_but_active_one_is_not_reaped_before_its_proven_age, 0, LAB_METHOD_COUNT);
	tcase_add_test(tcase, after_sigkill_the_next_daemon_goes_on);
	tcase_add_loop_test(tcase, a_full_map_loses_nothing, 0, LAB_METHOD_COUNT);
	return lab_main(suite);
}
