/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics for the person who runs the daemon: standard error, a line each, hostile bytes escaped. Saves errno. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdarg.h>

#include <eghostbuster/plugin.h>

#include "problems.h"

/* `plugin` may be NULL. GB_LOG_DEBUG is shown when EGHOSTBUSTER_DEBUG is in the environment. */
void log_line(enum gb_level level, const char *plugin, const char *format, ...) __attribute__((format(printf, 3, 4)));
void log_line_v(enum gb_level level, const char *plugin, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

#define log_error(...) log_line(GB_LOG_ERROR, NULL, __VA_ARGS__)
#define log_warning(...) log_line(GB_LOG_WARNING, NULL, __VA_ARGS__)
#define log_info(...) log_line(GB_LOG_INFO, NULL, __VA_ARGS__)

/* Each sentence a line. */
void log_problems(enum gb_level level, const struct problems *problems);

#endif
