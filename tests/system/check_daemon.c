/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's manners: signals, reloads, the guard, a second daemon, what it gives up and what it shows. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "lab_check.h"

#define PORT 8080

START_TEST(it_stops_as_asked)
{
	static const int signals[] = {SIGTERM, SIGINT};
	struct lab_daemon daemon;
	struct stat info;
	struct lab_net net;

	lab_net_make(&net);
	lab_daemon_start(&daemon, &(struct lab_setup){.net = {&net}});
	kill(daemon.pid, signals[_i]);
	ck_assert_int_eq(lab_daemon_exit(&daemon), 0);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "daemon.ready")), 1);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "plugin.loaded")), 1);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "daemon.stopped")), 1);
	ck_assert_msg(lstat(daemon.control, &info) < 0 && errno == ENOENT, "the control socket is left behind");
}
END_TEST

/* At start it says what the kernel can do; status repeats it. */
START_TEST(it_tells_the_tier)
{
	struct lab_daemon daemon;
	struct lab_net net;
	json_t *status;
	const char *kernel, *tier;
	json_t *ready;

	lab_net_make(&net);
	lab_daemon_start(&daemon, &(struct lab_setup){.net = {&net}});
	ready = lab_daemon_expect(&daemon, LAB_MATCH(.event = "daemon.ready"));
	status = lab_daemon_ask(&daemon, "status", NULL);
	kernel = json_string_value(json_object_get(status, "kernel"));
	ck_assert(kernel && *kernel);
	ck_assert_str_eq(json_string_value(json_object_get(ready, "kernel")), kernel);
	tier = json_string_value(json_object_get(
		json_object_get(json_array_get(json_object_get(status, "plugins"), 0), "facts"), "tier"));
	ck_assert_msg(tier && *tier, "no tier in the status");
	printf("%s; %s\n", kernel, tier);
	fflush(stdout);
	json_decref(status);
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(a_second_daemon_on_the_same_socket_exits)
{
	struct lab_daemon first, second;
	struct lab_setup setup = {0};
	struct lab_net net;

	lab_net_make(&net);
	setup.net[0] = &net;
	lab_daemon_start(&first, &setup);
	lab_daemon_spawn(&second, &setup);
	ck_assert_int_eq(lab_daemon_exit(&second), 2);
	ck_assert_msg(strstr(second.said, first.control) != NULL, "it said:\n%s", second.said);
	ck_assert_int_ge(lab_daemon_number(&first, "pid"), 1);
	/* Beside it, with a socket of its own, one may run. */
	setup.name = "other";
	lab_daemon_start(&second, &setup);
	lab_daemon_stop(&second);
	lab_daemon_stop(&first);
}
END_TEST

START_TEST(a_reload_takes_a_good_file_and_refuses_a_broken_one)
{
	struct lab_setup setup = {.timeout = "1h"};
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	lab_daemon_start(&daemon, &setup);
	lab_scene_leak(&scene, &leak);

	setup.timeout = "-3";
	lab_daemon_configure(&daemon, &setup);
	kill(daemon.pid, SIGHUP);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "config.rejected"));
	lab_write_file(daemon.config, 0600, "ghostbuster: {");
	kill(daemon.pid, SIGHUP);
	lab_daemon_wait(&daemon, 2, LAB_MATCH(.event = "config.rejected"));
	lab_daemon_pump(&daemon, 500);
	ck_assert_int_eq(lab_scene_state(&scene, &leak), LAB_CLOSE_WAIT);

	setup.timeout = "1s";
	lab_daemon_configure(&daemon, &setup);
	lab_daemon_reload(&daemon);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(a_reload_can_begin_to_reap)
{
	struct lab_setup setup = {.timeout = "1s", .more = "mode = \"observe\";"};
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	lab_daemon_start(&daemon, &setup);
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "observe"));
	setup.more = "mode = \"reap\";";
	lab_daemon_configure(&daemon, &setup);
	kill(daemon.pid, SIGHUP);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

