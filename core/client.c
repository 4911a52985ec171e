/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "cleanup.h"
#include "client_print.h"
#include "control.h"
#include "table.h"

#define PATIENCE_S 15
#define READ_BYTES 65536

static const struct verb {
	const char *name;
	const char *argument_key; /* in the request; NULL: takes none */
	bool needs_argument;
	const char *answer_key; /* that tells its answer from anything else */
	int (*print)(FILE *out, const json_t *answer, unsigned int width);
} verbs[] = {
	{"status", NULL, false, "plugins", client_print_status},
	{"ghosts", "plugin", false, "ghosts", client_print_ghosts},
	{"leakers", NULL, false, "leakers", client_print_leakers},
	{"explain", "id", true, "id", client_print_explain},
	{"resume", "plugin", true, "resumed", client_print_resume},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	}
	return NULL;
}

bool client_verb(const char *name, bool *ret_needs_argument)
{
	const struct verb *verb = find_verb(name);

	if (!verb)
		return false;
	*ret_needs_argument = verb->needs_argument;
	return true;
}

int client_print(FILE *out, const char *name, const json_t *answer, unsigned int width)
{
	const struct verb *verb = find_verb(name);

	if (!verb || !json_object_get(answer, verb->answer_key))
		return -EBADMSG;
	return verb->print(out, answer, text_width(out, width));
}

static void drop_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(drop_json)

