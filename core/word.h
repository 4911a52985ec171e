/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that come again and again: reasons, actions, names of evidence. Each is kept once, for as long as the process
 * lives, so that 100,000 ghosts share them. The number is bounded: they come from plugins.
 */
#ifndef CORE_WORD_H
#define CORE_WORD_H

#include <stdint.h>

#define WORD_LENGTH_MAX 63
#define WORDS_MAX 4096

/* The id of `text`, never 0. -EINVAL: NULL, empty, too long, or other than [a-z0-9_-]; -ENOSPC: there are WORDS_MAX. */
int word_id(const char *text, uint16_t *ret_id);

/* The text of an id that word_id() gave, "" for 0. Lives as long as the process. */
const char *word_text(uint16_t id);

#endif
