/* SPDX-License-Identifier: Apache-2.0 */
/* The known word that a misspelt one probably meant. */
#ifndef CORE_NEAREST_H
#define CORE_NEAREST_H

#include <stddef.h>

#define NEAREST_WORD_MAX 63 /* bytes; a longer word is near to nothing */

/*
 * The edits that turn one word into the other: a byte inserted, removed or replaced, or two neighbours swapped; without
 * regard to case. SIZE_MAX when one of them is longer than NEAREST_WORD_MAX.
 */
size_t word_distance(const char *a, const char *b);

/* One of `words`, the first of the nearest; NULL when nothing is near: more than one edit for three bytes of `word`. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
