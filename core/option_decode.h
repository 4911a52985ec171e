/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a struct from a group of the file and from --set. Inside of option*.c only. */
#ifndef CORE_OPTION_DECODE_H
#define CORE_OPTION_DECODE_H

#include "arena.h"
#include "option.h"

/* `data` has table->data_size zeroed bytes; what they come to point to is the arena's. Returns as settings_decode(). */
int options_decode(const struct option_table *table, const struct option_source *source, struct problems *problems,
		   struct arena *arena, void *data);

#endif
