/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is released all at once. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* NULL: empty */
};

/* Zeroed, aligned for any type, valid until arena_fini(); also for a size of 0. NULL: no memory. */
void *arena_alloc(struct arena *arena, size_t size);

char *arena_strndup(struct arena *arena, const char *text, size_t length);

void arena_fini(struct arena *arena);

#endif
