/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include <stdint.h>
#include <string.h>

/*
 * Sorted, inclusive: C1 controls, the characters that Unicode calls default-ignorable (they show as nothing), the line
 * and paragraph separators, the bidirectional controls, private use (every font draws its own), noncharacters.
 */
static const struct {
	uint32_t first, last;
} unsafe[] = {
	{0x0000, 0x001f},   {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},    {0x061c, 0x061c},
	{0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},    {0x2028, 0x202e},
	{0x2060, 0x206f},   {0x2800, 0x2800},   {0x3164, 0x3164},   {0xe000, 0xf8ff},    {0xfdd0, 0xfdef},
	{0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},    {0xfffe, 0xffff},
	{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};

static bool is_unsafe(uint32_t code)
{
	size_t low = 0, high = sizeof(unsafe) / sizeof(unsafe[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (code > unsafe[middle].last)
			low = middle + 1;
		else if (code < unsafe[middle].first)
			high = middle;
		else
			return true;
	}
	return (code & 0xfffe) == 0xfffe;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* The length of the character at `bytes`, 0 when it is no UTF-8 (overlong, surrogate, beyond U+10FFFF, cut short). */
static size_t utf8_decode(const unsigned char *bytes, size_t length, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = bytes[0];
	size_t size = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : 0;
	uint32_t code;

	if (lead >= 0xf0 && lead < 0xf5)
		size = 4;
	if (!size || size > length)
		return 0;
	code = size == 1 ? lead : lead & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return size;
}

static char hex_digit(unsigned int value)
{
	return "0123456789abcdef"[value & 15];
}

static void add_hex_bytes(struct buffer *buffer, const unsigned char *bytes, size_t length, const char *prefix)
{
	for (size_t i = 0; i < length; i++) {
		char digits[2] = {hex_digit(bytes[i] >> 4), hex_digit(bytes[i])};

		buffer_add_text(buffer, prefix);
		buffer_add(buffer, digits, sizeof(digits));
	}
}

static void add_u(struct buffer *buffer, uint32_t unit)
{
	char text[6] = {'\\', 'u', hex_digit(unit >> 12), hex_digit(unit >> 8), hex_digit(unit >> 4), hex_digit(unit)};

	buffer_add(buffer, text, sizeof(text));
}

/* How one kind of output writes what is not plain: the character at `bytes`, or one byte with `code` UINT32_MAX. */
typedef void (*add_special)(struct buffer *buffer, const unsigned char *bytes, size_t length, uint32_t code);

static void add_special_text(struct buffer *buffer, const unsigned char *bytes, size_t length, uint32_t code)
{
	switch (code) {
	case '\n':
		buffer_add(buffer, "\\n", 2);
		return;
	case '\t':
		buffer_add(buffer, "\\t", 2);
		return;
	case '\r':
		buffer_add(buffer, "\\r", 2);
		return;
	case '\\':
		buffer_add(buffer, "\\\\", 2);
		return;
	case '"':
		buffer_add(buffer, "\"", 1);
		return;
	default:
		add_hex_bytes(buffer, bytes, length, "\\x");
	}
}

static void add_special_quoted(struct buffer *buffer, const unsigned char *bytes, size_t length, uint32_t code)
{
	if (code == '"')
		buffer_add(buffer, "\\\"", 2);
	else
		add_special_text(buffer, bytes, length, code);
}

static void add_special_json(struct buffer *buffer, const unsigned char *bytes, size_t length, uint32_t code)
{
	if (code == UINT32_MAX) {
		add_hex_bytes(buffer, bytes, length, "\\\\x");
	} else if (code == '"') {
		buffer_add(buffer, "\\\"", 2);
	} else if (code == '\n' || code == '\t' || code == '\r' || code == '\\') {
		add_special_text(buffer, bytes, length, code);
	} else if (code > 0xffff) {
		add_u(buffer, 0xd800 + ((code - 0x10000) >> 10));
		add_u(buffer, 0xdc00 + ((code - 0x10000) & 0x3ff));
	} else {
		add_u(buffer, code);
	}
}

static void escape(struct buffer *buffer, const char *text, add_special special, bool ascii)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = strnlen(text, ESCAPE_MAX + 1), left = length > ESCAPE_MAX ? ESCAPE_MAX : length;

	while (left) {
		uint32_t code = UINT32_MAX;
		size_t run = 0, size;

		while (run < left && is_plain(at[run]) && at[run] != '\\' && at[run] != '"')
			run++;
		buffer_add(buffer, at, run);
		at += run;
		left -= run;
		if (!left)
			break;

		/* The cut at ESCAPE_MAX must not turn a good character into bad bytes: look beyond it, then drop it. */
		size = utf8_decode(at, strnlen((const char *)at, 4), &code);
		if (size > left)
			break;
		if (size > 1 && !ascii && !is_unsafe(code))
			buffer_add(buffer, at, size);
		else
			special(buffer, at, size ? size : 1, code);
		at += size ? size : 1;
		left -= size ? size : 1;
	}
	if (length > ESCAPE_MAX)
		buffer_add(buffer, "...", 3);
}

void escape_text(struct buffer *buffer, const char *text, unsigned int flags)
{
	if (text)
		escape(buffer, text, add_special_text, flags & ESCAPE_ASCII);
}

void escape_value(struct buffer *buffer, const char *text)
{
	const unsigned char *at = (const unsigned char *)(text ? text : "");

	while (is_plain(*at) && *at != ' ' && *at != '"')
		at++;
	if (text && *text && !*at) {
		escape(buffer, text, add_special_text, false);
		return;
	}
	buffer_add_char(buffer, '"');
	if (text)
		escape(buffer, text, add_special_quoted, false);
	buffer_add_char(buffer, '"');
}

void escape_json(struct buffer *buffer, const char *text)
{
	buffer_add_char(buffer, '"');
	if (text)
		escape(buffer, text, add_special_json, false);
	buffer_add_char(buffer, '"');
}