/* What exceeds the rate waits its turn: nothing is lost. */
START_TEST(the_rate_limit_delays_and_loses_nothing)
{
	enum { LEAKS = 25, BURST = 5 };
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	for (int i = 0; i < LEAKS; i++)
		lab_scene_leak(&scene, &leak);
	lab_daemon_start(&daemon,
			 &(struct lab_setup){.timeout = "1s", .guard = "rate = 5; burst = 5;", .net = {&scene.net}});
	lab_daemon_wait(&daemon, BURST, LAB_MATCH(.event = "ghost.reaped"));
	lab_daemon_wait(&daemon, LEAKS, LAB_MATCH(.event = "ghost.found"));
	ck_assert_uint_lt(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped")), LEAKS);
	lab_daemon_wait(&daemon, LEAKS, LAB_MATCH(.event = "ghost.reaped"));
	ck_assert_uint_eq(lab_net_count(&scene.net, PORT, LAB_CLOSE_WAIT), 0);
	lab_daemon_stop(&daemon);
}
END_TEST

/* Hazard 3: a write to a reset socket raises SIGPIPE. Who dies of a reaping is the last one to. */
START_TEST(an_owner_that_dies_trips_the_breaker)
{
	struct lab_connection leak, next;
	struct lab_scene frail, other;
	struct lab_daemon daemon;
	int status;

	lab_scene_make(&frail, LAB_IPV4, PORT);
	other = (struct lab_scene){.net = frail.net};
	lab_scene_in(&other, LAB_IPV4, PORT + 1);
	lab_must(&frail.server, deed_default_sigpipe, 0);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s", .guard = " ", .net = {&frail.net}});
	lab_scene_leak(&frail, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_do(&frail.server, deed_send, leak.server_fd, 1, 0);
	lab_start(&frail.server, deed_send, leak.server_fd, 1, 0);
	ck_assert(lab_actor_died(&frail.server, &status));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "guard.tripped"));

	lab_scene_leak(&other, &next);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.spared", .remote = next.remote));
	lab_daemon_pump(&daemon, 1500);
	ck_assert_int_eq(lab_scene_state(&other, &next), LAB_CLOSE_WAIT);
	json_decref(lab_daemon_ask(&daemon, "resume", "tcp_close_wait"));
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = next.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

/* Comm is bytes that an attacker chooses. That each line is JSON is checked as it is read. */
START_TEST(hostile_bytes_stay_bytes)
{
	static const char comm[] = "\"\n\033[2J\\\xff\xfe,";
	struct lab_setup setup = {.timeout = "1s", .more = "mode = \"observe\";"};
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene = {.family = LAB_IPV4, .port = PORT};
	_cleanup_free_ char *out = NULL, *err = NULL;

	lab_net_make(&scene.net);
	setup.net[0] = &scene.net;
	lab_actor_start(&scene.server, &scene.net, comm);
	lab_actor_start(&scene.client, &scene.net, "lab-client");
	scene.listener = (int)lab_must(&scene.server, deed_listen, LAB_IPV4, PORT, 16);
	lab_scene_leak(&scene, &leak);
	lab_daemon_start(&daemon, &setup);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.found", .owner = scene.server.pid));
	ck_assert_int_eq(lab_run((const char *[]){LAB_PROGRAM, "-c", daemon.config, "ghosts", NULL}, &out, &err), 0);
	ck_assert_msg(strchr(out, '\033') == NULL && strchr(out, '\xff') == NULL, "raw bytes in:\n%s", out);
	ck_assert_msg(strchr(daemon.said, '\033') == NULL, "raw bytes in:\n%s", daemon.said);
	lab_daemon_stop(&daemon);
}
END_TEST

/* The text journal, for people. */
START_TEST(the_text_journal_names_what_and_who)
{
	struct lab_setup setup = {.timeout = "1s", .arg = {"--set", "ghostbuster.journal.format=text"}};
	_cleanup_free_ char *text = NULL;
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	char line[4096] = "", wanted[128];
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	size_t size = 0;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	setup.net[0] = &scene.net;
	lab_scene_leak(&scene, &leak);
	lab_daemon_spawn(&daemon, &setup);
	snprintf(wanted, sizeof(wanted), "ghost.reaped tcp_close_wait tcp 127.0.0.1:%u -> 127.0.0.1:%u ", PORT,
		 leak.remote);
	while (!strstr(line, wanted) && lab_now_ms() < end) {
		ssize_t n = read(daemon.out, line + size, sizeof(line) - size - 1);

		size += n > 0 ? (size_t)n : 0;
		lab_sleep_ms(10);
	}
	ck_assert_msg(strstr(line, wanted) != NULL, "wanted \"%s\" in:\n%s", wanted, line);
	snprintf(wanted, sizeof(wanted), "owner=lab-server[%d]", scene.server.pid);
	ck_assert_msg(strstr(line, wanted) != NULL, "wanted \"%s\" in:\n%s", wanted, line);
	kill(daemon.pid, SIGTERM);
	ck_assert_int_eq(lab_wait_exit(daemon.pid), 0);
}
END_TEST

static unsigned long long status_field(pid_t pid, const char *name, int base)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			return strtoull(line + strlen(name) + 1, NULL, base);
	ck_abort_msg("no %s in %s", name, path);
	return 0;
}

