/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of files made up for a test: a /proc, a /sys/fs/cgroup. */
#ifndef TESTS_UNIT_FAKE_TREE_H
#define TESTS_UNIT_FAKE_TREE_H

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_root[64];

static inline void tree_make(void)
{
	snprintf(tree_root, sizeof(tree_root), "/tmp/ghostbuster-check-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(tree_root));
}

static inline int tree_remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void tree_remove(void)
{
	nftw(tree_root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* TREE/NAME, with the folders above it made. */
static inline void tree_path(const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%s", tree_root, name);
	for (char *at = ret_path + strlen(tree_root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		ck_assert(mkdir(ret_path, 0700) == 0 || errno == EEXIST);
		*at = '/';
	}
}

static inline void __attribute__((format(printf, 2, 3))) tree_write(const char *name, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	FILE *file;

	tree_path(name, path);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	va_start(args, format);
	ck_assert_int_ge(vfprintf(file, format, args), 0);
	va_end(args);
	ck_assert_int_eq(fclose(file), 0);
}

static inline void tree_link(const char *name, const char *target)
{
	char path[PATH_MAX];

	tree_path(name, path);
	ck_assert_int_eq(symlink(target, path), 0);
}

#endif
