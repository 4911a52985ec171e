/* SPDX-License-Identifier: Apache-2.0 */
#include "capability.h"

#include <cap-ng.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PREFIX "CAP_"
#define CAPABILITIES_MAX 64 /* bits of a mask */

struct sets {
	uint64_t effective, permitted, inheritable, bounding;
};

static int read_sets(struct sets *ret_sets)
{
	struct sets sets = {0};

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0)
		return -EIO;
	for (unsigned int number = 0; number <= CAP_LAST_CAP; number++) {
		uint64_t bit = UINT64_C(1) << number;

		sets.effective |= capng_have_capability(CAPNG_EFFECTIVE, number) ? bit : 0;
		sets.permitted |= capng_have_capability(CAPNG_PERMITTED, number) ? bit : 0;
		sets.inheritable |= capng_have_capability(CAPNG_INHERITABLE, number) ? bit : 0;
		sets.bounding |= capng_have_capability(CAPNG_BOUNDING_SET, number) ? bit : 0;
	}
	*ret_sets = sets;
	return 0;
}

int capability_have(uint64_t mask, uint64_t *ret_missing)
{
	struct sets sets;
	int result = read_sets(&sets);

	if (result < 0)
		return result;
	if ((mask & ~sets.effective) == 0)
		return 0;
	if (ret_missing)
		*ret_missing = mask & ~sets.effective;
	return -EPERM;
}

/* What libcap-ng is to apply next; everything that is not added is taken away. */
static void wish(uint64_t caps, uint64_t bounding)
{
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned int number = 0; number <= CAP_LAST_CAP; number++) {
		if (caps >> number & 1)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, number);
		if (bounding >> number & 1)
			capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, number);
	}
}

int capability_drop_all_but(uint64_t mask, uint64_t *ret_bounding_left)
{
	struct sets before, after;
	int result = read_sets(&before);

	if (result < 0)
		return result;
	/* First, while CAP_SETPCAP is still there; what fails shows when the sets are read back. */
	wish(before.permitted, before.bounding & mask);
	capng_apply(CAPNG_SELECT_BOUNDS);
	wish(before.permitted & mask, before.bounding & mask);
	errno = 0;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return errno ? -errno : -EPERM;
	/* The ambient set is never more than the inheritable one, which is empty now. */
	result = read_sets(&after);
	if (result < 0)
		return result;
	if ((after.effective | after.permitted) & ~mask || after.inheritable)
		return -EIO;
	if (ret_bounding_left)
		*ret_bounding_left = after.bounding & ~mask;
	return 0;
}

int capability_name(unsigned int number, char ret_name[CAPABILITY_NAME_SIZE])
{
	const char *name = number <= CAP_LAST_CAP ? capng_capability_to_name(number) : NULL;

	if (!name)
		return -EINVAL;
	snprintf(ret_name, CAPABILITY_NAME_SIZE, PREFIX "%s", name);
	for (char *at = ret_name; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return 0;
}

int capability_number(const char *name, unsigned int *ret_number)
{
	int number;

	if (strncasecmp(name, PREFIX, strlen(PREFIX)) == 0)
		name += strlen(PREFIX);
	number = capng_name_to_capability(name);
	if (number < 0 || number > CAP_LAST_CAP)
		return -ENOENT;
	*ret_number = (unsigned int)number;
	return 0;
}

void capability_text(uint64_t mask, char ret_text[CAPABILITY_TEXT_SIZE])
{
	size_t length = 0;

	snprintf(ret_text, CAPABILITY_TEXT_SIZE, "none");
	for (unsigned int number = 0; number < CAPABILITIES_MAX; number++) {
		char name[CAPABILITY_NAME_SIZE];

		if (!(mask >> number & 1))
			continue;
		if (capability_name(number, name) < 0)
			snprintf(name, sizeof(name), PREFIX "%u", number);
		length += (size_t)snprintf(ret_text + length, CAPABILITY_TEXT_SIZE - length, "%s%s", length ? ", " : "",
					   name);
	}
}
