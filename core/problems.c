/* SPDX-License-Identifier: Apache-2.0 */
#include "problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"

static void out_of_memory(void)
{
	fputs("ghostbuster: out of memory\n", stderr);
	abort();
}

void problems_add(struct problems *problems, const char *file, unsigned int line, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	char *sentence = NULL;
	char **items;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0) {
		text = NULL;
		out_of_memory();
	}
	if (!file)
		sentence = steal_pointer(text);
	else if (line ? asprintf(&sentence, "%s:%u: %s", file, line, text) < 0
		      : asprintf(&sentence, "%s: %s", file, text) < 0)
		out_of_memory();

	items = reallocarray(problems->items, problems->count + 1, sizeof(*items));
	if (!items)
		out_of_memory();
	problems->items = items;
	problems->items[problems->count++] = sentence;
}

void problems_fini(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		free(problems->items[i]);
	free(problems->items);
	*problems = (struct problems){0};
}