/* It keeps no capability that no plugin needs: those of CAP_SYS_MODULE, CAP_SYS_TIME, CAP_SYS_BOOT, CAP_MKNOD stand for all. */
START_TEST(it_drops_what_it_does_not_need)
{
	unsigned long long dropped = 1ULL << 16 | 1ULL << 25 | 1ULL << 22 | 1ULL << 27;
	struct lab_daemon daemon;
	struct lab_net net;

	lab_net_make(&net);
	lab_daemon_start(&daemon, &(struct lab_setup){.net = {&net}});
	ck_assert_uint_eq(status_field(daemon.pid, "CapEff", 16) & dropped, 0);
	ck_assert_uint_eq(status_field(daemon.pid, "CapPrm", 16) & dropped, 0);
	lab_daemon_stop(&daemon);
}
END_TEST

/* Nothing is due: it sleeps. */
START_TEST(it_does_not_poll)
{
	unsigned long long before, after;
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1h", .net = {&scene.net}});
	lab_daemon_pump(&daemon, 500);
	before = status_field(daemon.pid, "voluntary_ctxt_switches", 10);
	for (int i = 0; i < 20; i++)
		lab_scene_leak(&scene, &leak);
	lab_daemon_pump(&daemon, 3000);
	after = status_field(daemon.pid, "voluntary_ctxt_switches", 10);
	ck_assert_msg(after - before <= 3, "%llu wake-ups in 3 s, with nothing due for an hour", after - before);
	lab_daemon_stop(&daemon);
}
END_TEST

/* SIGUSR1: scan now. Nothing that is not due comes of it. */
START_TEST(a_scan_can_be_asked_for)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "2s", .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	kill(daemon.pid, SIGUSR1);
	lab_daemon_pump(&daemon, 500);
	kill(daemon.pid, SIGUSR1);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_stop(&daemon);
}
END_TEST

START_TEST(the_control_socket_is_roots_alone)
{
	struct lab_daemon daemon;
	struct lab_net net;
	_cleanup_free_ char *out = NULL, *err = NULL;
	char copy[] = LAB_DIR "/open.cfg";
	pid_t pid;

	lab_net_make(&net);
	lab_daemon_start(&daemon, &(struct lab_setup){.net = {&net}});
	ck_assert_int_eq(chmod(daemon.dir, 0755), 0); /* the folder does not stand in the way */
	ck_assert_int_eq(link(daemon.config, copy), 0);
	ck_assert_int_eq(chmod(copy, 0644), 0);
	pid = lab_fork();
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(99);
		execl(LAB_PROGRAM, LAB_PROGRAM, "-c", copy, "status", NULL);
		_exit(98);
	}
	ck_assert_int_eq(lab_wait_exit(pid), 1);
	ck_assert_int_eq(lab_run((const char *[]){LAB_PROGRAM, "-c", daemon.config, "status", NULL}, &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(out, "tcp_close_wait"));
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tcase = lab_tcase(suite, "daemon", 120);

	tcase_add_loop_test(tcase, it_stops_as_asked, 0, 2);
	tcase_add_test(tcase, it_tells_the_tier);
	tcase_add_test(tcase, a_second_daemon_on_the_same_socket_exits);
	tcase_add_test(tcase, a_reload_takes_a_good_file_and_refuses_a_broken_one);
	tcase_add_test(tcase, a_reload_can_begin_to_reap);
	tcase_add_test(tcase, the_rate_limit_delays_and_loses_nothing);
	tcase_add_test(tcase, an_owner_that_dies_trips_the_breaker);
	tcase_add_test(tcase, hostile_bytes_stay_bytes);
	tcase_add_test(tcase, the_text_journal_names_what_and_who);
	tcase_add_test(tcase, it_drops_what_it_does_not_need);
	tcase_add_test(tcase, it_does_not_poll);
	tcase_add_test(tcase, a_scan_can_be_asked_for);
	tcase_add_test(tcase, the_control_socket_is_roots_alone);
	return lab_main(suite);
}
