/* SPDX-License-Identifier: Apache-2.0 */
/* What is due when: the suspects' deadlines, as of the last walk over the map. */
#ifndef TCP_CLOSE_WAIT_AGENDA_H
#define TCP_CLOSE_WAIT_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A suspect, or with sock 0 a namespace that holds suspects which the map does not have. */
struct cw_due {
	uint64_t at_ns;
	uint64_t sock;
	uint32_t netns;
	uint32_t reserved;
};

/* A suspect that came after `walked_ns` is not in here, and cannot be due before walked_ns + timeout. */
struct cw_agenda {
	struct cw_due *items; /* the earliest last, when sorted */
	size_t count, capacity;
	bool sorted;
	uint64_t walked_ns;
};

int cw_agenda_add(struct cw_agenda *agenda, const struct cw_due *due);
void cw_agenda_sort(struct cw_agenda *agenda);

/* Takes the earliest, if it is due by `now_ns`. */
bool cw_agenda_take(struct cw_agenda *agenda, uint64_t now_ns, struct cw_due *ret_due);

/* The earliest moment, or `otherwise` when that is earlier. */
uint64_t cw_agenda_next(const struct cw_agenda *agenda, uint64_t otherwise_ns);

void cw_agenda_drop_suspects(struct cw_agenda *agenda);                  /* keeps the namespaces */
void cw_agenda_drop_namespace(struct cw_agenda *agenda, uint32_t netns); /* the namespace's own items, not suspects */
void cw_agenda_fini(struct cw_agenda *agenda);

#endif
