/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes, for lines that are built piece by piece. A failed allocation is remembered in `failed` and
 * makes every later addition a no-op, so that the caller checks once, at the end.
 */
#ifndef CORE_BUFFER_H
#define CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *data; /* owned; not terminated, see buffer_text() */
	size_t length, size;
	bool failed;
};

void buffer_fini(struct buffer *buffer);

/* Room for `length` more bytes behind the present ones; NULL when there is none. Does not count them in. */
char *buffer_reserve(struct buffer *buffer, size_t length);

void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_add_unsigned(struct buffer *buffer, uint64_t value);
void buffer_add_integer(struct buffer *buffer, int64_t value);
void buffer_add_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For people: "250ms", "3s", "12.345s", "1m0s", "2h5m", "3d4h". */
void buffer_add_duration(struct buffer *buffer, uint64_t duration_ns);

/* What is in it as a string that lives as long as nothing is added; "" after a failed allocation. */
const char *buffer_text(struct buffer *buffer);

/* The same, handed over to the caller (free()), the buffer empty; NULL after a failed allocation. */
char *buffer_steal(struct buffer *buffer);

#define _cleanup_buffer_ __attribute__((cleanup(buffer_fini)))

#endif
