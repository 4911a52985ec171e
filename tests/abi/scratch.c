/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include <check.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/check_abi.XXXXXX";

void scratch_init(void)
{
	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(mkdir(scratch_expand("R/plugins"), 0755), 0);
	ck_assert_int_eq(setenv("EGHOSTBUSTER_TEST_MARKER", scratch_expand("R/marker"), 1), 0);
}

void scratch_fini(void)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

const char *scratch_expand(const char *text)
{
	static char expanded[16384];
	size_t used = 0;

	while (*text && used + sizeof(root) + 12 < sizeof(expanded)) {
		if (strncmp(text, "R/", 2) == 0) {
			used += (size_t)sprintf(expanded + used, "%s", root);
			text++;
		} else if (strncmp(text, "UID", 3) == 0) {
			used += (size_t)sprintf(expanded + used, "%u", getuid());
			text += 3;
		} else {
			expanded[used++] = *text++;
		}
	}
	expanded[used] = '\0';
	return expanded;
}

void scratch_copy(const char *fixture, const char *path)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "cp %s/%s.so %s", FIXTURES, fixture, scratch_expand(path));
	ck_assert_int_eq(system(command), 0);
}

bool scratch_take_marker(void)
{
	return unlink(scratch_expand("R/marker")) == 0;
}
