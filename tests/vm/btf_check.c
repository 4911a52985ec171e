/* SPDX-License-Identifier: Apache-2.0 */
/*
 * btf_check KERNEL BTF ABSENT OBJECT...: checks the types that BPF objects declare for the kernel's against the BTF of a
 * kernel, as libbpf will when it loads them: each field must be there under its name, as the same kind of thing. What a
 * kernel lacks must stand in the file ABSENT, with a word on how the program does without:
 *
 *     KERNEL[,KERNEL]...  TYPE[.FIELD[.FIELD]]  how the program does without
 *
 * and must be lacking there: a line that is not needed any more is an error, too.
 * Types that only the objects know (the records shared with user space) are left out: those that the kernel has no type
 * of that name for, except in the first object, which is made of the trimmed header and holds the kernel's types alone.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "cleanup.h"

#define LACKS_MAX 256
#define NAME_MAX_BYTES 256

struct lack {
	char name[NAME_MAX_BYTES];
	char how[NAME_MAX_BYTES];
	unsigned int line;
	bool needed;
};

static struct {
	const char *kernel;
	const char *absent_path;
	const struct btf *local, *target;
	struct lack lacks[LACKS_MAX];
	unsigned int lack_count;
	unsigned int types, fields, errors;
} check;

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("  FAIL ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	check.errors++;
}

/* ---- what may be lacking ------------------------------------------------------------------------------------------ */

static bool list_has(const char *list, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, word, size) == 0 && (at[size] == ',' || at[size] == '\0'))
			return true;
	}
	return false;
}

static int lacks_read(void)
{
	_cleanup_fclose_ FILE *file = fopen(check.absent_path, "re");
	char text[1024];

	if (!file)
		return -errno;
	for (unsigned int line = 1; fgets(text, sizeof(text), file); line++) {
		struct lack lack = {.line = line};
		char kernels[128];

		if (text[0] == '#' || text[0] == '\n')
			continue;
		if (sscanf(text, "%127s %255s %255[^\n]", kernels, lack.name, lack.how) != 3) {
			wrong("%s:%u: want KERNELS TYPE[.FIELD] and how the program does without", check.absent_path,
			      line);
			continue;
		}
		if (!list_has(kernels, check.kernel))
			continue;
		if (check.lack_count == LACKS_MAX)
			return -E2BIG;
		check.lacks[check.lack_count++] = lack;
	}
	return 0;
}

static void lacking(const char *name, const char *found)
{
	for (unsigned int i = 0; i < check.lack_count; i++) {
		struct lack *lack = &check.lacks[i];

		if (strcmp(lack->name, name) != 0)
			continue;
		if (!lack->needed)
			printf("  without %s: %s\n", name, lack->how);
		lack->needed = true;
		return;
	}
	wrong("%s: %s in Linux %s, and %s does not say how the program does without", name, found, check.kernel,
	      check.absent_path);
}

/* ---- comparing, by the rules of libbpf's CO-RE -------------------------------------------------------------------- */

static const struct btf_type *resolve(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	return type;
}

/* Without the flavour: what stands behind three underscores. */
static size_t essential_length(const char *name)
{
	const char *flavour = strstr(name, "___");

	return flavour && flavour != name ? (size_t)(flavour - name) : strlen(name);
}

static bool is_bitfield(const struct btf_type *type, __u32 i)
{
	return btf_member_bitfield_size(type, i) != 0;
}

/* The member called `name`, also inside of members without a name; its owner and index there. */
static const struct btf_type *member_find(const struct btf *btf, const struct btf_type *type, const char *name,
					  __u32 *ret_index)
{
	const struct btf_member *members = btf_members(type);

	for (__u32 i = 0; i < btf_vlen(type); i++) {
		const char *has = btf__name_by_offset(btf, members[i].name_off);
		const struct btf_type *inner, *found;

		if (has[0]) {
			if (strcmp(has, name) != 0)
				continue;
			*ret_index = i;
			return type;
		}
		inner = resolve(btf, members[i].type);
		if (inner && btf_is_composite(inner) && (found = member_find(btf, inner, name, ret_index)))
			return found;
	}
	return NULL;
}

static bool kinds_agree(const struct btf_type *local, const struct btf_type *target)
{
	for (int depth = 0; depth < 8 && local && target; depth++) {
		if (btf_is_composite(local) && btf_is_composite(target))
			return true;
		if (btf_is_any_enum(local) && btf_is_any_enum(target))
			return true;
		if (btf_kind(local) != btf_kind(target))
			return false;
		if (!btf_is_array(local))
			return true;
		local = resolve(check.local, btf_array(local)->type);
		target = resolve(check.target, btf_array(target)->type);
	}
	return false;
}

static void members_check(const char *path, const struct btf_type *local, const struct btf_type *target);

