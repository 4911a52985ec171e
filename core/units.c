/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Largest first: the order that duration_parse() wants, too. */
static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{"d", UINT64_C(86400000000000)},
	{"h", UINT64_C(3600000000000)},
	{"m", UINT64_C(60000000000)},
	{"s", UINT64_C(1000000000)},
	{"ms", UINT64_C(1000000)},
	{"us", UINT64_C(1000)},
	{"ns", UINT64_C(1)},
};

#define DURATION_UNIT_COUNT (sizeof(duration_units) / sizeof(duration_units[0]))
#define DURATION_UNIT_SECOND 3

/* The digits at *text, which is moved behind them. A number that does not fit is read to its end all the same. */
static int digits_parse(const char **text, uint64_t *ret_value)
{
	const char *at = *text;
	uint64_t value = 0;
	int rc = 0;

	if (!isdigit((unsigned char)*at))
		return -EINVAL;
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			rc = -ERANGE;
	*text = at;
	*ret_value = value;
	return rc;
}

/* The unit of exactly `length` letters; DURATION_UNIT_COUNT when there is none. */
static size_t duration_unit(const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < DURATION_UNIT_COUNT; i++)
		if (strlen(duration_units[i].name) == length && !strncmp(text, duration_units[i].name, length))
			break;
	return i;
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	size_t next_unit = 0; /* the largest that may still come */
	uint64_t total = 0;
	bool first = true;
	int rc = 0;

	if (*text == '-') {
		rc = -ERANGE;
		text++;
	}
	do {
		size_t length, unit;
		uint64_t value;
		int digits_rc = digits_parse(&text, &value);

		if (digits_rc == -EINVAL)
			return -EINVAL;
		if (digits_rc < 0)
			rc = digits_rc;
		for (length = 0; isalpha((unsigned char)text[length]);)
			length++;
		unit = !length && first ? DURATION_UNIT_SECOND : duration_unit(text, length);
		if (unit < next_unit || unit == DURATION_UNIT_COUNT || (!length && *text))
			return -EINVAL;
		if (__builtin_mul_overflow(value, duration_units[unit].ns, &value) ||
		    __builtin_add_overflow(total, value, &total))
			rc = -ERANGE;
		next_unit = unit + 1;
		text += length;
		first = false;
	} while (*text);

	if (rc < 0)
		return rc;
	*ret_ns = total;
	return 0;
}

int size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "kmgt";
	uint64_t value;
	int rc = 0, digits_rc;

	if (*text == '-') {
		rc = -ERANGE;
		text++;
	}
	digits_rc = digits_parse(&text, &value);
	if (digits_rc == -EINVAL)
		return -EINVAL;
	if (digits_rc < 0)
		rc = digits_rc;
	if (*text) {
		const char *letter = strchr(letters, tolower((unsigned char)*text));

		if (!letter || text[1])
			return -EINVAL;
		if (__builtin_mul_overflow(value, UINT64_C(1) << (10 * (letter - letters + 1)), &value))
			rc = -ERANGE;
	}
	if (rc < 0)
		return rc;
	*ret_bytes = value;
	return 0;
}

const char *duration_format(uint64_t ns, char *buf, size_t buf_size)
{
	size_t used = 0;

	snprintf(buf, buf_size, "0s");
	for (size_t i = 0; i < DURATION_UNIT_COUNT && used < buf_size; i++) {
		uint64_t value = ns / duration_units[i].ns;

		ns %= duration_units[i].ns;
		if (value)
			used += (size_t)snprintf(buf + used, buf_size - used, "%" PRIu64 "%s", value,
						 duration_units[i].name);
	}
	return buf;
}

const char *size_format(uint64_t bytes, char *buf, size_t buf_size)
{
	static const char *const letters[] = {"", "k", "M", "G", "T"};
	size_t i = 0;

	while (bytes && bytes % 1024 == 0 && i + 1 < sizeof(letters) / sizeof(letters[0])) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, buf_size, "%" PRIu64 "%s", bytes, letters[i]);
	return buf;
}
