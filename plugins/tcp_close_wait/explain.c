/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a socket is a ghost, or is not: the conditions of the policy, in the order in which it judges, by one fresh look at
 * the exact socket. The look is sock_diag's, whatever the plugin looks by: it costs the same among 100,000 sockets.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cw.h"

#define TEXT_SIZE 256
#define COOKIE_UNKNOWN UINT64_MAX /* INET_DIAG_NOCOOKIE: to look only. It may find the listener instead, see look(). */

struct question {
	struct cw *cw;
	const struct gb_explain *explain;
	const struct cw_known *known; /* NULL: nothing was told of it yet */
	bool tracked;                 /* in the map: the tracepoint saw it, or a look put it there */
	struct cw_suspect suspect;    /* when it is */
	struct cw_observation seen;
	struct cw_policy policy;
};

static void condition(const struct question *question, const char *name, int holds, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void condition(const struct question *question, const char *name, int holds, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	question->explain->condition(question->explain, name, holds, text);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)GB_SECOND;
}

/* ---- the fresh look ---- */

static int diag_open(void *arg)
{
	uint32_t *fin_timeout_ms = arg;

	*fin_timeout_ms = cw_fin_timeout_ms();
	return cw_diag_open();
}

/* -ENOENT when it is gone, -ESRCH when its namespace is. */
static int look(struct question *question, const struct cw_tuple *tuple, uint64_t cookie)
{
	struct cw *cw = question->cw;
	const struct cw_known *known = question->known;
	struct gb_ns ns = {.kind = GB_NS_NET,
			   .pid = known ? known->told.pid : 0,
			   .inode = tuple->netns,
			   .socket_fd = known && known->told.pid ? known->told.fd : -1};
	struct cw_diag_ask ask = {.tuple = tuple, .cookie = cookie};
	uint32_t fin_timeout_ms = 0;
	int fd = cw->host->ns_run(cw->host, &ns, diag_open, &fin_timeout_ms), r;

	if (fd < 0)
		return fd;
	r = cw_diag_get(fd, cw->kernel.tick_ns, &ask, 1);
	close(fd);
	if (r == 0)
		r = ask.error;
	if (r < 0)
		return r;
	if (cookie == COOKIE_UNKNOWN && ask.seen.state != CW_TCP_CLOSE_WAIT)
		return -ENOENT;
	question->seen = ask.seen;
	question->seen.fin_timeout_ms = fin_timeout_ms;
	question->seen.tuple.netns = tuple->netns;
	question->seen.age_ns = question->seen.silence_ns;
	if (question->tracked && cw_now(cw) - question->suspect.since_ns > question->seen.age_ns)
		question->seen.age_ns = cw_now(cw) - question->suspect.since_ns;
	return 0;
}

/* ---- the conditions ---- */

static void state_explain(const struct question *question)
{
	const struct cw_observation *seen = &question->seen;
	const struct cw_policy *policy = &question->policy;
	bool silent = seen->silence_ns + question->cw->kernel.slack_ns >= policy->timeout_ns;

	condition(question, "close-wait", seen->state == CW_TCP_CLOSE_WAIT,
		  seen->state == CW_TCP_CLOSE_WAIT ? "the peer has closed, the application has not"
						   : "it has left CLOSE_WAIT by itself");
	condition(question, "age", seen->age_ns >= policy->timeout_ns, "%.1f s in CLOSE_WAIT, the timeout is %.1f s",
		  seconds(seen->age_ns), seconds(policy->timeout_ns));
	condition(question, "silence", silent, "nothing was sent or acknowledged for %.1f s%s",
		  seconds(seen->silence_ns), silent ? "" : ": somebody still uses it");
	condition(question, "send-queue", seen->wqueue == 0, "%u bytes are not sent or not acknowledged", seen->wqueue);
	condition(question, "accepted", (seen->flags & CW_ACCEPTED) != 0,
		  seen->flags & CW_ACCEPTED ? "the application has accepted it"
					    : "it waits in the listener's accept queue");
}

