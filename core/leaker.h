/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who leaks: ghosts added up by owner, since the daemon was started. An owner is what a person would fix: the plugin's
 * kind of resource, the unit (else the container, else the pod), and the executable (else the command's name) of the first
 * process that holds the ghost; so all workers of a service, and all lives of it, are one.
 *
 * Bounded: LEAKERS_MAX owners, of which the one least recently heard of gives way; LEAKER_PROCESSES_MAX processes and
 * LEAKER_CLASSES_MAX classes each, likewise.
 */
#ifndef CORE_LEAKER_H
#define CORE_LEAKER_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <uthash.h>

#include "ghost.h"
#include "process_files.h"

#define LEAKERS_MAX 1024
#define LEAKER_PROCESSES_MAX 16
#define LEAKER_CLASSES_MAX 8
#define LEAKER_BUCKETS 12 /* of LEAKER_BUCKET_NS: an hour */
#define LEAKER_BUCKET_NS (5 * (uint64_t)GB_MINUTE)
#define LEAKER_SAMPLE_NS ((uint64_t)GB_MINUTE)      /* between two looks at a process's descriptors while it leaks */
#define LEAKER_GROWTH_NS (30 * (uint64_t)GB_SECOND) /* what is younger tells nothing of the growth */

/* As process_files_read(); the seam. */
typedef int (*leaker_files)(int32_t pid, uint64_t start_ticks, struct process_files *ret_files);

struct leaker_sample {
	uint64_t at_ns; /* 0: none */
	uint64_t open;
};

struct leaker_process {
	int32_t pid;
	uint64_t start_ticks, seen_ns;
	struct leaker_sample samples[2]; /* the older first, at least LEAKER_SAMPLE_NS apart */
};

struct leaker_class {
	uint16_t name; /* word */
	uint64_t found;
};

struct leaker {
	UT_hash_handle hh;
	struct owner *owner; /* a reference: the one heard of last */
	struct leaker_process processes[LEAKER_PROCESSES_MAX];
	struct leaker_class classes[LEAKER_CLASSES_MAX];
	uint8_t process_count, class_count;
	uint16_t plugin; /* word */
	uint64_t found, reaped, healed, spared, failed;
	uint64_t reacted; /* of the reaped: its processes let go of what was left */
	uint64_t last_ns, first_wall_ns, last_wall_ns;
	uint64_t bucket;                 /* number, since the clock's zero, of the latest one */
	uint32_t births[LEAKER_BUCKETS]; /* ghosts found in each that were not there before the daemon */
	uint64_t ghosts, oldest_ns;      /* now: as the last leakers_present() calls counted */
	uint64_t dead;                   /* likewise, leakers_present_dead(): descriptors of what was reaped */
	char key[];
};

/* Zeroed and leakers_init(), or just zeroed: then no descriptors are looked at. */
struct leakers {
	struct leaker *by_key;
	struct leaker *latest; /* most events are of one owner in a row */
	leaker_files files;    /* may be NULL */
	uint64_t started_ns;
};

void leakers_init(struct leakers *leakers, leaker_files files, uint64_t now_ns);
void leakers_fini(struct leakers *leakers);

/* Something happened to a ghost. One without an owner counts for nobody; without memory it is not counted. */
void leakers_count(struct leakers *leakers, const struct ghost *ghost, enum ghost_event event, uint64_t now_ns);

/* An owner let go of so many resources that were reaped. Who has not leaked is not counted. */
void leakers_react(struct leakers *leakers, uint16_t plugin, const struct owner *owner, uint64_t reacted);

/* Before, for each ghost that is there, and for each process that carries descriptors of what was reaped: now. */
void leakers_present_none(struct leakers *leakers);
void leakers_present(struct leakers *leakers, const struct ghost *ghost, uint64_t now_ns);
void leakers_present_dead(struct leakers *leakers, uint16_t plugin, const struct owner *owner, uint64_t dead);

/* How many a leaker leaks in an hour: by those found in the last hour, or since the start, if at least 5 min ago. */
uint64_t leaker_rate_hour(const struct leakers *leakers, const struct leaker *leaker, uint64_t now_ns);

/* When the process will have no descriptor left, if it goes on as since its sample; UINT64_MAX when it does not grow. */
uint64_t leaker_runs_out_ns(const struct leaker_process *process, const struct process_files *files, uint64_t now_ns);

/*
 * The answer of the control socket, see control.h: the first `limit` by ghosts now, then by what was reaped, then found.
 * Descriptors are looked at until `until_ns`, those of the worst first, and of that one always.
 */
json_t *leakers_json(const struct leakers *leakers, size_t limit, uint64_t now_ns, uint64_t until_ns);

#endif
