/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demonstration: a server that leaks and one that is healthy, in a network namespace of their own, and the daemon
 * scoped to it. Ends with 0 only if what leaked was reaped with its owner named, and the healthy one arrived whole.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lab.h"

enum { LEAKS = 4, STREAM_BYTES = 80, STREAM_PAUSE_MS = 100, LEAKY_PORT = 8080, HEALTHY_PORT = 9090 };

struct demo {
	struct lab_scene leaky, healthy;
	struct lab_connection leak[LEAKS], stream;
	struct lab_daemon daemon;
	size_t shown; /* events of the journal */
};

static void say(const char *text)
{
	printf("\n%s\n", text);
	fflush(stdout);
}

static void show_socket(const struct lab_scene *scene, const struct lab_connection *connection, const char *server)
{
	static const char *const states[] = {
		[0] = "gone", [LAB_ESTABLISHED] = "ESTABLISHED", [LAB_CLOSE_WAIT] = "CLOSE_WAIT"};
	int state = lab_scene_state(scene, connection);

	printf("  %-11s tcp 127.0.0.1:%u -> 127.0.0.1:%-5u  %s[%d]\n",
	       state == LAB_CLOSE_WAIT || state <= LAB_ESTABLISHED ? states[state] : "closing", connection->local,
	       connection->remote, server, scene->server.pid);
}

static void show_sockets(const struct demo *demo)
{
	for (int i = 0; i < LEAKS; i++)
		show_socket(&demo->leaky, &demo->leak[i], "leaky-server");
	show_socket(&demo->healthy, &demo->stream, "healthy-server");
	fflush(stdout);
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

static void show_event(const json_t *event)
{
	const json_t *owner = json_array_get(json_object_get(event, "owners"), 0);
	long age = (long)json_integer_value(json_object_get(event, "age_ms"));

	if (strncmp(text(event, "event"), "ghost.", 6) != 0)
		return;
	printf("  %-13s %s  age %ld.%ld s", text(event, "event"), text(event, "resource"), age / 1000,
	       age % 1000 / 100);
	if (owner)
		printf("  owner %s[%ld]", text(owner, "comm"), (long)json_integer_value(json_object_get(owner, "pid")));
	if (*text(event, "reason"))
		printf("  reason %s", text(event, "reason"));
	printf("\n");
	fflush(stdout);
}

static void watch(struct demo *demo, unsigned int ms)
{
	lab_daemon_pump(&demo->daemon, ms);
	for (; demo->shown < json_array_size(demo->daemon.events); demo->shown++)
		show_event(json_array_get(demo->daemon.events, demo->shown));
}

static unsigned int reaped(const struct demo *demo)
{
	return lab_daemon_count(&demo->daemon, LAB_MATCH(.event = "ghost.reaped", .local = LEAKY_PORT,
							 .owner = demo->leaky.server.pid));
}

static void set_the_scene(struct demo *demo)
{
	lab_net_make(&demo->leaky.net);
	demo->healthy.net = demo->leaky.net;
	lab_scene_named(&demo->leaky, LAB_IPV4, LEAKY_PORT, "leaky-server");
	lab_scene_named(&demo->healthy, LAB_IPV4, HEALTHY_PORT, "healthy-server");
	for (int i = 0; i < LEAKS; i++)
		lab_scene_leak(&demo->leaky, &demo->leak[i]);
	lab_scene_half_close(&demo->healthy, &demo->stream);
	lab_start(&demo->healthy.client, deed_read_to_end, demo->stream.client_fd);
	lab_start(&demo->healthy.server, deed_stream, demo->stream.server_fd, STREAM_BYTES, STREAM_PAUSE_MS);
}

/* What the application of a reaped socket sees. */
static bool told(struct demo *demo)
{
	long events = lab_do(&demo->leaky.server, deed_poll, demo->leak[0].server_fd, 0);

	printf("  the leaky server lives, and its epoll reports%s%s: its descriptors stay until it closes them\n",
	       events & EPOLLERR ? " EPOLLERR" : "", events & EPOLLHUP ? " EPOLLHUP" : "");
	return events > 0 && (events & EPOLLHUP);
}

static bool play(struct demo *demo)
{
	uint64_t end = lab_now_ms() + 20000;
	long sent, came;
	bool fine;

	say("A server that forgets to close, and one that streams to a client that has only half-closed.\n"
	    "All of it in a network namespace of its own. Before:");
	set_the_scene(demo);
	show_sockets(demo);
	say("ghostbuster, scoped to that namespace, with a timeout of 3 s:");
	lab_daemon_start(&demo->daemon, &(struct lab_setup){.timeout = "3s", .net = {&demo->leaky.net}});
	while (reaped(demo) < LEAKS && lab_now_ms() < end)
		watch(demo, 50);
	fine = reaped(demo) == LEAKS;
	say("The stream goes on, beyond its timeout:");
	show_sockets(demo);
	while (lab_scene_state(&demo->healthy, &demo->stream) == LAB_CLOSE_WAIT && lab_now_ms() < end)
		watch(demo, 50);
	sent = lab_end(&demo->healthy.server);
	came = lab_end(&demo->healthy.client);
	printf("  sent %ld bytes of %d, %ld arrived, in order\n", sent, STREAM_BYTES, came);
	fine &= sent == STREAM_BYTES && came == sent;
	fine &= lab_daemon_count(&demo->daemon, LAB_MATCH(.event = "ghost.reaped")) == LEAKS;
	say("After:");
	show_sockets(demo);
	fine &= lab_net_count(&demo->leaky.net, LEAKY_PORT, LAB_CLOSE_WAIT) == 0;
	fine &= lab_net_count(&demo->leaky.net, LEAKY_PORT, LAB_LISTEN) == 1;
	fine &= told(demo);
	lab_daemon_stop(&demo->daemon);
	if (!fine)
		printf("\nWhat the daemon said:\n%s", demo->daemon.said);
	return fine;
}

int main(void)
{
	static struct demo demo;
	bool fine;

	if (geteuid() != 0) {
		fprintf(stderr, "demo: needs root: it makes a network namespace and loads BPF programs\n");
		return EXIT_FAILURE;
	}
	lab_open();
	fine = play(&demo);
	say(fine ? "As it should be: the leak is gone, its owner is named, the healthy one was spared."
		 : "NOT as it should be: see above.");
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
