/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an owner ended that dies shortly after a reaping, where its parent does not wait for it and the kernel keeps nothing:
 * the plugin's own programs have seen it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab_check.h"

#define PORT 8080

/* Deeds that end their actor: the socket, and how. */

/* The peer's reset is what the first send meets; the second raises the signal (hazard 3). */
static void send_twice(int fd)
{
	send(fd, "x", 1, 0);
	send(fd, "x", 1, 0);
}

static long deed_die_of_sigpipe(const long *args)
{
	signal(SIGPIPE, SIG_DFL);
	send_twice((int)args[0]);
	return -EDOM;
}

static void *sends(void *fd)
{
	send_twice((int)(intptr_t)fd);
	return NULL;
}

static long deed_die_in_a_thread(const long *args)
{
	pthread_t thread;

	signal(SIGPIPE, SIG_DFL);
	return pthread_create(&thread, NULL, sends, (void *)(intptr_t)args[0]) ? -EAGAIN : pthread_join(thread, NULL);
}

static long deed_exit(const long *args)
{
	_exit((int)args[1]);
}

static void *exits_later(void *code)
{
	lab_sleep_ms(100);
	_exit((int)(intptr_t)code);
}

/* The first thread has ended long before the last one does. */
static long deed_exit_behind_the_leader(const long *args)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exits_later, (void *)(intptr_t)args[1]))
		return -EAGAIN;
	syscall(SYS_exit, 0);
	return -EDOM;
}

static const struct {
	lab_deed deed;
	long code;
	const char *message; /* of guard.tripped; NULL: an orderly end does not trip it */
} ends[] = {
	{deed_die_of_sigpipe, 0, " was killed by signal 13 "},
	{deed_die_in_a_thread, 0, " was killed by signal 13 "},
	{deed_exit, 3, " exited with 3 "},
	{deed_exit_behind_the_leader, 4, " exited with 4 "},
	{deed_exit, 0, NULL},
};

static void wait_until_gone(pid_t pid)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (kill(pid, 0) == 0) {
		ck_assert_msg(lab_now_ms() < end, "process %d does not end", pid);
		lab_sleep_ms(2);
	}
}

START_TEST(an_owner_whose_parent_waits_at_once)
{
	struct lab_setup setup = {.timeout = "1s", .guard = "owner_grace = \"5m\";", .no_info = true};
	struct lab_connection leak, next;
	struct lab_scene frail, other;
	struct lab_daemon daemon;
	const char *message;
	pid_t pid;

	setup.method = lab_method(_i % LAB_METHOD_COUNT);
	lab_scene_make(&frail, LAB_IPV4, PORT);
	other = (struct lab_scene){.net = frail.net};
	lab_scene_in(&other, LAB_IPV4, PORT + 1);
	setup.net[0] = &frail.net;
	lab_daemon_start(&daemon, &setup);
	lab_scene_leak(&frail, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));

	/* Who ignores the end of its children leaves no zombie, not for a moment. */
	signal(SIGCHLD, SIG_IGN);
	pid = frail.server.pid;
	lab_start(&frail.server, ends[_i / LAB_METHOD_COUNT].deed, leak.server_fd, ends[_i / LAB_METHOD_COUNT].code);
	wait_until_gone(pid);
	signal(SIGCHLD, SIG_DFL);

	lab_scene_leak(&other, &next);
	message = ends[_i / LAB_METHOD_COUNT].message;
	if (message) {
		const json_t *tripped = lab_daemon_expect(&daemon, LAB_MATCH(.event = "guard.tripped"));
		const char *said = json_string_value(json_object_get(tripped, "message"));

		ck_assert_msg(said && strstr(said, message), "said \"%s\", wanted \"%s\"", said, message);
		lab_daemon_expect(&daemon,
				  LAB_MATCH(.event = "ghost.spared", .reason = "breaker", .remote = next.remote));
	} else {
		lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = next.remote));
		ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "guard.tripped")), 0);
	}
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_end");

	tcase_add_loop_test(lab_tcase(suite, "end", 120), an_owner_whose_parent_waits_at_once, 0,
			    LAB_METHOD_COUNT * (int)(sizeof(ends) / sizeof(ends[0])));
	return lab_main(suite);
}
