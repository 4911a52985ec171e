/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: whether a ghost may be reaped. It is pure: what it looks at is handed in. Any one holder that is exempt
 * protects the resource, and any one former owner that was; pid 1 and the daemon itself always are.
 */
#ifndef CORE_GUARD_H
#define CORE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "config.h"

#define GUARD_DETAIL_MAX 512

struct guard {
	const struct config_guard *settings;
	bool observe;
	int32_t self; /* the daemon's pid */
};

struct guard_subject {
	bool report_only; /* the plugin's policy asks for no release */
	bool tripped;     /* the plugin's circuit breaker */
	uint32_t port;
	const char *path; /* NULL: the kind has none */
	struct gb_ns ns;
	const struct gb_owner *const *owners; /* every holder that was found, and the former ones (GB_OWNER_ENDED) */
	uint32_t owner_count;
	uint32_t holder_count; /* as the plugin reported: more than those in `owners` when some are gone */
};

struct guard_verdict {
	const char *reason;            /* a word: why it is spared; NULL: it may be reaped */
	char detail[GUARD_DETAIL_MAX]; /* a sentence, or "" */
};

/* Reasons, in the order in which they are looked for: "report", "holder-gone", "exempt", "observe", "breaker". */
void guard_judge(const struct guard *guard, const struct guard_subject *subject, struct guard_verdict *ret_verdict);

#endif
