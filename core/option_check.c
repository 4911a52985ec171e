/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a table of options is sane. It may come from a stranger's plugin: nothing here trusts a number of it. */
#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "option_value.h"

/* A plugin's author may not have the members that were appended since; those up to the help text were always there. */
#define STRIDE_MIN offsetof(struct gb_option, members)

struct checker {
	const struct option_table *table;
	const char *file;
	struct problems *problems;
	const char *list; /* the list of groups whose members these are; NULL at the top level */
};

static const char key_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

static void say(const struct checker *checker, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct checker *checker, const char *key, const char *format, ...)
{
	char text[VALUE_WANT_MAX + VALUE_FOUND_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	problems_add(checker->problems, checker->file, 0, "%s: option \"%s%s%.64s\": %s", checker->table->subject,
		     checker->list ? checker->list : "", checker->list ? "." : "", key, text);
}

static bool key_is_good(const char *key, size_t max)
{
	return key && *key >= 'a' && *key <= 'z' && strnlen(key, max + 1) <= max && !key[strspn(key, key_bytes)];
}

/* A word of an enumeration stands in sentences and in --set: no blanks, no commas, nothing that needs an escape. */
static bool choice_is_good(const char *choice)
{
	size_t length = strnlen(choice, OPTION_KEY_MAX + 1);

	if (!length || length > OPTION_KEY_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (choice[i] <= ' ' || choice[i] > '~' || strchr("\",\\", choice[i]))
			return false;
	return true;
}

static bool line_is_good(const char *text)
{
	size_t length = text ? strnlen(text, OPTION_TEXT_MAX + 1) : 0;

	if (!length || length > OPTION_TEXT_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static void bounds_check(const struct checker *checker, const struct gb_option *option)
{
	bool is_unsigned = option->type == GB_OPTION_TYPE_SIZE || option->type == GB_OPTION_TYPE_DURATION;

	if (option->type != GB_OPTION_TYPE_INTEGER && option->type != GB_OPTION_TYPE_RANGE &&
	    option->type != GB_OPTION_TYPE_MASK && !is_unsigned)
		return;
	if (option->min > option->max)
		say(checker, option->key, "its smallest value %lld is above its largest, %lld", (long long)option->min,
		    (long long)option->max);
	else if (is_unsigned && option->min < 0)
		say(checker, option->key, "its smallest value %lld is negative, and a %s cannot be",
		    (long long)option->min, option_type_name(option->type));
}

static void choices_check(const struct checker *checker, const struct gb_option *option)
{
	size_t count = 0;

	if (option->type != GB_OPTION_TYPE_ENUM)
		return;
	if (!option->choices || !option->choices[0]) {
		say(checker, option->key, "an enumeration without choices");
		return;
	}
	for (; option->choices[count]; count++) {
		if (count == OPTION_CHOICES_MAX) {
			say(checker, option->key, "more than %d choices", OPTION_CHOICES_MAX);
			return;
		}
		if (!choice_is_good(option->choices[count])) {
			say(checker, option->key,
			    "choice %zu is not 1 to %d printable bytes without blanks, quotes and commas", count + 1,
			    OPTION_KEY_MAX);
			return;
		}
		for (size_t i = 0; i < count; i++)
			if (!strcmp(option->choices[i], option->choices[count]))
				say(checker, option->key, "choice \"%s\" is there twice", option->choices[i]);
	}
}

/* Where the field is: inside of the struct, aligned, and not over the struct gb_group that opens each group. */
static bool field_check(const struct checker *checker, const struct gb_option *option)
{
	uint64_t end = (uint64_t)option->offset + option_type_size(option->type);

	if (end > checker->table->data_size) {
		say(checker, option->key, "its field ends at byte %llu of a struct of %llu", (unsigned long long)end,
		    (unsigned long long)checker->table->data_size);
		return false;
	}
	if (option->offset % option_type_align(option->type)) {
		say(checker, option->key, "its field at byte %u is not aligned for its type, %s", option->offset,
		    option_type_name(option->type));
		return false;
	}
	if (checker->list && option->offset < sizeof(struct gb_group)) {
		say(checker, option->key, "its field at byte %u lies in the struct gb_group that must come first",
		    option->offset);
		return false;
	}
	return true;
}

/* Only called once the field, the bounds and the choices are known to be good. */
static void default_check(const struct checker *checker, const struct gb_option *option)
{
	struct value value = {.kind = VALUE_TEXT, .text = option->default_text};
	char found[VALUE_FOUND_MAX], want[VALUE_WANT_MAX];
	struct arena arena = {0};
	union {
		max_align_t align;
		char bytes[64];
	} field = {0};
	int rc;

	_Static_assert(sizeof(struct gb_cidr) <= sizeof(field) && sizeof(struct gb_range) <= sizeof(field) &&
			       sizeof(struct gb_strings) <= sizeof(field),
		       "a field of every type fits");
	if (!option->default_text)
		return;
	if (option->type == GB_OPTION_TYPE_GROUPS) {
		say(checker, option->key, "a list of groups has no default");
		return;
	}
	if (strnlen(option->default_text, OPTION_TEXT_MAX + 1) > OPTION_TEXT_MAX) {
		say(checker, option->key, "its default is longer than %d bytes", OPTION_TEXT_MAX);
		return;
	}
	rc = value_decode(option, &value, &arena, &field, want, sizeof(want));
	arena_fini(&arena);
	if (rc == -EINVAL) {
		value_found(&value, found, sizeof(found));
		say(checker, option->key, "its default is %s, want %s", found, want);
	}
}

static void table_check(const struct checker *checker);

static void members_check(const struct checker *checker, const struct gb_option *option)
{
	struct option_table table = {.options = option->members,
				     .count = option->member_count,
				     .stride = checker->table->stride,
				     .data_size = option->item_size,
				     .subject = checker->table->subject};
	struct checker members = {
		.table = &table, .file = checker->file, .problems = checker->problems, .list = option->key};

	if (option->type != GB_OPTION_TYPE_GROUPS)
		return;
	if (checker->list)
		say(checker, option->key, "a list of groups inside of a list of groups");
	else if (!option->members || !option->member_count || option->member_count > GB_OPTION_MEMBERS_MAX)
		say(checker, option->key, "%u options in a group, want 1..%d",
		    option->members ? option->member_count : 0, GB_OPTION_MEMBERS_MAX);
	else if (option->item_size < sizeof(struct gb_group) || option->item_size > OPTION_ITEM_SIZE_MAX ||
		 option->item_size % alignof(struct gb_group))
		say(checker, option->key, "a group's struct of %u bytes, want a multiple of %zu in %zu..%d",
		    option->item_size, alignof(struct gb_group), sizeof(struct gb_group), OPTION_ITEM_SIZE_MAX);
	else
		table_check(&members);
}

/* Against the entries before it, which have good keys and types or were said. */
static void twins_check(const struct checker *checker, uint32_t index, const struct gb_option *option)
{
	for (const char *const *other = checker->table->others; other && *other; other++)
		if (!strcmp(*other, option->key))
			say(checker, option->key, "this key belongs to the daemon, choose another");
	for (uint32_t i = 0; i < index; i++) {
		struct gb_option before = option_at(checker->table, i);

		if (!key_is_good(before.key, OPTION_KEY_MAX))
			continue;
		if (!strcmp(before.key, option->key))
			say(checker, option->key, "declared twice");
		else if ((uint64_t)before.offset + option_type_size(before.type) > option->offset &&
			 (uint64_t)option->offset + option_type_size(option->type) > before.offset)
			say(checker, option->key, "its field overlaps that of \"%s\"", before.key);
	}
}

static void option_check(const struct checker *checker, uint32_t index)
{
	struct gb_option option = option_at(checker->table, index);
	size_t problems_before = checker->problems->count;

	if (!key_is_good(option.key, OPTION_KEY_MAX)) {
		char number[16];

		snprintf(number, sizeof(number), "#%u", index + 1);
		say(checker, number, "its key is not [a-z][a-z0-9_]* of at most %d bytes", OPTION_KEY_MAX);
		return;
	}
	if (!option_type_name(option.type)) {
		say(checker, option.key, "type %u does not exist, want %d..%d", option.type, GB_OPTION_TYPE_BOOL,
		    GB_OPTION_TYPE_MASK);
		return;
	}
	if (!line_is_good(option.help))
		say(checker, option.key, "its help is not one line of 1 to %d bytes", OPTION_TEXT_MAX);
	twins_check(checker, index, &option);
	bounds_check(checker, &option);
	choices_check(checker, &option);
	if (field_check(checker, &option) && checker->problems->count == problems_before)
		default_check(checker, &option);
	members_check(checker, &option);
}

static void table_check(const struct checker *checker)
{
	for (uint32_t i = 0; i < checker->table->count; i++)
		option_check(checker, i);
}

int option_table_check(const struct option_table *table, const char *file, struct problems *problems)
{
	struct checker checker = {.table = table, .file = file, .problems = problems};
	size_t problems_before = problems->count;

	if (table->count > OPTION_COUNT_MAX)
		problems_add(problems, file, 0, "%s: declares %u options, want at most %d", table->subject,
			     table->count, OPTION_COUNT_MAX);
	else if (table->count && !table->options)
		problems_add(problems, file, 0, "%s: declares %u options and no table of them", table->subject,
			     table->count);
	else if (table->count && (table->stride < STRIDE_MIN || table->stride > OPTION_STRIDE_MAX ||
				  table->stride % alignof(struct gb_option)))
		problems_add(problems, file, 0,
			     "%s: its options are %u bytes each, want a multiple of %zu in %zu..%d, rebuild the plugin",
			     table->subject, table->stride, alignof(struct gb_option), STRIDE_MIN, OPTION_STRIDE_MAX);
	else if (table->data_size > OPTION_DATA_MAX)
		problems_add(problems, file, 0, "%s: its configuration has %llu bytes, want at most %d", table->subject,
			     (unsigned long long)table->data_size, OPTION_DATA_MAX);
	else
		table_check(&checker);
	return problems->count > problems_before ? -EINVAL : 0;
}
