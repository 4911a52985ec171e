/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal in a storm: of each plugin and event, the first SUMMARY_LINES_MAX of a minute are lines; the others are
 * counted, and told by one line when the minute is over:
 *
 *   {"event":"ghost.summary","plugin":…,"owners":[],"message":…,"period_ms":60000,"found":N,"spared":N,"reaped":N,"healed":N,
 *    "failed":N,"reasons":"exempt 812, observe 3","leakers":"java (shop.service) 700, nginx 112, others 3"}
 *
 * A count is of what has no line of its own, so lines and summaries add up; what is zero is left out.
 */
#ifndef CORE_SUMMARY_H
#define CORE_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "ghost.h"
#include "journal.h"

#define SUMMARY_LINES_MAX 1000
#define SUMMARY_PERIOD_NS ((uint64_t)GB_MINUTE)
#define SUMMARY_EVENTS (GHOST_EVENT_FAILED + 1)
#define SUMMARY_REASONS_MAX 16
#define SUMMARY_OWNERS_MAX 64 /* told apart in a minute; further ones are others */
#define SUMMARY_OWNERS_SHOWN 5
#define SUMMARY_OWNER_SIZE 96

struct summary_count {
	uint64_t count;
	union {
		uint16_t reason;                /* word */
		char owner[SUMMARY_OWNER_SIZE]; /* "java (shop.service)", cut */
	};
};

/* Of one plugin. Zeroed is empty. */
struct summary {
	uint64_t begun_ns; /* the minute; 0: none has begun */
	uint64_t lines[SUMMARY_EVENTS], left_out[SUMMARY_EVENTS];
	struct summary_count reasons[SUMMARY_REASONS_MAX], owners[SUMMARY_OWNERS_MAX];
	uint32_t reason_count, owner_count;
	uint64_t other_reasons, other_owners;
};

/* True when the event is to be a line; else it was counted. `reason` is a word or 0, `owner` may be NULL. */
bool summary_pass(struct summary *summary, enum ghost_event event, uint16_t reason, const struct gb_owner *owner,
		  uint64_t now_ns);

/* When summary_write() is due; CLOCK_NEVER when nothing was left out. */
uint64_t summary_due_ns(const struct summary *summary);

/* Tells what was left out, if anything was, and begins anew. */
void summary_write(struct summary *summary, struct journal *journal, const char *plugin, uint64_t now_ns);

#endif
