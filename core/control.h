/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: how the commands of `ghostbuster` ask the running daemon. A UNIX stream socket for root alone.
 *
 * One request, one answer, close. A request is one JSON object on one line of at most CONTROL_REQUEST_MAX bytes:
 *     {"verb":"status"}   {"verb":"ghosts","plugin":"flock","limit":100}   {"verb":"explain","id":"…"}
 *     {"verb":"resume","plugin":"flock"}   {"verb":"leakers","limit":10}
 * An answer is one JSON object on one line; {"error":"a sentence"} when there is none. The shapes (a key without a value
 * is left out; times are RFC 3339 in UTC; owners, evidence and namespace as in the journal, see journal.h):
 *
 *   status   {"version":"0.1.0","pid":1,"mode":"reap","uptime_s":1,"config":"/etc/…","control":"/run/…",
 *             "kernel":"Linux 6.18: everything","scope":{"netns":[…],"ipcns":[…],"paths":[…]},"journal_lost":0,
 *             "plugins":[{"name":…,"version":…,"state":"running"|"observe"|"tripped"|"refused"|"failed","why":…,
 *                         "next_scan_ms":1,"known":1,"queued":1,
 *                         "totals":{"found":1,"reaped":1,"healed":1,"spared":1,"failed":1},
 *                         "classes":{CLASS:{as "totals"}},
 *                         "numbers":{NAME:1},"facts":{NAME:"…"},"options":{NAME:…}}]}
 *             "totals" never go down, as long as the plugin is enabled: a reload keeps them. "classes": the same by the
 *             text "class" of the evidence, of at most 16 classes; "other" is all others
 *   ghosts   {"ghosts":[{"id":…,"plugin":…,"resource":…,"state":"suspect"|"queued"|"spared"|"reaping"|"deferred","reason":…,
 *                        "age_ms":1,"action":…,"owners":[…],"namespace":…,"evidence":{…}}],"total":1}
 *             at most `limit` of them (default 1000, at most 10000); `total` counts all
 *   explain  {"id":…,"plugin":…,"resource":…,"state":…,"reason":…,"age_ms":1,"action":…,"evidence":{…},"owners":[…],
 *             "namespace":…,"history":[{"time":…,"event":…,"reason":…,"error":…,"count":1}],"advice":"sentences"}
 *             or {"error":…} for an unknown id; also of what was "reaped", "healed" or "failed" of late, and with
 *             "detail", a few words more to the reason, where there are any; what its plugin says of it now, where it
 *             explains: "conditions":[{"name":…,"holds":true|false|null,"text":…}]. "id" may also be the resource's text;
 *             of a suspect that was not told of yet, "id", "plugin", "resource", "state", "age_ms", "conditions", "advice"
 *   resume   {"plugin":…,"resumed":true,"message":…}
 *   leakers  {"leakers":[{"plugin":…,"comm":…,"exe":…,"uid":1,"unit":…,"container":…,"pod":…,"pids":[1],"ghosts":1,
 *                         "oldest_ms":1,"found":1,"reaped":1,"reacted":1,"dead":1,"healed":1,"spared":1,"failed":1,
 *                         "classes":{CLASS:1},"rate_hour":1,"files_pid":1,"files_open":1,"files_limit":1,"files_percent":1,"runs_out_ms":1,
 *                         "first":TIME,"last":TIME}],"total":1}
 *             at most `limit` of them (default 100); most ghosts now first, then most reaped. `reacted`: of the reaped,
 *             those whose descriptor the owner closed; `dead`: descriptors of the reaped that its processes held when
 *             they were last looked at (only of plugins that tell: tcp_close_wait). `classes`: by the text
 *             "class" of the evidence. `rate_hour`: found, of those not there before the daemon. `files_…`: open
 *             descriptors against RLIMIT_NOFILE, of the process that is closest to it; `runs_out_ms`: until none is
 *             left, where they grow
 *
 * Bounds: CONTROL_CLIENTS_MAX clients (a further one displaces the one that is quiet for longest), 5 s for the request,
 * 10 s without progress for the answer, CONTROL_ANSWER_MAX bytes. Nothing blocks.
 *
 * Beside the socket at PATH stands PATH.lock, flocked for as long as the daemon lives and never removed: it is what tells
 * a second daemon that there is a first, and a stale socket (after SIGKILL) from a live one.
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include <stdint.h>

#include <jansson.h>

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_REQUEST_MAX 4096              /* bytes, with the newline */
#define CONTROL_ANSWER_MAX (16 * 1024 * 1024) /* bytes */
#define CONTROL_REQUEST_TIMEOUT_NS UINT64_C(5000000000)
#define CONTROL_ANSWER_TIMEOUT_NS UINT64_C(10000000000)

struct control;

/* A new reference to the answer; NULL: the verb is unknown. `request` is an object whose "verb" is the string `verb`. */
typedef json_t *(*control_answer)(void *arg, const char *verb, const json_t *request);

/*
 * Listens at `path` (absolute); makes its folder (0755) when it is missing.
 *   -EADDRINUSE    another daemon holds PATH.lock
 *   -EEXIST        something that is no socket stands at `path`; it is left alone
 *   -EPERM         the folder is writable by others, or belongs to somebody else
 *   -ENAMETOOLONG  longer than a socket's address can be (107 bytes)
 *   and as mkdir(2), open(2), bind(2).
 */
int control_open(const char *path, control_answer answer, void *arg, struct control **ret_control);

/* Removes the socket, gives up the lock. NULL is fine. */
void control_close(struct control *control);

/* An epoll descriptor, for good: readable (EPOLLIN) when control_dispatch() has something to do. */
int control_fd(const struct control *control);

/* When control_dispatch() must be called even if nothing is readable: CLOCK_MONOTONIC; UINT64_MAX for never. */
uint64_t control_deadline_ns(const struct control *control);

/* Does what can be done without waiting. `now_ns`: CLOCK_MONOTONIC. */
void control_dispatch(struct control *control, uint64_t now_ns);

#endif
