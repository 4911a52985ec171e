/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are run to their end, and what a daemon answers to them. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

static void drain(int fds[2], char **texts[2])
{
	size_t sizes[2] = {0, 0};
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (fds[0] >= 0 || fds[1] >= 0) {
		struct pollfd ready[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};

		lab_require(lab_now_ms() < end && poll(ready, 2, (int)LAB_PATIENCE_MS) > 0, "a command does not end");
		for (int i = 0; i < 2; i++) {
			char bytes[16384];
			ssize_t n;

			if (fds[i] < 0 || !ready[i].revents)
				continue;
			n = read(fds[i], bytes, sizeof(bytes));
			if (n > 0) {
				lab_append(texts[i], &sizes[i], bytes, (size_t)n);
				continue;
			}
			close(fds[i]);
			fds[i] = -1;
		}
	}
}

int lab_run(const char *const *argv, char **ret_out, char **ret_err)
{
	int out[2], err[2];
	pid_t pid;

	lab_works(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe");
	pid = lab_fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		execv(argv[0], (char **)(uintptr_t)argv);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(126);
	}
	close(out[1]);
	close(err[1]);
	*ret_out = strdup("");
	*ret_err = strdup("");
	drain((int[2]){out[0], err[0]}, (char **[2]){ret_out, ret_err});
	return lab_wait_exit(pid);
}

json_t *lab_daemon_ask(const struct lab_daemon *daemon, const char *command, const char *argument)
{
	const char *argv[] = {LAB_PROGRAM, "-c", daemon->config, command, "--json", argument, NULL};
	_cleanup_free_ char *out = NULL, *err = NULL;
	int code = lab_run(argv, &out, &err);
	json_error_t error;
	json_t *answer;

	lab_require(code == 0, "ghostbuster %s ended with %d: %s%s", command, code, out, err);
	answer = json_loads(out, 0, &error);
	lab_require(answer, "ghostbuster %s --json: %s in\n%s", command, error.text, out);
	return answer;
}

/* The first member of this name, at any depth. */
static const json_t *find_member(const json_t *value, const char *name)
{
	const json_t *child, *found = NULL;
	const char *key;
	size_t i;

	if (json_is_object(value)) {
		if ((found = json_object_get(value, name)))
			return found;
		json_object_foreach((json_t *)(uintptr_t)value, key,
				    child) if ((found = find_member(child, name))) return found;
	}
	json_array_foreach(value, i, child) if ((found = find_member(child, name))) return found;
	return NULL;
}

long lab_number_in(const json_t *value, const char *name)
{
	const json_t *member = find_member(value, name);

	return json_is_integer(member) ? (long)json_integer_value(member) : -1;
}

long lab_daemon_number(const struct lab_daemon *daemon, const char *name)
{
	json_t *status = lab_daemon_ask(daemon, "status", NULL);
	long number = lab_number_in(status, name);

	json_decref(status);
	return number;
}
