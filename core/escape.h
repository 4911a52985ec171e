/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that somebody else chose (comm, exe, paths, texts of plugins), made safe to show.
 *
 * Unsafe are: control characters (C0, DEL, C1), bytes that are no UTF-8, and the characters that show as nothing, or that
 * change how their neighbours show: line separators, bidirectional controls, zero-width and format characters,
 * variation selectors, tags, private use, noncharacters. Everything else that is valid UTF-8 stays as it is.
 *
 * The output is bounded: of each text the first ESCAPE_MAX bytes are taken, and "..." is put behind when there were more.
 */
#ifndef CORE_ESCAPE_H
#define CORE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

#define ESCAPE_MAX 4096 /* bytes of the input; the output is at most 6 times as long */

enum escape_flag {
	ESCAPE_ASCII = 1 << 0, /* a terminal that does not speak UTF-8: escape all but ASCII */
};

/*
 * For lines and tables: newline, tab, carriage return and backslash become \n \t \r \\, every byte of another unsafe
 * character becomes \xNN. Nothing in it can be mistaken for an escape. `text` NULL writes nothing.
 */
void escape_text(struct buffer *buffer, const char *text, unsigned int flags);

/* The same for the value of NAME=VALUE: in double quotes, with \" for a quote, unless it is one plain ASCII word. */
void escape_value(struct buffer *buffer, const char *text);

/*
 * For JSON, with the quotes. Unsafe characters become \uNNNN, which loses nothing; a byte that is no UTF-8, which JSON
 * cannot express, becomes the four characters \xNN of the string (in the source: "\\xNN"). NULL writes "".
 */
void escape_json(struct buffer *buffer, const char *text);

#endif
