/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a declared option: from what somebody wrote to the field, and back. Inside of option*.c only. */
#ifndef CORE_OPTION_VALUE_H
#define CORE_OPTION_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "arena.h"
#include "option.h"

#define VALUE_FOUND_MAX 300 /* bytes of value_found() */
#define VALUE_WANT_MAX 1024 /* bytes of what a value must be */

enum value_kind {
	VALUE_TEXT, /* without a type of its own: from --set, or a default */
	VALUE_STRING,
	VALUE_NUMBER,
	VALUE_FRACTION,
	VALUE_BOOL,
	VALUE_LIST,
	VALUE_ARRAY,
	VALUE_GROUP,
};

struct value {
	enum value_kind kind;
	const char *text; /* of a scalar; points into `buf` or into libconfig's memory */
	char buf[32];
};

/* The value of a setting of the file; a struct value must not be copied. */
void value_from_setting(const config_setting_t *setting, struct value *ret_value);

/* For messages: `"abc"`, `-3`, `( … )`. Bytes that are not printable are escaped, long texts cut. */
void value_found(const struct value *value, char *buf, size_t buf_size);

/*
 * Writes the field of any type but a list of groups. Lists of strings are taken with commas between them (VALUE_TEXT).
 * -EINVAL: not of the right form or not in range, and `want` says what would be; -ENOMEM.
 */
int value_decode(const struct gb_option *option, const struct value *value, struct arena *arena, void *field,
		 char *want, size_t want_size);

/* What an option wants, in a sentence: `a duration such as "90s", 1s..30d`. */
void value_want(const struct gb_option *option, char *buf, size_t buf_size);

/* The field of an option that nothing sets and that has no default. */
void value_unset(const struct gb_option *option, void *field);

/* Not for a list of groups. */
bool value_equal(const struct gb_option *option, const void *a, const void *b);
json_t *value_json(const struct gb_option *option, const void *field);

/* A JSON string of any bytes: what is not UTF-8 is escaped as \xNN. NULL: no memory. */
json_t *value_text_json(const char *text);

/* Bytes and alignment of the field; 0 for a type that does not exist. */
uint32_t option_type_size(uint32_t type);
uint32_t option_type_align(uint32_t type);

#endif
