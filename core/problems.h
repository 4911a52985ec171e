/* SPDX-License-Identifier: Apache-2.0 */
/* A list of sentences about what is wrong with some input, so that a user sees all of them at once. */
#ifndef CORE_PROBLEMS_H
#define CORE_PROBLEMS_H

#include <stddef.h>

struct problems {
	char **items; /* owned; each without a newline */
	size_t count;
};

/*
 * Adds "FILE:LINE: text"; without the line when it is 0, without both when `file` is NULL. Out of memory ends the
 * process: a problem that is not said would pass for none.
 */
void problems_add(struct problems *problems, const char *file, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void problems_fini(struct problems *problems);

#endif
