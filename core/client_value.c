/* SPDX-License-Identifier: Apache-2.0 */
#include "client_print.h"

#include <string.h>

#include <eghostbuster/plugin.h>

const char *client_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t client_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

size_t client_name_length(const char *name, const json_t *value)
{
	size_t length = strlen(name);

	if (!json_is_integer(value))
		return length;
	return length - (ends_with(name, "_ms") ? strlen("_ms") : ends_with(name, "_bytes") ? strlen("_bytes") : 0);
}

static void add_integer(struct buffer *buffer, const char *name, json_int_t value)
{
	if (ends_with(name, "_ms") && value >= 0 && value <= INT64_MAX / GB_MILLISECOND) {
		buffer_add_duration(buffer, (uint64_t)value * GB_MILLISECOND);
		return;
	}
	buffer_add_integer(buffer, value);
	if (ends_with(name, "_bytes"))
		buffer_add_text(buffer, value == 1 ? " byte" : " bytes");
}

static void add_scalar(struct buffer *buffer, const char *name, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		buffer_add_text(buffer, json_string_value(value));
		return;
	case JSON_INTEGER:
		add_integer(buffer, name, json_integer_value(value));
		return;
	case JSON_REAL:
		buffer_add_format(buffer, "%g", json_real_value(value));
		return;
	case JSON_TRUE:
		buffer_add_text(buffer, "yes");
		return;
	case JSON_FALSE:
		buffer_add_text(buffer, "no");
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
	case JSON_NULL:
		buffer_add_text(buffer, "-");
	}
}

void client_add_value(struct buffer *buffer, const char *name, const json_t *value)
{
	if (!json_is_array(value)) {
		add_scalar(buffer, name, value);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (i)
			buffer_add_text(buffer, ", ");
		add_scalar(buffer, name, json_array_get(value, i));
	}
}

void client_add_owner(struct buffer *buffer, const json_t *owners)
{
	const json_t *first = json_array_get(owners, 0);

	if (!first)
		return;
	buffer_add_text(buffer, client_text(first, "comm"));
	buffer_add_char(buffer, '[');
	buffer_add_integer(buffer, client_number(first, "pid"));
	buffer_add_char(buffer, ']');
	if (json_array_size(owners) > 1)
		buffer_add_format(buffer, " +%zu", json_array_size(owners) - 1);
}

const char *client_home(const json_t *owner)
{
	static const char *const keys[] = {"unit", "pod", "container"};

	for (size_t i = 0; i < GB_COUNT(keys); i++) {
		const char *text = client_text(owner, keys[i]);

		if (*text)
			return text;
	}
	return "";
}
