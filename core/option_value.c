/* SPDX-License-Identifier: Apache-2.0 */
#include "option_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

void value_from_setting(const config_setting_t *setting, struct value *ret_value)
{
	struct value *value = ret_value;

	value->text = value->buf;
	value->buf[0] = '\0';
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		value->kind = VALUE_NUMBER;
		snprintf(value->buf, sizeof(value->buf), "%lld", config_setting_get_int64(setting));
		break;
	case CONFIG_TYPE_FLOAT:
		value->kind = VALUE_FRACTION;
		snprintf(value->buf, sizeof(value->buf), "%g", config_setting_get_float(setting));
		break;
	case CONFIG_TYPE_BOOL:
		value->kind = VALUE_BOOL;
		value->text = config_setting_get_bool(setting) ? "true" : "false";
		break;
	case CONFIG_TYPE_STRING:
		value->kind = VALUE_STRING;
		value->text = config_setting_get_string(setting);
		break;
	case CONFIG_TYPE_ARRAY:
		value->kind = VALUE_ARRAY;
		break;
	case CONFIG_TYPE_LIST:
		value->kind = VALUE_LIST;
		break;
	default:
		value->kind = VALUE_GROUP;
		break;
	}
}

/* Between quotes, with at most 64 bytes of the text. */
static void quote(const char *text, char *buf, size_t buf_size)
{
	size_t used = 0;

	used += (size_t)snprintf(buf, buf_size, "\"");
	for (size_t i = 0; text[i] && used + 8 < buf_size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (i == 64) {
			used += (size_t)snprintf(buf + used, buf_size - used, "…");
			break;
		}
		if (isprint(byte) && byte != '"' && byte != '\\')
			buf[used++] = (char)byte;
		else
			used += (size_t)snprintf(buf + used, buf_size - used, "\\x%02x", byte);
	}
	snprintf(buf + used, buf_size - used, "\"");
}

void value_found(const struct value *value, char *buf, size_t buf_size)
{
	switch (value->kind) {
	case VALUE_STRING:
		quote(value->text, buf, buf_size);
		break;
	case VALUE_TEXT: /* a number looks like one, without quotes */
		if (*value->text && !value->text[strspn(value->text, "+-0123456789.")] && strlen(value->text) <= 32)
			snprintf(buf, buf_size, "%s", value->text);
		else
			quote(value->text, buf, buf_size);
		break;
	case VALUE_NUMBER:
	case VALUE_FRACTION:
	case VALUE_BOOL:
		snprintf(buf, buf_size, "%s", value->text);
		break;
	case VALUE_LIST:
		snprintf(buf, buf_size, "( … )");
		break;
	case VALUE_ARRAY:
		snprintf(buf, buf_size, "[ … ]");
		break;
	case VALUE_GROUP:
		snprintf(buf, buf_size, "{ … }");
		break;
	}
}

/* The number at `text`, as a whole; *ret_end (may be NULL: nothing may follow) gets what follows. */
static int number_parse(const char *text, const char **ret_end, int64_t *ret_number)
{
	const char *digits = text + (*text == '-' || *text == '+');
	int base = ret_end || digits[0] != '0' || (digits[1] != 'x' && digits[1] != 'X') ? 10 : 16;
	long long number;
	char *end;

	if (!isdigit((unsigned char)*digits))
		return -EINVAL;
	errno = 0;
	number = strtoll(text, &end, base);
	if (!ret_end && *end)
		return -EINVAL;
	if (errno == ERANGE)
		return -ERANGE;
	if (ret_end)
		*ret_end = end;
	*ret_number = number;
	return 0;
}

static int integer_decode(const struct gb_option *option, const char *text, int64_t *ret_field)
{
	int64_t number;
	int rc = number_parse(text, NULL, &number);

	if (rc < 0)
		return rc;
	if (number < option->min || number > option->max)
		return -ERANGE;
	*ret_field = number;
	return 0;
}

static int unit_decode(const struct gb_option *option, const char *text, uint64_t *ret_field)
{
	bool duration = option->type == GB_OPTION_TYPE_DURATION;
	uint64_t number;
	int rc = duration ? duration_parse(text, &number) : size_parse(text, &number);

	if (rc < 0)
		return rc;
	if (number > INT64_MAX || (int64_t)number < option->min || (int64_t)number > option->max)
		return -ERANGE;
	*ret_field = number;
	return 0;
}

