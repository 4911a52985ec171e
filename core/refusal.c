/* SPDX-License-Identifier: Apache-2.0 */
#include "refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int refuse(char **ret_refusal, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_refusal, format, args) < 0) {
		fputs("ghostbuster: out of memory\n", stderr);
		abort();
	}
	va_end(args);
	return error;
}