/* What a look by sock_diag does not tell, the last scan did. */
static int told_absent(const struct question *question, const char *reason)
{
	const struct cw_known *known = question->known;

	if (!known || !known->told.reported)
		return -1;
	if (!known->told.reason)
		return 1;
	return strcmp(known->told.reason, reason) == 0 ? 0 : -1;
}

static void kind_explain(const struct question *question)
{
	static const struct {
		const char *reason, *name, *text;
		uint8_t flag; /* by which the look tells, 0: it does not */
	} kinds[] = {
		{"mptcp", "no-mptcp", "it is no subflow of an MPTCP connection", CW_MPTCP},
		{"tcp-repair", "no-repair", "nobody makes a checkpoint of it (TCP_REPAIR)", 0},
		{"ulp", "no-ulp", "no kTLS or other protocol sits on it", CW_ULP},
		{"kernel-user", "no-kernel-user", "no part of the kernel uses it", 0},
	};

	for (size_t i = 0; i < GB_COUNT(kinds); i++) {
		int holds = told_absent(question, kinds[i].reason);

		if (kinds[i].flag)
			holds = !(question->seen.flags & kinds[i].flag);
		condition(question, kinds[i].name, holds, "%s%s", holds == 0 ? "not so: " : "", kinds[i].text);
	}
}

static void holders_explain(const struct question *question)
{
	static const char *const paused[] = {"holder-stopped", "holder-traced", "holder-frozen", "holder-resumed"};
	const struct cw_known *known = question->known;

	if (!known || !known->told.reported) {
		condition(question, "holder", -1, "who holds it is looked at when its time has come");
		return;
	}
	condition(question, "holder", known->told.holders > 0,
		  known->told.holders ? "%u processes hold it"
				      : "%u processes hold it: perhaps it is in flight between "
					"processes, in an io_uring, or the kernel's own",
		  known->told.holders);
	for (size_t i = 0; i < GB_COUNT(paused); i++)
		if (known->told.reason && strcmp(known->told.reason, paused[i]) == 0)
			condition(question, "running", 0, "a holder cannot or could not react: %s", paused[i]);
}

static void probe_explain(const struct question *question)
{
	const struct cw_known *known = question->known;
	const char *reason = known ? known->told.reason : NULL;

	if (!cw_probe_wanted(&question->policy, &question->seen)) {
		condition(
			question, "peer", 1,
			question->policy.peer_probe == CW_PROBE_NEVER
				? "it is not asked (peer_probe = never)"
				: "it is not asked: the timeout is shorter than tcp_fin_timeout, so it would answer in "
				  "any case");
		return;
	}
	if (reason && strncmp(reason, "keepalive", strlen("keepalive")) == 0)
		condition(question, "peer", -1,
			  "the application set keepalive itself: the kernel asks the peer by that");
	else if (known && known->probe_started_ns)
		condition(question, "peer", -1, "it is being asked, for %.1f s so far",
			  seconds(cw_now(question->cw) - known->probe_started_ns));
	else if (known && known->alive)
		condition(question, "peer", 0, "it answered, %u times so far: it has only half-closed", known->alive);
	else if (known && known->unanswered)
		condition(question, "peer", 1, "it was asked, and said nothing");
	else
		condition(question, "peer", -1, "it is asked before the release");
}

static void rule_explain(const struct question *question)
{
	const struct cw_policy *policy = &question->policy;

	if (policy->line)
		condition(question, "rule", 1, "the rule in line %u of the configuration matches first", policy->line);
	else
		condition(question, "rule", 1, "no rule matches: the plugin's own options apply");
	condition(question, "action", policy->action != CW_ACTION_REPORT, "%s",
		  policy->action == CW_ACTION_REPORT     ? "report: it is told of, and never released"
		  : policy->action == CW_ACTION_SHUTDOWN ? "shutdown: what is queued is sent, then the connection ends"
							 : "destroy: the connection is reset");
}

/* ---- the question ---- */

