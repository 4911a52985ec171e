/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buffer.h"
#include "cleanup.h"
#include "escape.h"

static const char *level_prefix(enum gb_level level)
{
	switch (level) {
	case GB_LOG_ERROR:
		return "error: ";
	case GB_LOG_WARNING:
		return "warning: ";
	case GB_LOG_INFO:
		return "";
	case GB_LOG_DEBUG:
		return "debug: ";
	}
	return "";
}

static bool shown(enum gb_level level)
{
	return level != GB_LOG_DEBUG || getenv("EGHOSTBUSTER_DEBUG");
}

void log_line_v(enum gb_level level, const char *plugin, const char *format, va_list args)
{
	_cleanup_buffer_ struct buffer line = {0};
	_cleanup_free_ char *text = NULL;
	int saved = errno;

	if (shown(level) && vasprintf(&text, format, args) >= 0) {
		buffer_add_text(&line, "ghostbuster: ");
		buffer_add_text(&line, level_prefix(level));
		if (plugin) {
			buffer_add_text(&line, plugin);
			buffer_add_text(&line, ": ");
		}
		escape_text(&line, text, 0);
		buffer_add_char(&line, '\n');
		if (!line.failed && write(STDERR_FILENO, line.data, line.length) < 0)
			errno = saved; /* nobody is left who could be told */
	} else {
		text = NULL;
	}
	errno = saved;
}

void log_line(enum gb_level level, const char *plugin, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line_v(level, plugin, format, args);
	va_end(args);
}

void log_problems(enum gb_level level, const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		log_line(level, NULL, "%s", problems->items[i]);
}
