/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as a line. JSON is written by hand, too: nothing is allocated for a value, and characters that would deceive
 * the reader of a terminal are escaped, which jansson leaves as they are. The tests parse every line with jansson.
 */
#ifndef CORE_JOURNAL_LINE_H
#define CORE_JOURNAL_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "buffer.h"
#include "journal.h"

/* The second that was written last, because the next line is mostly of the same. Zero it at first. */
struct journal_stamp {
	bool valid;
	bool local;
	time_t second;
	char text[32]; /* "2026-11-22T20:20:41" or "2026-11-22 20:20:41" */
};

/* Each adds one line with its newline; `realtime_ns` is the event's, or the clock's. */
void journal_line_json(struct buffer *buffer, const struct event *event, uint64_t realtime_ns,
		       struct journal_stamp *stamp);
void journal_line_text(struct buffer *buffer, const struct event *event, uint64_t realtime_ns,
		       struct journal_stamp *stamp);

/* "2026-11-22T20:20:41.123" in UTC, or with a space and in local time. */
void journal_line_time(struct buffer *buffer, uint64_t realtime_ns, bool local, struct journal_stamp *stamp);

/* "net:[4026531840]" */
void journal_line_ns(struct buffer *buffer, const struct gb_ns *ns);

#endif
