/* SPDX-License-Identifier: Apache-2.0 */
/* What was found wrong with a configuration, as one text. */
#ifndef TESTS_UNIT_FAKE_PROBLEMS_H
#define TESTS_UNIT_FAKE_PROBLEMS_H

#include <string.h>

#include "problems.h"

static char problems_text[16384];

/* libconfig before 1.6 loses the string it was reading when it finds a mistake. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static inline void problems_take(struct problems *problems)
{
	*problems_text = '\0';
	for (size_t i = 0; i < problems->count; i++) {
		strcat(problems_text, i ? "\n" : "");
		strcat(problems_text, problems->items[i]);
	}
	problems_fini(problems);
}

#endif
