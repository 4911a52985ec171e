/* SPDX-License-Identifier: Apache-2.0 */
#include "control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

static void drop_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(drop_json)

/* The answer as a line. Out of memory: no answer at all, the client sees the end. */
static int set_answer(struct control_client *client, const json_t *answer)
{
	char *line = json_dumps(answer, JSON_COMPACT);
	size_t length = line ? strlen(line) : 0;

	if (!line)
		return -ENOMEM;
	line[length] = '\n'; /* in the place of the terminator: a length goes with it */
	client->answer = line;
	client->answer_length = length + 1;
	return 0;
}

static int set_error(struct control_client *client, const char *sentence)
{
	_cleanup_json_ json_t *answer = json_pack("{ss}", "error", sentence);

	return answer ? set_answer(client, answer) : -ENOMEM;
}

/* Root, or whoever runs the daemon: in a user namespace that need not be 0. The file's mode says the same, earlier. */
static bool peer_may_ask(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

int control_client_new(int fd, uint64_t now_ns, struct control_client **ret_client)
{
	struct control_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->fd = fd;
	client->progress_ns = now_ns;
	if (!peer_may_ask(fd) && set_error(client, "only root may ask: run the command as root")) {
		free(client);
		return -ENOMEM;
	}
	*ret_client = client;
	return 0;
}

void control_client_free(struct control_client *client)
{
	if (!client)
		return;
	close(client->fd);
	free(client->answer);
	free(client);
}

uint64_t control_client_deadline_ns(const struct control_client *client)
{
	return client->progress_ns + (client->answer ? CONTROL_ANSWER_TIMEOUT_NS : CONTROL_REQUEST_TIMEOUT_NS);
}

uint32_t control_client_events(const struct control_client *client)
{
	return client->answer ? EPOLLOUT : EPOLLIN;
}

static int answer_request(struct control_client *client, size_t length, control_answer answer, void *arg)
{
	_cleanup_json_ json_t *request = json_loadb(client->request, length, JSON_REJECT_DUPLICATES, NULL);
	_cleanup_json_ json_t *reply = NULL;
	const char *verb = json_string_value(json_object_get(request, "verb"));
	int error;

	if (!json_is_object(request))
		return set_error(client, "the request is no JSON object on one line");
	if (!verb)
		return set_error(client, "the request has no \"verb\"");
	reply = answer(arg, verb, request);
	if (!reply)
		reply = json_pack("{so}", "error", json_sprintf("the daemon does not know the verb \"%.64s\"", verb));
	if (!reply)
		return set_error(client, "the daemon does not know this verb"); /* cut inside of a character */
	error = set_answer(client, reply);
	if (error || client->answer_length <= CONTROL_ANSWER_MAX)
		return error;
	free(steal_pointer(client->answer));
	return set_error(client, "the answer is too long: ask for fewer, with a lower limit or one plugin");
}

/* Reads until the line is whole. -EAGAIN while it is not; -ECONNRESET when it never will be. */
static int read_request(struct control_client *client, size_t *ret_length)
{
	for (;;) {
		char *at = client->request + client->request_length, *end;
		size_t room = sizeof(client->request) - client->request_length;
		ssize_t length = recv(client->fd, at, room, MSG_DONTWAIT);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? -EAGAIN : -ECONNRESET;
		end = memchr(at, '\n', (size_t)length);
		client->request_length += (size_t)length;
		if (end || (!length && client->request_length)) {
			*ret_length = end ? (size_t)(end - client->request) : client->request_length;
			return 0;
		}
		if (!length)
			return -ECONNRESET;
		if (client->request_length == sizeof(client->request))
			return -EMSGSIZE;
	}
}

static int write_answer(struct control_client *client, uint64_t now_ns)
{
	while (client->answer_sent < client->answer_length) {
		ssize_t length = send(client->fd, client->answer + client->answer_sent,
				      client->answer_length - client->answer_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? 0 : 1;
		client->answer_sent += (size_t)length;
		client->progress_ns = now_ns;
	}
	return 1;
}

int control_client_serve(struct control_client *client, control_answer answer, void *arg, uint64_t now_ns)
{
	if (!client->answer) {
		size_t length = 0;
		int error = read_request(client, &length);

		if (error == -EAGAIN)
			return 0;
		if (error == -EMSGSIZE)
			error = set_error(client, "the request is longer than 4096 bytes");
		else if (!error)
			error = answer_request(client, length, answer, arg);
		if (error)
			return 1;
		client->progress_ns = now_ns;
	}
	return write_answer(client, now_ns);
}
