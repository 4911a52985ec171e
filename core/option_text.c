/* SPDX-License-Identifier: Apache-2.0 */
/* Options and their values as text: what a value must be, what it is, both as JSON. */
#include "option_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "units.h"

static const struct {
	const char *name;
	uint32_t size, align;
} types[] = {
	[GB_OPTION_TYPE_BOOL] = {"boolean", sizeof(bool), alignof(bool)},
	[GB_OPTION_TYPE_INTEGER] = {"integer", sizeof(int64_t), alignof(int64_t)},
	[GB_OPTION_TYPE_SIZE] = {"size", sizeof(uint64_t), alignof(uint64_t)},
	[GB_OPTION_TYPE_DURATION] = {"duration", sizeof(uint64_t), alignof(uint64_t)},
	[GB_OPTION_TYPE_STRING] = {"string", sizeof(char *), alignof(char *)},
	[GB_OPTION_TYPE_ENUM] = {"enumeration", sizeof(int32_t), alignof(int32_t)},
	[GB_OPTION_TYPE_STRINGS] = {"list of strings", sizeof(struct gb_strings), alignof(struct gb_strings)},
	[GB_OPTION_TYPE_GROUPS] = {"list of groups", sizeof(struct gb_groups), alignof(struct gb_groups)},
	[GB_OPTION_TYPE_RANGE] = {"range", sizeof(struct gb_range), alignof(struct gb_range)},
	[GB_OPTION_TYPE_CIDR] = {"network", sizeof(struct gb_cidr), alignof(struct gb_cidr)},
	[GB_OPTION_TYPE_MASK] = {"number or prefix", sizeof(struct gb_mask), alignof(struct gb_mask)},
};

const char *option_type_name(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) ? types[type].name : NULL;
}

uint32_t option_type_size(uint32_t type)
{
	return option_type_name(type) ? types[type].size : 0;
}

uint32_t option_type_align(uint32_t type)
{
	return option_type_name(type) ? types[type].align : 0;
}

static const char *bound_format(uint32_t type, int64_t bound, char *buf, size_t buf_size)
{
	if (type == GB_OPTION_TYPE_DURATION && bound >= 0)
		return duration_format((uint64_t)bound, buf, buf_size);
	if (type == GB_OPTION_TYPE_SIZE && bound >= 0)
		return size_format((uint64_t)bound, buf, buf_size);
	snprintf(buf, buf_size, "%" PRId64, bound);
	return buf;
}

/* "1s..30d"; empty when every number will do. */
static void bounds_format(const struct gb_option *option, char *buf, size_t buf_size)
{
	char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];
	bool no_min = option->min == INT64_MIN, no_max = option->max == INT64_MAX;

	bound_format(option->type, option->min, min, sizeof(min));
	bound_format(option->type, option->max, max, sizeof(max));
	if (no_min && no_max)
		snprintf(buf, buf_size, "%s", "");
	else if (no_max)
		snprintf(buf, buf_size, "at least %s", min);
	else if (no_min)
		snprintf(buf, buf_size, "at most %s", max);
	else
		snprintf(buf, buf_size, "%s..%s", min, max);
}

/* "report, shutdown or destroy" */
static void choices_format(const struct gb_option *option, char *buf, size_t buf_size)
{
	size_t used = 0;

	snprintf(buf, buf_size, "%s", "");
	for (size_t i = 0; option->choices && i < OPTION_CHOICES_MAX && option->choices[i] && used < buf_size; i++) {
		bool last = i + 1 == OPTION_CHOICES_MAX || !option->choices[i + 1];

		used += (size_t)snprintf(buf + used, buf_size - used, "%s%s",
					 !i     ? ""
					 : last ? " or "
						: ", ",
					 option->choices[i]);
	}
}

