/* SPDX-License-Identifier: Apache-2.0 */
#include "word.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct word {
	UT_hash_handle hh;
	uint16_t id;
	char text[];
};

static struct word *words;
static struct word *by_id[WORDS_MAX + 1];
static uint16_t word_count;

static bool word_valid(const char *text, size_t length)
{
	return length > 0 && length <= WORD_LENGTH_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

int word_id(const char *text, uint16_t *ret_id)
{
	size_t length = text ? strnlen(text, WORD_LENGTH_MAX + 1) : 0;
	struct word *word;

	if (length == 0 || length > WORD_LENGTH_MAX)
		return -EINVAL;
	HASH_FIND(hh, words, text, length, word);
	if (!word) {
		if (!word_valid(text, length))
			return -EINVAL;
		if (word_count == WORDS_MAX)
			return -ENOSPC;
		word = calloc(1, sizeof(*word) + length + 1);
		if (!word)
			return -ENOMEM;
		memcpy(word->text, text, length);
		word->id = ++word_count;
		by_id[word->id] = word;
		HASH_ADD_KEYPTR(hh, words, word->text, length, word);
	}
	*ret_id = word->id;
	return 0;
}

const char *word_text(uint16_t id)
{
	return id && id <= word_count ? by_id[id]->text : "";
}
