/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What owners made of what was reaped from them: who let go of it, and who still carries it. Of one plugin. It decides what
 * is worth a line of the journal: a change, of a process that goes on carrying at most once in AFTERMATH_QUIET_NS, and of
 * all processes together at most AFTERMATH_LINES_MAX in a minute. What has no line is in `leakers` all the same.
 */
#ifndef CORE_AFTERMATH_H
#define CORE_AFTERMATH_H

#include <stdbool.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>
#include <uthash.h>

#include "owner.h"

#define CARRIERS_MAX 4096 /* processes; of a further one only its line is told */
#define AFTERMATH_QUIET_NS ((uint64_t)GB_MINUTE)
#define AFTERMATH_LINES_MAX 100

struct carrier_id {
	int32_t pid;
	uint32_t reserved;
	uint64_t start_ticks;
};

/* A process that holds descriptors of what was reaped. */
struct carrier {
	UT_hash_handle hh;
	struct carrier_id id;
	struct owner *owner; /* a reference */
	uint64_t dead;
	uint64_t said_dead, said_ns; /* in its last line; 0: it had none */
	uint64_t reacted;            /* since its last line */
};

/* Zeroed is empty. */
struct aftermath {
	struct carrier *carriers;
	uint64_t minute_ns; /* when the minute of `lines` began */
	uint32_t lines;
};

/* One process was looked at. True when it is worth a line; *ret_reacted: since its last one. */
bool aftermath_take(struct aftermath *aftermath, struct owner *owner, uint64_t reacted, uint64_t dead, uint64_t now_ns,
		    uint64_t *ret_reacted);

/* The process has ended, and carries nothing. */
void aftermath_forget(struct aftermath *aftermath, int32_t pid, uint64_t start_ticks);

void aftermath_fini(struct aftermath *aftermath);

#endif
