/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_storm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"

/* How many ghosts are reaped by now, in all. */
static long status_ask(const struct lab_daemon *daemon, uint64_t *ret_took_ns)
{
	static const char request[] = "{\"verb\":\"status\"}\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t asked = clock_now_ns();
	char answer[16384];
	size_t length = 0;
	json_t *status;
	long reaped;

	strcpy(address.sun_path, daemon->control);
	lab_works(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	lab_works(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0, "send");
	do {
		ssize_t got = read(fd, answer + length, sizeof(answer) - length);

		lab_works(got > 0, "read");
		length += (size_t)got;
	} while (answer[length - 1] != '\n');
	*ret_took_ns = clock_now_ns() - asked;
	status = json_loadb(answer, length, 0, NULL);
	reaped = lab_number_in(status, "reaped");
	json_decref(status);
	return reaped;
}

/* The time is read behind the answer, so that no slow machine makes the rate look higher than it is. */
static void ask_until_reaped(const struct lab_daemon *daemon, const struct lab_storm *storm,
			     struct lab_answers *answers)
{
	long reaped;

	do {
		uint64_t took_ns;

		reaped = status_ask(daemon, &took_ns);
		answers->took_ns = clock_now_ns() - storm->begun_ns;
		lab_require(!storm->rate || reaped <= storm->burst + (long)((double)storm->rate *
									    (double)answers->took_ns / 1e9),
			    "%ld reaped after %.3f s, at a rate of %ld and a burst of %ld", reaped,
			    (double)answers->took_ns / 1e9, storm->rate, storm->burst);
		answers->count++;
		answers->amid += reaped > 0 && reaped < storm->ghosts;
		if (took_ns > answers->longest_ns)
			answers->longest_ns = took_ns;
	} while (reaped < storm->ghosts);
	lab_require(reaped == storm->ghosts, "%ld reaped, wanted %ld", reaped, storm->ghosts);
}

void lab_storm_watch(struct lab_daemon *daemon, const struct lab_storm *storm, struct lab_answers *ret_answers)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	struct lab_answers answers = {0};
	int pipes[2], status;
	pid_t asker;

	lab_works(pipe(pipes) == 0, "pipe");
	asker = lab_fork();
	if (asker == 0) {
		ask_until_reaped(daemon, storm, &answers);
		_exit(write(pipes[1], &answers, sizeof(answers)) == sizeof(answers) ? 0 : 1);
	}
	while (waitpid(asker, &status, WNOHANG) == 0) {
		lab_daemon_pump(daemon, 1);
		if (lab_now_ms() > end)
			kill(asker, SIGKILL);
	}
	lab_require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "not all are reaped, or no answer came (%#x)",
		    (unsigned int)status);
	lab_works(read(pipes[0], ret_answers, sizeof(*ret_answers)) == sizeof(*ret_answers), "read");
	close(pipes[0]);
	close(pipes[1]);
}

long lab_status_kb(pid_t pid, const char *field)
{
	_cleanup_fclose_ FILE *file = NULL;
	size_t length = strlen(field);
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	lab_works(file, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, field, length) == 0 && line[length] == ':')
			return strtol(line + length + 1, NULL, 10);
	lab_fail(__FILE__, __LINE__, 0, "no %s in %s", field, path);
}