const char *cw_class_advice(enum cw_class class)
{
	switch (class) {
	case CW_CLASS_NEVER_LOOKED:
		return "The application has not looked at this connection since the peer closed it, as an idle pool does that "
		       "does not check its connections: enable the pool's idle check, or make its idle time shorter than the "
		       "peer's.";
	case CW_CLASS_STUCK_READER:
		return "The application has not read what the peer sent before it closed: the thread that should read is stuck "
		       "or gone; look at where its threads wait, and give its requests a time limit.";
	case CW_CLASS_LEAKED_AFTER_EOF:
		return "The application has read the end of the stream and never closed the descriptor: look for the path, "
		       "mostly one of an error, that returns without close().";
	case CW_CLASS_UNACCEPTED:
		return "The listener has stopped accepting: look at the process that listens on the port; a release would not "
		       "empty its queue.";
	}
	return NULL;
}

static void explain(struct question *question)
{
	const struct cw_known *known = question->known;

	if (known && known->told.reported)
		question->policy = known->told.policy;
	else
		question->policy = cw_policy_of(question->cw->config, question->cw->host, &question->seen, NULL, 0);
	rule_explain(question);
	state_explain(question);
	kind_explain(question);
	holders_explain(question);
	if (question->seen.state == CW_TCP_CLOSE_WAIT) {
		probe_explain(question);
		question->explain->advice(question->explain, cw_class_advice(cw_class_of(&question->seen)));
	}
}

static int look_and_explain(struct question *question, const struct cw_tuple *tuple, uint64_t cookie)
{
	int r = look(question, tuple, cookie);

	if (r == -ENOENT || r == -ESRCH) {
		if (question->explain->resource)
			return -ENOENT;
		condition(question, "close-wait", 0,
			  r == -ESRCH ? "its network namespace is gone" : "the socket is gone");
		return 0;
	}
	if (r < 0)
		return r;
	if (question->explain->resource) {
		question->known = cw_known_find(&question->cw->known, question->seen.cookie);
		question->explain->identify(question->explain, question->seen.cookie, question->seen.age_ns);
	}
	explain(question);
	return 0;
}

/* Finds the suspect by what people call it. */
static int resource_compare(const struct cw_entry *entry, void *arg)
{
	struct question *question = arg;
	const char *colon = strrchr(question->explain->resource, ':');
	char resource[160];

	/* The port first: there may be 100,000 of them. */
	if (!colon || strtoul(colon + 1, NULL, 10) != entry->suspect.tuple.remote_port)
		return 0;
	cw_resource_format(&entry->suspect.tuple, resource, sizeof(resource));
	if (strcmp(resource, question->explain->resource) != 0)
		return 0;
	question->suspect = entry->suspect;
	question->tracked = true;
	return 1;
}

void cw_told_note(struct cw_known *known, const struct cw_finding *finding, uint32_t processes)
{
	known->told = (struct cw_told){
		.policy = finding->policy,
		.tuple = finding->seen->tuple,
		.reason = finding->reason,
		.holders = processes,
		.inode = finding->seen->inode,
		.fd = -1,
		.reported = true,
	};
	if (finding->held_count) {
		known->told.pid = finding->held[0].tgid;
		known->told.fd = finding->held[0].fd;
		known->told.start_ticks = cw_holding_start_ticks(&finding->held[0]);
	}
}

int cw_explain(struct cw *cw, uint64_t key, const struct gb_explain *explain_to)
{
	struct question question = {.cw = cw, .explain = explain_to};
	struct cw_cursor cursor = {0};

	if (explain_to->resource) {
		while (cw_kernel_walk(&cw->kernel, &cursor, resource_compare, &question) == 1)
			;
		if (!question.tracked)
			return -ENOENT;
		return look_and_explain(&question, &question.suspect.tuple,
					question.suspect.cookie ? question.suspect.cookie : COOKIE_UNKNOWN);
	}
	question.known = cw_known_find(&cw->known, key);
	if (!question.known || !question.known->told.reported)
		return cw_aftermath_explain(cw, key, explain_to);
	question.tracked = question.known->sock &&
			   cw_kernel_find(&cw->kernel, question.known->sock, &question.suspect) == 0 &&
			   (question.suspect.cookie == key || !question.suspect.cookie);
	return look_and_explain(&question, &question.known->told.tuple, key);
}