void option_range(const struct gb_option *option, char *buf, size_t buf_size)
{
	switch (option->type) {
	case GB_OPTION_TYPE_BOOL:
		snprintf(buf, buf_size, "true or false");
		return;
	case GB_OPTION_TYPE_ENUM:
		choices_format(option, buf, buf_size);
		return;
	case GB_OPTION_TYPE_INTEGER:
	case GB_OPTION_TYPE_SIZE:
	case GB_OPTION_TYPE_DURATION:
	case GB_OPTION_TYPE_RANGE:
	case GB_OPTION_TYPE_MASK:
		bounds_format(option, buf, buf_size);
		if (*buf)
			return;
		snprintf(buf, buf_size, "any number");
		return;
	default:
		snprintf(buf, buf_size, "%s", option_type_name(option->type) ? option_type_name(option->type) : "");
		return;
	}
}

void value_want(const struct gb_option *option, char *buf, size_t buf_size)
{
	const char *form = NULL;
	char bounds[2 * UNITS_TEXT_MAX + 16] = "";

	switch (option->type) {
	case GB_OPTION_TYPE_INTEGER:
		form = "a whole number";
		break;
	case GB_OPTION_TYPE_SIZE:
		form = "a size such as \"64M\"";
		break;
	case GB_OPTION_TYPE_DURATION:
		form = "a duration such as \"90s\"";
		break;
	case GB_OPTION_TYPE_RANGE:
		form = "a number or a range such as \"8000-8999\"";
		break;
	case GB_OPTION_TYPE_STRING:
		form = option->min < option->max ? "a number, or a string in quotes" : "a string in quotes";
		break;
	case GB_OPTION_TYPE_STRINGS:
		form = "a list of strings such as (\"a\", \"b\")";
		break;
	case GB_OPTION_TYPE_GROUPS:
		form = "a list of groups such as ( { … }, { … } )";
		break;
	case GB_OPTION_TYPE_CIDR:
		form = "an address or a network such as \"10.0.0.0/8\"";
		break;
	case GB_OPTION_TYPE_MASK:
		form = "a number such as 5432001 or \"0x52e2c1\", or a prefix such as \"0xae000000/0xff000000\"";
		break;
	default:
		option_range(option, buf, buf_size);
		return;
	}
	if (option->type == GB_OPTION_TYPE_INTEGER || option->type == GB_OPTION_TYPE_SIZE ||
	    option->type == GB_OPTION_TYPE_DURATION || option->type == GB_OPTION_TYPE_RANGE)
		bounds_format(option, bounds, sizeof(bounds));
	snprintf(buf, buf_size, "%s%s%s", form, *bounds ? ", " : "", bounds);
}

void value_unset(const struct gb_option *option, void *field)
{
	memset(field, 0, option_type_size(option->type));
	if (option->type == GB_OPTION_TYPE_RANGE)
		*(struct gb_range *)field = (struct gb_range){.first = 1, .last = 0};
}

