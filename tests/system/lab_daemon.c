/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../refuse.h"
#include "cleanup.h"

/* ---- start and end ------------------------------------------------------------------------------------------------ */

static const char *net_name(const struct lab_net *net)
{
	return !net ? "nowhere" : net->name[0] ? net->name : net->path;
}

static void write_scope(FILE *file, const struct lab_daemon *daemon, const struct lab_setup *setup)
{
	char link[128];

	lab_require(setup->net[0], "a daemon without a scope would look at the whole machine");
	fputs("  scope: { netns = (", file);
	for (size_t i = 0; i < sizeof(setup->net) / sizeof(setup->net[0]) && !lab_open_scope(); i++) {
		if (daemon->shared)
			fprintf(file, "%s\"%s\"", i ? ", " : "",
				lab_share_link(daemon, i, net_name(setup->net[i]), link));
		else if (setup->net[i])
			fprintf(file, "%s\"%s\"", i ? ", " : "", net_name(setup->net[i]));
	}
	fputs("); };\n", file);
}

void lab_daemon_configure(struct lab_daemon *daemon, const struct lab_setup *setup)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	const char *tracked = getenv("EGHOSTBUSTER_TEST_MAX_TRACKED");

	lab_require(file, "out of memory");
	fprintf(file, "ghostbuster: {\n  journal: { format = \"json\"; summary = %s; };\n  control = \"%s\";\n",
		setup->summary ? "true" : "false", daemon->control);
	write_scope(file, daemon, setup);
	fprintf(file, "  guard: { %s };\n  %s\n};\n", setup->guard ? setup->guard : LAB_CALM,
		setup->more ? setup->more : "");
	fprintf(file, "plugins: {\n  tcp_close_wait: {\n    enabled = true;\n    timeout = \"%s\";\n",
		setup->timeout ? setup->timeout : "2s");
	if (setup->method)
		fprintf(file, "    method = \"%s\";\n", setup->method);
	fprintf(file, "    %s\n", setup->options ? setup->options : "");
	if (tracked && !(setup->options && strstr(setup->options, "max_tracked")))
		fprintf(file, "    max_tracked = %s;\n", tracked);
	fputs("  };\n};\n", file);
	fclose(file);
	lab_write_file(daemon->config, 0600, text);
}

static void exec_daemon(const struct lab_daemon *daemon, const struct lab_setup *setup, int out, int err)
{
	const char *argv[16] = {LAB_PROGRAM, "-c", daemon->config, "--plugin-dir", LAB_PLUGINS};
	int argc = 5;

	for (size_t i = 0; i < sizeof(setup->arg) / sizeof(setup->arg[0]) && setup->arg[i]; i++)
		argv[argc++] = setup->arg[i];
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	lab_works(!setup->no_getfd || refuse_pidfd_getfd() == 0, "a seccomp filter");
	lab_works(!setup->no_info || refuse_pidfd_info() == 0, "a seccomp filter");
	execv(LAB_PROGRAM, (char **)(void *)argv);
	dprintf(STDERR_FILENO, LAB_PROGRAM ": %s\n", strerror(errno));
	_exit(126);
}

void lab_daemon_listen(struct lab_daemon *daemon, pid_t pid, int out, int err)
{
	daemon->pid = pid;
	daemon->out = out;
	daemon->err = err;
	daemon->events = json_array();
	daemon->line = daemon->said = NULL;
	daemon->line_size = daemon->said_size = 0;
	lab_append(&daemon->said, &daemon->said_size, "", 0);
}