static int range_decode(const struct gb_option *option, const char *text, struct gb_range *ret_field)
{
	struct gb_range range;
	int rc = number_parse(text, &text, &range.first);

	if (rc < 0)
		return rc;
	range.last = range.first;
	if (*text) {
		if (*text != '-')
			return -EINVAL;
		rc = number_parse(text + 1, &text, &range.last);
		if (rc < 0)
			return rc;
		if (*text || range.first > range.last)
			return -EINVAL;
	}
	if (range.first < option->min || range.last > option->max)
		return -ERANGE;
	*ret_field = range;
	return 0;
}

static int enum_decode(const struct gb_option *option, const char *text, int32_t *ret_field)
{
	for (int32_t i = 0; option->choices && i < OPTION_CHOICES_MAX && option->choices[i]; i++)
		if (!strcmp(option->choices[i], text)) {
			*ret_field = i;
			return 0;
		}
	return -ERANGE;
}

/* The address alone, without "/LENGTH"; *ret_bits gets the longest prefix that it could have. */
static int address_decode(const char *text, size_t length, struct gb_cidr *ret_cidr, int64_t *ret_bits)
{
	struct gb_cidr cidr = {0};
	char address[INET6_ADDRSTRLEN];

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	cidr.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(cidr.family, address, cidr.address) != 1)
		return -EINVAL;
	*ret_bits = cidr.family == AF_INET ? 32 : 128;
	*ret_cidr = cidr;
	return 0;
}

/* Bits behind the prefix are refused, not cleared: "10.1.2.3/8" may have meant 10.1.2.3 as well as 10.0.0.0/8. */
static int cidr_decode(const char *text, struct gb_cidr *ret_field, char *want, size_t want_size)
{
	size_t length = strcspn(text, "/");
	struct gb_cidr cidr, network;
	char address[INET6_ADDRSTRLEN];
	int64_t bits, prefix;
	int rc = address_decode(text, length, &cidr, &bits);

	if (rc < 0)
		return rc;
	prefix = bits;
	if (text[length] == '/') {
		if (!isdigit((unsigned char)text[length + 1]))
			return -EINVAL;
		rc = number_parse(text + length + 1, NULL, &prefix);
		if (rc < 0 || prefix > bits)
			return -EINVAL;
	}
	cidr.prefix_len = (uint8_t)prefix;
	network = cidr;
	for (int64_t bit = prefix; bit < bits; bit++)
		network.address[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
	if (memcmp(&network, &cidr, sizeof(cidr)) != 0) {
		snprintf(want, want_size, "%s/%d or %.*s",
			 inet_ntop(network.family, network.address, address, sizeof(address)), (int)prefix, (int)length,
			 text);
		return -EDOM;
	}
	*ret_field = cidr;
	return 0;
}

/* Hexadecimal, or decimal with a sign: a key is printed as either. */
static int bits_parse(const char *text, const char **ret_end, uint32_t *ret_bits)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	long long number;
	char *end;

	if (!isdigit((unsigned char)text[*text == '-']))
		return -EINVAL;
	errno = 0;
	number = strtoll(text, &end, hexadecimal ? 16 : 10);
	if (errno || number < INT32_MIN || number > UINT32_MAX)
		return -EINVAL;
	*ret_end = end;
	*ret_bits = (uint32_t)number;
	return 0;
}

/* As with networks: "0xae000001/0xff000000" may have meant one number as well as the prefix. */
static int mask_decode(const struct gb_option *option, const char *text, struct gb_mask *ret_field, char *want,
		       size_t want_size)
{
	struct gb_mask mask = {.mask = UINT32_MAX};
	int rc = bits_parse(text, &text, &mask.value);

	if (rc == 0 && *text == '/')
		rc = bits_parse(text + 1, &text, &mask.mask);
	if (rc < 0 || *text || !mask.mask)
		return -EINVAL;
	if (mask.value & ~mask.mask) {
		snprintf(want, want_size, "\"0x%" PRIx32 "/0x%" PRIx32 "\" or \"0x%" PRIx32 "\"",
			 mask.value & mask.mask, mask.mask, mask.value);
		return -EDOM;
	}
	if ((int64_t)mask.value < option->min || (int64_t)mask.value > option->max)
		return -ERANGE;
	*ret_field = mask;
	return 0;
}