static void member_check(const char *path, const struct btf_type *local, __u32 i, const struct btf_type *target)
{
	const struct btf_type *mine = resolve(check.local, btf_members(local)[i].type), *owner, *theirs;
	const char *name = btf__name_by_offset(check.local, btf_members(local)[i].name_off);
	char at[NAME_MAX_BYTES];
	__u32 found;

	if (!name[0]) {
		if (mine && btf_is_composite(mine))
			members_check(path, mine, target);
		return;
	}
	snprintf(at, sizeof(at), "%s.%s", path, name);
	check.fields++;
	owner = member_find(check.target, target, name, &found);
	if (!owner) {
		lacking(at, "is not there");
		return;
	}
	theirs = resolve(check.target, btf_members(owner)[found].type);
	if (!kinds_agree(mine, theirs))
		lacking(at, "is another kind of thing");
	else if (is_bitfield(local, i) != is_bitfield(owner, found))
		lacking(at, is_bitfield(local, i) ? "is no bit field" : "is a bit field");
	else if (btf_is_composite(mine) && mine->name_off == 0)
		members_check(at, mine, theirs);
}

static void members_check(const char *path, const struct btf_type *local, const struct btf_type *target)
{
	for (__u32 i = 0; i < btf_vlen(local); i++)
		member_check(path, local, i, target);
}

/* A constant that stands in the object as a number must be the kernel's number. */
static void enumerators_check(const char *path, const struct btf_type *local, const struct btf_type *target)
{
	for (__u32 i = 0; i < btf_vlen(local); i++) {
		const struct btf_enum *mine = &btf_enum(local)[i];
		const char *name = btf__name_by_offset(check.local, mine->name_off);
		char at[NAME_MAX_BYTES], found[64] = "is not there";
		bool same = false;

		for (__u32 k = 0; k < btf_vlen(target); k++) {
			const struct btf_enum *theirs = &btf_enum(target)[k];

			if (strcmp(btf__name_by_offset(check.target, theirs->name_off), name) != 0)
				continue;
			same = theirs->val == mine->val;
			snprintf(found, sizeof(found), "is %d and not %d", theirs->val, mine->val);
		}
		check.fields++;
		snprintf(at, sizeof(at), "%s.%s", path, name);
		if (!same)
			lacking(at, found);
	}
}

static const struct btf_type *target_find(const char *name, const struct btf_type *like)
{
	size_t size = essential_length(name);

	for (__u32 id = 1; id < btf__type_cnt(check.target); id++) {
		const struct btf_type *type = btf__type_by_id(check.target, id);
		const char *has;

		if (btf_kind(type) != btf_kind(like))
			continue;
		has = btf__name_by_offset(check.target, type->name_off);
		if (strncmp(has, name, size) == 0 && has[size] == '\0')
			return type;
	}
	return NULL;
}

static void type_check(const struct btf_type *type, bool must_exist)
{
	const char *name = btf__name_by_offset(check.local, type->name_off);
	const struct btf_type *target;

	if (!name[0] || !(btf_is_composite(type) || btf_is_enum(type)))
		return;
	target = target_find(name, type);
	if (!target) {
		if (btf_is_composite(type) && (must_exist || essential_length(name) != strlen(name)))
			lacking(name, "is not there");
		return;
	}
	check.types++;
	if (btf_is_enum(type))
		enumerators_check(name, type, target);
	else
		members_check(name, type, target);
}

static int object_check(const char *path, bool must_exist)
{
	struct btf *btf = btf__parse(path, NULL);

	if (!btf) {
		wrong("%s: its BTF cannot be read: %s", path, strerror(errno));
		return -errno;
	}
	check.local = btf;
	for (__u32 id = 1; id < btf__type_cnt(btf); id++)
		type_check(btf__type_by_id(btf, id), must_exist);
	btf__free(btf);
	return 0;
}

int main(int argc, char **argv)
{
	struct btf *target;
	int r;

	if (argc < 5) {
		fprintf(stderr, "usage: btf_check KERNEL BTF ABSENT OBJECT...\n");
		return 2;
	}
	check.kernel = argv[1];
	check.absent_path = argv[3];
	if ((r = lacks_read()) < 0) {
		fprintf(stderr, "%s: %s\n", check.absent_path, strerror(-r));
		return EXIT_FAILURE;
	}
	if (!(check.target = target = btf__parse(argv[2], NULL))) {
		fprintf(stderr, "%s: no BTF can be read: %s\n", argv[2], strerror(errno));
		return EXIT_FAILURE;
	}
	for (int i = 4; i < argc; i++)
		object_check(argv[i], i == 4);
	for (unsigned int i = 0; i < check.lack_count; i++)
		if (!check.lacks[i].needed)
			wrong("%s:%u: %s is there in Linux %s, or not declared any more: remove the line",
			      check.absent_path, check.lacks[i].line, check.lacks[i].name, check.kernel);
	printf("vm/btf-%s: %u types, %u fields of %d objects, %u errors\n", check.kernel, check.types, check.fields,
	       argc - 4, check.errors);
	btf__free(target);
	return check.errors ? EXIT_FAILURE : EXIT_SUCCESS;
}