void lab_daemon_again(struct lab_daemon *daemon, const struct lab_setup *setup)
{
	int out[2], err[2];

	lab_works(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(err, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
	fcntl(out[1], F_SETFL, 0);
	fcntl(err[1], F_SETFL, 0);
	daemon->pid = lab_fork();
	if (daemon->pid == 0)
		exec_daemon(daemon, setup, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	lab_daemon_listen(daemon, daemon->pid, out[0], err[0]);
}

void lab_daemon_name(struct lab_daemon *daemon, const char *name)
{
	*daemon = (struct lab_daemon){.out = -1, .err = -1, .shared = lab_shares() && !name};
	snprintf(daemon->dir, sizeof(daemon->dir), LAB_DIR "/%s", name ? name : "daemon");
	snprintf(daemon->config, sizeof(daemon->config), "%s/eghostbuster.cfg", daemon->dir);
	snprintf(daemon->control, sizeof(daemon->control), "%s/control.sock", daemon->dir);
	lab_works(mkdir(daemon->dir, 0700) == 0 || errno == EEXIST, "%s", daemon->dir);
}

void lab_daemon_begin(struct lab_daemon *daemon, bool anew)
{
	if (daemon->shared) {
		lab_share_order(daemon, anew);
		return;
	}
	lab_daemon_again(daemon, &(struct lab_setup){0});
	lab_daemon_expect(daemon, LAB_MATCH(.event = "daemon.ready"));
}

void lab_daemon_spawn(struct lab_daemon *daemon, const struct lab_setup *setup)
{
	lab_daemon_name(daemon, setup->name ? setup->name : lab_shares() ? "own" : NULL);
	lab_daemon_configure(daemon, setup);
	lab_daemon_again(daemon, setup);
}

static bool can_share(const struct lab_setup *setup)
{
	return lab_shares() && !setup->own && !setup->name && !setup->arg[0] && !setup->no_getfd && !setup->no_info;
}

void lab_daemon_start(struct lab_daemon *daemon, const struct lab_setup *setup)
{
	if (can_share(setup)) {
		lab_daemon_name(daemon, NULL);
		lab_daemon_configure(daemon, setup);
		lab_daemon_begin(daemon, false);
		return;
	}
	lab_daemon_spawn(daemon, setup);
	lab_daemon_expect(daemon, LAB_MATCH(.event = "daemon.ready"));
}

int lab_daemon_exit(struct lab_daemon *daemon)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	int status;

	while (waitpid(daemon->pid, &status, WNOHANG) == 0) {
		lab_require(lab_now_ms() < end, "the daemon does not end; it said:\n%s", daemon->said);
		lab_daemon_hear(daemon, 10);
	}
	daemon->pid = 0;
	lab_daemon_pump(daemon, 0);
	close(daemon->out);
	close(daemon->err);
	daemon->out = daemon->err = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void lab_daemon_stop(struct lab_daemon *daemon)
{
	int code;

	if (daemon->shared) {
		lab_share_give_back(daemon);
		return;
	}
	kill(daemon->pid, SIGTERM);
	code = lab_daemon_exit(daemon);
	lab_require(code == 0, "the daemon ended with %d, wanted 0; it said:\n%s", code, daemon->said);
}

/* ---- what it says ------------------------------------------------------------------------------------------------- */

static void take_line(struct lab_daemon *daemon, const char *line, size_t size)
{
	json_error_t error;
	json_t *event = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);

	lab_require(json_is_object(event), "not a JSON object in the journal: %.*s (%s)", (int)size, line, error.text);
	lab_require(json_is_string(json_object_get(event, "event")), "no event in the journal's line %.*s", (int)size,
		    line);
	json_array_append_new(daemon->events, event);
}

static bool take(struct lab_daemon *daemon, int fd, bool journal)
{
	char bytes[65536];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	char *newline, *line;

	if (n <= 0)
		return false;
	if (!journal) {
		lab_append(&daemon->said, &daemon->said_size, bytes, (size_t)n);
		return true;
	}
	lab_append(&daemon->line, &daemon->line_size, bytes, (size_t)n);
	for (line = daemon->line; (newline = strchr(line, '\n')); line = newline + 1)
		take_line(daemon, line, (size_t)(newline - line));
	daemon->line_size -= (size_t)(line - daemon->line);
	memmove(daemon->line, line, daemon->line_size + 1);
	return true;
}

/* All that is there: whether there was anything. */
static bool take_all(struct lab_daemon *daemon)
{
	bool any = false, more;

	do {
		more = take(daemon, daemon->out, true);
		more |= take(daemon, daemon->err, false);
		any |= more;
	} while (more);
	return any;
}

void lab_daemon_hear(struct lab_daemon *daemon, unsigned int ms)
{
	struct pollfd ready[] = {{.fd = daemon->out, .events = POLLIN}, {.fd = daemon->err, .events = POLLIN}};

	if (take_all(daemon))
		return;
	if (poll(ready, 2, (int)ms) > 0 && ((ready[0].revents | ready[1].revents) & POLLIN) == 0)
		lab_sleep_ms(1); /* it has ended: both are at their end */
	take_all(daemon);
}

void lab_daemon_pump(struct lab_daemon *daemon, unsigned int ms)
{
	uint64_t now = lab_now_ms(), end = now + ms;

	do {
		lab_daemon_hear(daemon, (unsigned int)(end - now));
		now = lab_now_ms();
	} while (now < end);
}

static bool owner_is(const json_t *event, pid_t pid)
{
	const json_t *owner;
	size_t i;

	json_array_foreach(json_object_get(event, "owners"), i,
			   owner) if (json_integer_value(json_object_get(owner, "pid")) == pid) return true;
	return false;
}

/* "tcp LOCAL:PORT -> REMOTE:PORT" */
static bool ports_are(const char *resource, unsigned int local, unsigned int remote)
{
	char text[32];
	size_t length;

	if (!local && !remote)
		return true;
	if (!resource)
		return false;
	snprintf(text, sizeof(text), ":%u -> ", local);
	if (local && !strstr(resource, text))
		return false;
	length = (size_t)snprintf(text, sizeof(text), ":%u", remote);
	return !remote || (strlen(resource) > length && strcmp(resource + strlen(resource) - length, text) == 0);
}

static bool member_is(const json_t *event, const char *member, const char *wanted)
{
	const char *text = json_string_value(json_object_get(event, member));

	return !wanted || (text && strcmp(text, wanted) == 0);
}

static bool matches(const json_t *event, const struct lab_match *match)
{
	return member_is(event, "event", match->event) && member_is(event, "reason", match->reason) &&
	       member_is(event, "action", match->action) &&
	       ports_are(json_string_value(json_object_get(event, "resource")), match->local, match->remote) &&
	       (!match->owner || owner_is(event, match->owner));
}

unsigned int lab_daemon_count(const struct lab_daemon *daemon, const struct lab_match *match)
{
	unsigned int count = 0;
	const json_t *event;
	size_t i;

	json_array_foreach(daemon->events, i, event) count += matches(event, match);
	return count;
}

#define STORY_MAX 6000

static bool was_reaped(const struct lab_daemon *daemon, const char *id)
{
	const json_t *event;
	size_t i;

	json_array_foreach(daemon->events, i, event) if (member_is(event, "id", id) &&
							 member_is(event, "event", "ghost.reaped")) return true;
	return false;
}

/* The journal without what was reaped, of which there may be hundreds: the end of it. */
static char *story_of(const struct lab_daemon *daemon)
{
	json_t *story = json_array(), *event;
	char *text;
	size_t i;

	json_array_foreach(daemon->events, i, event)
	{
		const char *id = json_string_value(json_object_get(event, "id"));

		if (!id || !was_reaped(daemon, id))
			json_array_append(story, event);
	}
	text = json_dumps(story, JSON_COMPACT);
	json_decref(story);
	return text;
}

void lab_daemon_give_up(struct lab_daemon *daemon, const char *what, unsigned int wanted, unsigned int found)
{
	char *events = story_of(daemon), *status = NULL, *errors = NULL;
	const char *argv[] = {LAB_PROGRAM, "status", "--json", "--control", daemon->control, NULL};
	size_t length = strlen(events);

	lab_run(argv, &status, &errors);
	lab_fail(__FILE__, __LINE__, 0,
		 "waited in vain for %s (%u, found %u); it said:\n%s\nstatus: %s%s\n"
		 "journal, without what was reaped: %s",
		 what, wanted, found, daemon->said, status, errors,
		 length > STORY_MAX ? events + length - STORY_MAX : events);
}

json_t *lab_daemon_wait(struct lab_daemon *daemon, unsigned int count, const struct lab_match *match)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	unsigned int found = 0;
	size_t seen = 0;

	for (;;) {
		for (; found < count && seen < json_array_size(daemon->events); seen++)
			found += matches(json_array_get(daemon->events, seen), match);
		if (found == count)
			return json_array_get(daemon->events, seen - 1);
		int status;

		if (lab_now_ms() > end)
			lab_daemon_give_up(daemon, match->event, count, found);
		lab_daemon_hear(daemon, LAB_HEAR_MS);
		if (daemon->pid && waitpid(daemon->pid, &status, WNOHANG) == daemon->pid) {
			daemon->pid = 0;
			lab_daemon_pump(daemon, 0);
			if (lab_daemon_count(daemon, match) < count)
				lab_fail(__FILE__, __LINE__, 0, "the daemon ended (status %#x); it said:\n%s",
					 (unsigned int)status, daemon->said);
		}
	}
}

json_t *lab_daemon_expect(struct lab_daemon *daemon, const struct lab_match *match)
{
	return lab_daemon_wait(daemon, 1, match);
}

void lab_daemon_reload(struct lab_daemon *daemon)
{
	const struct lab_match *reloaded = LAB_MATCH(.event = "config.reloaded");
	unsigned int before = lab_daemon_count(daemon, reloaded);

	kill(daemon->pid, SIGHUP);
	lab_daemon_wait(daemon, before + 1, reloaded);
}

void lab_daemon_wait_said(struct lab_daemon *daemon, const char *text)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (!strstr(daemon->said, text)) {
		lab_require(lab_now_ms() < end, "never said \"%s\", but:\n%s", text, daemon->said);
		lab_daemon_hear(daemon, LAB_HEAR_MS);
	}
}