static bool strings_equal(const struct gb_strings *a, const struct gb_strings *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

bool value_equal(const struct gb_option *option, const void *a, const void *b)
{
	if (option->type == GB_OPTION_TYPE_STRINGS)
		return strings_equal(a, b);
	if (option->type == GB_OPTION_TYPE_STRING) {
		const char *a_text = *(const char *const *)a, *b_text = *(const char *const *)b;

		return a_text && b_text ? !strcmp(a_text, b_text) : a_text == b_text;
	}
	return !memcmp(a, b, option_type_size(option->type));
}

json_t *value_text_json(const char *text)
{
	json_t *json = json_string(text);
	_cleanup_free_ char *escaped = NULL;
	size_t used = 0;

	if (json)
		return json;
	escaped = malloc(4 * strlen(text) + 1);
	if (!escaped)
		return NULL;
	for (; *text; text++)
		used += (size_t)sprintf(escaped + used, (unsigned char)*text < 0x80 ? "%c" : "\\x%02x",
					(unsigned char)*text);
	escaped[used] = '\0';
	return json_string(escaped);
}

static json_t *strings_json(const struct gb_strings *strings)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < strings->count; i++)
		if (json_array_append_new(list, value_text_json(strings->items[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *range_json(const struct gb_range *range)
{
	if (range->first > range->last)
		return json_null();
	if (range->first == range->last)
		return json_integer(range->first);
	return json_sprintf("%" PRId64 "-%" PRId64, range->first, range->last);
}

static json_t *cidr_json(const struct gb_cidr *cidr)
{
	char address[INET6_ADDRSTRLEN];

	if (!cidr->family || !inet_ntop(cidr->family, cidr->address, address, sizeof(address)))
		return json_null();
	return json_sprintf("%s/%d", address, cidr->prefix_len);
}

static json_t *mask_json(const struct gb_mask *mask)
{
	if (!mask->mask)
		return json_null();
	if (mask->mask == UINT32_MAX)
		return json_sprintf("0x%" PRIx32, mask->value);
	return json_sprintf("0x%" PRIx32 "/0x%" PRIx32, mask->value, mask->mask);
}

json_t *value_json(const struct gb_option *option, const void *field)
{
	char text[UNITS_TEXT_MAX];

	switch ((enum gb_option_type)option->type) {
	case GB_OPTION_TYPE_BOOL:
		return json_boolean(*(const bool *)field);
	case GB_OPTION_TYPE_INTEGER:
		return json_integer(*(const int64_t *)field);
	case GB_OPTION_TYPE_SIZE:
		return json_string(size_format(*(const uint64_t *)field, text, sizeof(text)));
	case GB_OPTION_TYPE_DURATION:
		return json_string(duration_format(*(const uint64_t *)field, text, sizeof(text)));
	case GB_OPTION_TYPE_STRING:
		return *(const char *const *)field ? value_text_json(*(const char *const *)field) : json_null();
	case GB_OPTION_TYPE_ENUM:
		return option->choices ? value_text_json(option->choices[*(const int32_t *)field]) : json_null();
	case GB_OPTION_TYPE_STRINGS:
		return strings_json(field);
	case GB_OPTION_TYPE_RANGE:
		return range_json(field);
	case GB_OPTION_TYPE_CIDR:
		return cidr_json(field);
	case GB_OPTION_TYPE_MASK:
		return mask_json(field);
	case GB_OPTION_TYPE_GROUPS:
		break;
	}
	return json_null();
}

static json_t *choices_json(const struct gb_option *option)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < OPTION_CHOICES_MAX && option->choices[i]; i++)
		json_array_append_new(list, value_text_json(option->choices[i]));
	return list;
}

/* Members of a list of groups have no members of their own: one level of recursion. */
static json_t *option_json(const struct option_table *table, const struct gb_option *option)
{
	char range[VALUE_WANT_MAX];
	json_t *json = json_object();

	if (!json)
		return NULL;
	json_object_set_new(json, "key", value_text_json(option->key));
	json_object_set_new(json, "type", json_string(option_type_name(option->type)));
	json_object_set_new(json, "default",
			    option->default_text ? value_text_json(option->default_text) : json_null());
	option_range(option, range, sizeof(range));
	json_object_set_new(json, "range", value_text_json(range));
	json_object_set_new(json, "help", value_text_json(option->help));
	if (option->type == GB_OPTION_TYPE_ENUM)
		json_object_set_new(json, "choices", choices_json(option));
	if (option->type == GB_OPTION_TYPE_GROUPS) {
		struct option_table members = {.options = option->members,
					       .count = option->member_count,
					       .stride = table->stride,
					       .data_size = option->item_size};

		json_object_set_new(json, "members", option_table_json(&members));
	}
	return json;
}

json_t *option_table_json(const struct option_table *table)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < table->count; i++) {
		struct gb_option option = option_at(table, i);

		if (json_array_append_new(list, option_json(table, &option)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}
