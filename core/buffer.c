/* SPDX-License-Identifier: Apache-2.0 */
#include "buffer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <eghostbuster/plugin.h>

void buffer_fini(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

static char *grow(struct buffer *buffer, size_t length)
{
	size_t size = buffer->size ? buffer->size : 256;
	char *data;

	while (size - buffer->length < length) {
		if (__builtin_mul_overflow(size, (size_t)2, &size))
			goto fail;
	}
	data = realloc(buffer->data, size);
	if (!data)
		goto fail;
	buffer->data = data;
	buffer->size = size;
	return data + buffer->length;
fail:
	buffer->failed = true;
	return NULL;
}

char *buffer_reserve(struct buffer *buffer, size_t length)
{
	if (buffer->failed)
		return NULL;
	if (buffer->size - buffer->length >= length && buffer->data)
		return buffer->data + buffer->length;
	return grow(buffer, length);
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
	char *to = buffer_reserve(buffer, length);

	if (!to || !length)
		return;
	memcpy(to, bytes, length);
	buffer->length += length;
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_add_char(struct buffer *buffer, char c)
{
	buffer_add(buffer, &c, 1);
}

void buffer_add_unsigned(struct buffer *buffer, uint64_t value)
{
	char digits[20]; /* of 2^64 - 1 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buffer_add(buffer, digits + at, sizeof(digits) - at);
}

void buffer_add_integer(struct buffer *buffer, int64_t value)
{
	if (value < 0)
		buffer_add_char(buffer, '-');
	buffer_add_unsigned(buffer, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;
	int length;
	char *to;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	to = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length + 1);
	if (to) {
		vsnprintf(to, (size_t)length + 1, format, again);
		buffer->length += (size_t)length;
	} else {
		buffer->failed = true;
	}
	va_end(again);
	va_end(args);
}

void buffer_add_duration(struct buffer *buffer, uint64_t duration_ns)
{
	static const struct {
		uint64_t ns, below_ns;
		const char *unit, *below;
	} units[] = {
		{GB_DAY, GB_HOUR, "d", "h"},
		{GB_HOUR, GB_MINUTE, "h", "m"},
		{GB_MINUTE, GB_SECOND, "m", "s"},
	};
	uint64_t ms = duration_ns / GB_MILLISECOND % 1000;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (duration_ns < units[i].ns)
			continue;
		buffer_add_unsigned(buffer, duration_ns / units[i].ns);
		buffer_add_text(buffer, units[i].unit);
		buffer_add_unsigned(buffer, duration_ns % units[i].ns / units[i].below_ns);
		buffer_add_text(buffer, units[i].below);
		return;
	}
	if (duration_ns < GB_SECOND) {
		buffer_add_unsigned(buffer, ms);
		buffer_add_text(buffer, "ms");
		return;
	}
	buffer_add_unsigned(buffer, duration_ns / GB_SECOND);
	if (ms) {
		char fraction[] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10)};
		size_t length = sizeof(fraction);

		while (fraction[length - 1] == '0')
			length--;
		buffer_add(buffer, fraction, length);
	}
	buffer_add_char(buffer, 's');
}

const char *buffer_text(struct buffer *buffer)
{
	char *end = buffer_reserve(buffer, 1);

	if (!end)
		return "";
	*end = '\0';
	return buffer->data;
}

char *buffer_steal(struct buffer *buffer)
{
	char *data = buffer_reserve(buffer, 1) ? buffer->data : NULL;

	if (data)
		data[buffer->length] = '\0';
	else
		free(buffer->data);
	*buffer = (struct buffer){0};
	return data;
}
