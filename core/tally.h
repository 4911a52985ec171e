/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a plugin's ghosts, counted: all of them, and by class. A class is the text that a ghost has as `class` in
 * its evidence; one without counts in the total alone. A count never goes down, as long as the plugin is enabled: a reload
 * keeps it. Bounded, for who has a million classes: TALLY_CLASSES_MAX, and what has none of these is TALLY_OTHER.
 */
#ifndef CORE_TALLY_H
#define CORE_TALLY_H

#include <stdint.h>

#include <jansson.h>

#include "ghost.h"

#define TALLY_CLASSES_MAX 16
#define TALLY_OTHER "other"
#define TALLY_EVENTS (GHOST_EVENT_FAILED + 1)

/* Events, by enum ghost_event: a ghost counts as spared once for each reason. */
struct tally_counts {
	uint64_t of[TALLY_EVENTS];
};

struct tally_class {
	uint16_t name; /* word */
	struct tally_counts counts;
};

/* Zeroed is empty. */
struct tally {
	struct tally_counts total;
	struct tally_class classes[TALLY_CLASSES_MAX]; /* in the order in which they were seen */
	struct tally_counts other;                     /* further classes, and those that are no word */
	uint8_t class_count;
};

void tally_count(struct tally *tally, const struct ghost *ghost, enum ghost_event event);

/* {"found":1,"reaped":1,"healed":1,"spared":1,"failed":1} */
json_t *tally_total_json(const struct tally *tally);

/* {CLASS:{as above}}, with TALLY_OTHER behind the others when it is not zero. */
json_t *tally_classes_json(const struct tally *tally);

#endif
