/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: one event a line, as text for people or as JSON for machines. Fed in one place, the engine.
 *
 *   JSON   {"time":"2026-11-22T20:20:41.123Z","event":"ghost.reaped","plugin":…,"id":…,"resource":…,"age_ms":60012,
 *          "action":…,"evidence":{…},"owners":[{"pid":…,"comm":…,"exe":…,"uid":…,"unit":…,"container":…,"pod":…,
 *          "cgroup":…}],"namespace":"net:[4026531840]","reason":…,"error":"No such process","errno":3,"message":…, fields}
 *          Keys stand in this order; one without a value is left out, but ghost.* events always have `owners`.
 *   text   2026-11-22 20:20:41.123 ghost.reaped tcp_close_wait tcp 127.0.0.1:8080 -> 127.0.0.1:51234 age=1m0s
 *          action=destroy owner=nginx[123] exe=/usr/sbin/nginx unit=nginx.service EVIDENCE… id=… -- message
 *          in local time. The resource is bare unless it holds '=' or '"'; every value with a space is quoted.
 *
 * Fields are written by type: a duration as NAME_ms (JSON) or NAME=1m0s (text), bytes as NAME_bytes, an integer as signed.
 *
 * Writing never blocks the daemon for a reader that is stuck and never tears a line. Lines wait in memory; when
 * JOURNAL_PENDING_MAX is reached or the reader is gone, they are lost and counted, and the first line that can be
 * written afterwards is the event "journal.lost" with "lost":N. The caller ignores SIGPIPE.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>
#include <jansson.h>

#define JOURNAL_PENDING_MAX (4 * 1024 * 1024) /* bytes */

enum journal_format { JOURNAL_TEXT, JOURNAL_JSON };

/* Pointers are the caller's and are read during journal_write() only. NULL, 0: the event has no such thing. */
struct event {
	const char *name;     /* "ghost.reaped" */
	uint64_t realtime_ns; /* CLOCK_REALTIME; 0: the journal asks its clock */
	const char *plugin;
	const char *id;
	const char *resource;
	bool has_age;
	uint64_t age_ns;
	const char *action;
	const char *reason;
	int error; /* negative errno */
	const struct gb_field *evidence;
	uint32_t evidence_count;
	uint32_t owner_count;
	const struct gb_owner *const *owners;
	const struct gb_ns *ns;        /* kind GB_NS_NONE: none */
	const char *message;           /* a sentence */
	const struct gb_field *fields; /* further keys of the event itself, such as "version" of daemon.ready */
	uint32_t field_count;
};

struct journal;

typedef uint64_t (*journal_clock)(void); /* CLOCK_REALTIME, nanoseconds */

/* `fd` stays the caller's. `clock` NULL: the machine's. -ENOMEM. */
int journal_new(int fd, enum journal_format format, journal_clock clock, struct journal **ret_journal);

/* Gives what is still waiting up to a second to go out. NULL is fine. */
void journal_free(struct journal *journal);

/* For a reload. What is waiting already keeps the old format. */
void journal_set_format(struct journal *journal, enum journal_format format);

/*
 * Adds a line; many lines at once go out in between. It waits for a slow reader at most 100 ms, and not a second time
 * before that reader took something. -ENOBUFS when the line was lost (and counted).
 */
int journal_write(struct journal *journal, const struct event *event);

/* At the end of a turn of the loop. -EAGAIN: some is left, call again soon (100 ms) or when the descriptor is writable. */
int journal_flush(struct journal *journal);

/* Lines lost since journal_new(). */
uint64_t journal_lost(const struct journal *journal);

/* Pieces of an event in the very shape the journal gives them, for the control socket's answers. NULL: out of memory. */
json_t *journal_json_owners(const struct gb_owner *const *owners, uint32_t count);
json_t *journal_json_fields(const struct gb_field *fields, uint32_t count);
json_t *journal_json_text(const char *text);     /* any bytes */
json_t *journal_json_ns(const struct gb_ns *ns); /* "net:[4026531840]"; JSON null for none */
json_t *journal_json_time(uint64_t realtime_ns); /* "2026-11-22T20:20:41.123Z" */

#endif