static int connect_to(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return -errno;
	/* Whoever could put a socket there might tell root anything. */
	if (peer.uid != 0 && peer.uid != geteuid())
		return -EPERM;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int send_request(int fd, const struct verb *verb, const struct client_request *request)
{
	_cleanup_json_ json_t *json = json_pack("{ss}", "verb", verb->name);
	_cleanup_free_ char *line = NULL;
	size_t length, sent = 0;

	if (verb->argument_key && request->argument)
		json_object_set_new(json, verb->argument_key,
				    json_stringn_nocheck(request->argument, strlen(request->argument)));
	if (request->limit > 0)
		json_object_set_new(json, "limit", json_integer(request->limit));
	line = json_dumps(json, JSON_COMPACT);
	if (!line)
		return -EINVAL; /* an argument that is no UTF-8 */
	length = strlen(line);
	line[length++] = '\n';
	while (sent < length) {
		ssize_t some = send(fd, line + sent, length - sent, MSG_NOSIGNAL);

		if (some < 0 && errno != EINTR)
			return errno == EPIPE ? -ECONNRESET : -errno;
		sent += some < 0 ? 0 : (size_t)some;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Up to the newline, the end, or the time that is left. */
static int read_answer(int fd, int64_t until_ms, struct buffer *answer)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	while (answer->length <= CONTROL_ANSWER_MAX) {
		int64_t left_ms = until_ms - now_ms();
		char *at = buffer_reserve(answer, READ_BYTES);
		ssize_t length;

		if (!at)
			return -ENOMEM;
		if (left_ms <= 0 || poll(&pollfd, 1, (int)left_ms) == 0)
			return -ETIMEDOUT;
		length = recv(fd, at, READ_BYTES, MSG_DONTWAIT);
		if (length < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (length <= 0)
			return -ECONNRESET;
		answer->length += (size_t)length;
		if (memchr(at, '\n', (size_t)length))
			return 0;
	}
	return -EMSGSIZE;
}

static int ask(const char *path, const struct verb *verb, const struct client_request *request, json_t **ret_answer)
{
	_cleanup_close_ int fd = -1;
	_cleanup_buffer_ struct buffer line = {0};
	int64_t until_ms = now_ms() + PATIENCE_S * 1000;
	int error = connect_to(path, &fd);
	json_t *answer;

	if (!error)
		error = send_request(fd, verb, request);
	/* A daemon that refuses answers without having read: look for its answer also when the request was cut off. */
	if (!error || error == -ECONNRESET)
		error = read_answer(fd, until_ms, &line);
	if (error)
		return error;
	answer = json_loadb(line.data, line.length, 0, NULL);
	if (!json_is_object(answer)) {
		json_decref(answer);
		return -EBADMSG;
	}
	*ret_answer = answer;
	return 0;
}

/* Why there is no answer, and what to do. */
static void print_failure(FILE *err, const char *path, const char *verb, int error)
{
	_cleanup_buffer_ struct buffer line = {0};

	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		buffer_add_format(&line, "no ghostbuster answers at %s: is it running? (systemctl status ghostbuster)",
				  path);
		break;
	case EACCES:
		buffer_add_format(
			&line, "only root may ask the ghostbuster at %s: run the command as root (sudo ghostbuster %s)",
			path, verb);
		break;
	case EPERM:
		buffer_add_format(
			&line,
			"what answers at %s does not run as root, so it is not believed: see who made it (ls -l)",
			path);
		break;
	case EAGAIN:
	case EINPROGRESS:
	case ETIMEDOUT:
		buffer_add_format(&line,
				  "the ghostbuster at %s did not answer within %d s: see what it says "
				  "(journalctl -u ghostbuster)",
				  path, PATIENCE_S);
		break;
	case ECONNRESET:
		buffer_add_format(&line,
				  "the ghostbuster at %s hung up without an answer: it stops, or has too many clients; "
				  "try again",
				  path);
		break;
	case EBADMSG:
	case EMSGSIZE:
		buffer_add_format(&line,
				  "what came from %s is no answer of a ghostbuster to \"%s\": is it another version?",
				  path, verb);
		break;
	case EINVAL:
		buffer_add_text(&line, "the argument is no UTF-8 text: copy it from the output of ghostbuster ghosts");
		break;
	default:
		buffer_add_format(&line, "cannot ask the ghostbuster at %s: %s", path, strerrordesc_np(-error));
	}
	fputs("ghostbuster: ", err);
	text_print(err, buffer_text(&line));
	fputc('\n', err);
}

/* One line of ASCII: a terminal shows no character that deceives, and a program reads back what was meant. */
static int print_json(FILE *out, const json_t *answer)
{
	_cleanup_free_ char *line = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (!line)
		return -ENOMEM;
	for (const char *at = line; *at; at++) {
		if (*at == 0x7f)
			fputs("\\u007f", out);
		else
			fputc(*at, out);
	}
	fputc('\n', out);
	return 0;
}

static int check_usage(const struct verb *verb, const struct client_request *request, FILE *err)
{
	if (!verb) {
		fputs("ghostbuster: unknown command \"", err);
		text_print(err, request->verb);
		fputs("\": there are status, ghosts, leakers, explain ID and resume PLUGIN\n", err);
		return CLIENT_USAGE;
	}
	if (verb->needs_argument && (!request->argument || !*request->argument)) {
		fprintf(err, "ghostbuster: %s needs %s\n", verb->name,
			strcmp(verb->name, "explain") == 0 ? "an ID (ghostbuster ghosts shows them)"
							   : "a PLUGIN (ghostbuster status shows them)");
		return CLIENT_USAGE;
	}
	return CLIENT_OK;
}

int client_run(const char *control_path, const struct client_request *request, FILE *out, FILE *err)
{
	const struct verb *verb = find_verb(request->verb);
	_cleanup_json_ json_t *answer = NULL;
	const char *refusal;
	int error;

	setlocale(LC_CTYPE, ""); /* how wide characters are, and whether the terminal speaks UTF-8 */
	if (check_usage(verb, request, err))
		return CLIENT_USAGE;
	error = ask(control_path, verb, request, &answer);
	refusal = json_string_value(json_object_get(answer, "error"));
	if (!error && request->json)
		error = print_json(out, answer);
	else if (!error && !refusal)
		error = client_print(out, verb->name, answer, 0);
	if (error) {
		print_failure(err, control_path, verb->name, error);
		return CLIENT_FAILED;
	}
	if (!refusal)
		return CLIENT_OK;
	if (!request->json) {
		fputs("ghostbuster: ", err);
		text_print(err, refusal);
		fputc('\n', err);
	}
	return CLIENT_FAILED;
}
