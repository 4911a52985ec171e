/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <stdbool.h>
#include <string.h>

#include "word.h"

/* No word is made of a class that has no place here: words are for ever. */
static struct tally_counts *counts_of(struct tally *tally, const char *class)
{
	struct tally_class *new = &tally->classes[tally->class_count];

	for (uint8_t i = 0; i < tally->class_count; i++)
		if (strcmp(word_text(tally->classes[i].name), class) == 0)
			return &tally->classes[i].counts;
	if (tally->class_count == TALLY_CLASSES_MAX || strcmp(class, TALLY_OTHER) == 0 ||
	    word_id(class, &new->name) < 0)
		return &tally->other;
	tally->class_count++;
	return &new->counts;
}

void tally_count(struct tally *tally, const struct ghost *ghost, enum ghost_event event)
{
	const char *class = ghost_class(ghost);

	tally->total.of[event]++;
	if (class)
		counts_of(tally, class)->of[event]++;
}

static json_t *counts_json(const struct tally_counts *counts)
{
	const uint64_t *of = counts->of;

	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "found", (json_int_t)of[GHOST_EVENT_FOUND], "reaped",
			 (json_int_t)of[GHOST_EVENT_REAPED], "healed", (json_int_t)of[GHOST_EVENT_HEALED], "spared",
			 (json_int_t)of[GHOST_EVENT_SPARED], "failed", (json_int_t)of[GHOST_EVENT_FAILED]);
}

json_t *tally_total_json(const struct tally *tally)
{
	return counts_json(&tally->total);
}

json_t *tally_classes_json(const struct tally *tally)
{
	json_t *object = json_object();
	bool others = false;

	for (uint8_t i = 0; i < tally->class_count; i++)
		json_object_set_new(object, word_text(tally->classes[i].name), counts_json(&tally->classes[i].counts));
	for (int event = 0; event < TALLY_EVENTS; event++)
		others |= tally->other.of[event] != 0;
	if (others)
		json_object_set_new(object, TALLY_OTHER, counts_json(&tally->other));
	return object;
}