/* With commas between the items; an empty text is an empty list. */
static int strings_decode(const char *text, struct arena *arena, struct gb_strings *ret_field)
{
	uint32_t count = *text != '\0';
	const char **items;

	for (const char *at = text; *at; at++)
		count += *at == ',';
	if (count > OPTION_ITEMS_MAX)
		return -EINVAL;
	items = arena_alloc(arena, count * sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		size_t length = strcspn(text, ",");

		if (!length)
			return -EINVAL;
		items[i] = arena_strndup(arena, text, length);
		if (!items[i])
			return -ENOMEM;
		text += length + (text[length] == ',');
	}
	*ret_field = (struct gb_strings){.items = items, .count = count};
	return 0;
}

static int string_decode(const char *text, struct arena *arena, const char **ret_field, char *want, size_t want_size)
{
	size_t length = strnlen(text, OPTION_TEXT_MAX + 1);
	char *copy;

	if (length > OPTION_TEXT_MAX) {
		snprintf(want, want_size, "at most %d bytes", OPTION_TEXT_MAX);
		return -EDOM;
	}
	copy = arena_strndup(arena, text, length);
	if (!copy)
		return -ENOMEM;
	*ret_field = copy;
	return 0;
}

/* Whether the option takes a value that was written as this kind. */
static bool kind_fits(const struct gb_option *option, enum value_kind kind)
{
	uint32_t type = option->type;

	switch (kind) {
	case VALUE_TEXT:
		return true;
	case VALUE_STRING:
		return type != GB_OPTION_TYPE_BOOL && type != GB_OPTION_TYPE_INTEGER && type != GB_OPTION_TYPE_STRINGS;
	case VALUE_NUMBER:
		return type == GB_OPTION_TYPE_INTEGER || type == GB_OPTION_TYPE_SIZE ||
		       type == GB_OPTION_TYPE_DURATION || type == GB_OPTION_TYPE_RANGE || type == GB_OPTION_TYPE_MASK ||
		       (type == GB_OPTION_TYPE_STRING && option->min < option->max);
	case VALUE_BOOL:
		return type == GB_OPTION_TYPE_BOOL;
	case VALUE_FRACTION:
	case VALUE_LIST:
	case VALUE_ARRAY:
	case VALUE_GROUP:
		return false;
	}
	return false;
}

static int scalar_decode(const struct gb_option *option, const char *text, struct arena *arena, void *field, char *want,
			 size_t want_size)
{
	switch ((enum gb_option_type)option->type) {
	case GB_OPTION_TYPE_BOOL:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return -EINVAL;
		*(bool *)field = *text == 't';
		return 0;
	case GB_OPTION_TYPE_INTEGER:
		return integer_decode(option, text, field);
	case GB_OPTION_TYPE_SIZE:
	case GB_OPTION_TYPE_DURATION:
		return unit_decode(option, text, field);
	case GB_OPTION_TYPE_STRING:
		return string_decode(text, arena, field, want, want_size);
	case GB_OPTION_TYPE_ENUM:
		return enum_decode(option, text, field);
	case GB_OPTION_TYPE_STRINGS:
		return strings_decode(text, arena, field);
	case GB_OPTION_TYPE_RANGE:
		return range_decode(option, text, field);
	case GB_OPTION_TYPE_CIDR:
		return cidr_decode(text, field, want, want_size);
	case GB_OPTION_TYPE_MASK:
		return mask_decode(option, text, field, want, want_size);
	case GB_OPTION_TYPE_GROUPS:
		break;
	}
	return -EINVAL;
}

int value_decode(const struct gb_option *option, const struct value *value, struct arena *arena, void *field,
		 char *want, size_t want_size)
{
	int rc = -EINVAL;

	if (kind_fits(option, value->kind))
		rc = scalar_decode(option, value->text, arena, field, want, want_size);
	if (rc == -ERANGE)
		option_range(option, want, want_size);
	else if (rc == -EINVAL)
		value_want(option, want, want_size);
	return rc < 0 && rc != -ENOMEM ? -EINVAL : rc;
}
