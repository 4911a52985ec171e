/* SPDX-License-Identifier: Apache-2.0 */
#include "option_decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "option_value.h"

/* What one run of the decoder carries along. */
struct decoder {
	const char *subject;
	const char *file;
	struct problems *problems;
	struct arena *arena;
};

/* Where a value stands: the file's line, or a --set. */
struct place {
	const char *file;
	unsigned int line;
	const char *path; /* between the subject and the key: "rules #2: " */
};

#define PATH_MAX_BYTES (OPTION_KEY_MAX + 32)

static bool option_find(const struct option_table *table, const char *key, struct gb_option *ret_option)
{
	for (uint32_t i = 0; i < table->count; i++) {
		struct gb_option option = option_at(table, i);

		if (!strcmp(option.key, key)) {
			*ret_option = option;
			return true;
		}
	}
	return false;
}

static bool is_other(const struct option_table *table, const char *key)
{
	for (const char *const *other = table->others; other && *other; other++)
		if (!strcmp(*other, key))
			return true;
	return false;
}

/* All words that may stand in the table's group. */
static size_t table_words(const struct option_table *table, const char *words[OPTION_COUNT_MAX])
{
	size_t count = 0;

	for (uint32_t i = 0; i < table->count && count < OPTION_COUNT_MAX; i++)
		words[count++] = option_at(table, i).key;
	for (const char *const *other = table->others; other && *other && count < OPTION_COUNT_MAX; other++)
		words[count++] = *other;
	return count;
}

static void say_unknown(const struct decoder *decoder, const struct option_table *table, const struct place *place,
			const char *key)
{
	const char *words[OPTION_COUNT_MAX];
	size_t count = table_words(table, words), used = 0;
	const char *nearest = nearest_word(key, words, count);
	char list[1024] = "none";

	if (nearest) {
		problems_add(decoder->problems, place->file, place->line,
			     "%s: %sunknown option \"%.64s\", did you mean \"%s\"?", decoder->subject, place->path, key,
			     nearest);
		return;
	}
	for (size_t i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
	problems_add(decoder->problems, place->file, place->line, "%s: %sunknown option \"%.64s\", known are: %s",
		     decoder->subject, place->path, key, list);
}

static void say_value(const struct decoder *decoder, const struct place *place, const char *key,
		      const struct value *value, const char *want)
{
	char found[VALUE_FOUND_MAX];

	value_found(value, found, sizeof(found));
	problems_add(decoder->problems, place->file, place->line, "%s: %s%s = %s, want %s", decoder->subject,
		     place->path, key, found, want);
}

/* A scalar of the file or of --set. -ENOMEM; a bad value is said and leaves the field as it was. */
static int scalar_set(const struct decoder *decoder, const struct gb_option *option, const struct place *place,
		      const struct value *value, void *field)
{
	char want[VALUE_WANT_MAX];
	int rc = value_decode(option, value, decoder->arena, field, want, sizeof(want));

	if (rc == -EINVAL)
		say_value(decoder, place, option->key, value, want);
	return rc == -ENOMEM ? rc : 0;
}

static void say_wrong_kind(const struct decoder *decoder, const struct gb_option *option, const struct place *place,
			   const config_setting_t *setting)
{
	char want[VALUE_WANT_MAX];
	struct value value;

	value_from_setting(setting, &value);
	value_want(option, want, sizeof(want));
	say_value(decoder, place, option->key, &value, want);
}

static bool is_list(const config_setting_t *setting)
{
	return config_setting_type(setting) == CONFIG_TYPE_LIST || config_setting_type(setting) == CONFIG_TYPE_ARRAY;
}

/* A list of the file; says so and is false when it is none, or too long. */
static bool list_check(const struct decoder *decoder, const struct gb_option *option, const struct place *place,
		       const config_setting_t *setting)
{
	if (!is_list(setting)) {
		say_wrong_kind(decoder, option, place, setting);
		return false;
	}
	if (config_setting_length(setting) > OPTION_ITEMS_MAX) {
		problems_add(decoder->problems, place->file, place->line, "%s: %s%s has %d entries, want at most %d",
			     decoder->subject, place->path, option->key, config_setting_length(setting),
			     OPTION_ITEMS_MAX);
		return false;
	}
	return true;
}

static int strings_set(const struct decoder *decoder, const struct gb_option *option, const struct place *place,
		       const config_setting_t *setting, struct gb_strings *field)
{
	struct gb_option item = {.key = option->key, .type = GB_OPTION_TYPE_STRING};
	const char **items;
	uint32_t count;

	if (!list_check(decoder, option, place, setting))
		return 0;
	count = (uint32_t)config_setting_length(setting);
	items = arena_alloc(decoder->arena, count * sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const config_setting_t *element = config_setting_get_elem(setting, i);
		char path[PATH_MAX_BYTES + 32];
		struct place at = {place->file, config_setting_source_line(element), path};
		struct value value;
		int rc;

		snprintf(path, sizeof(path), "%sentry %u of ", place->path, i + 1);
		value_from_setting(element, &value);
		if (value.kind == VALUE_STRING && !*value.text) {
			say_value(decoder, &at, option->key, &value, "a string that is not empty");
			continue;
		}
		rc = scalar_set(decoder, &item, &at, &value, &items[i]);
		if (rc < 0)
			return rc;
	}
	*field = (struct gb_strings){.items = items, .count = count};
	return 0;
}

static int group_decode(const struct decoder *decoder, const struct option_table *table, const config_setting_t *group,
			const char *path, void *data, uint64_t *ret_present);

static int groups_set(const struct decoder *decoder, const struct option_table *table, const struct gb_option *option,
		      const struct place *place, const config_setting_t *setting, struct gb_groups *field)
{
	struct option_table members = {.options = option->members,
				       .count = option->member_count,
				       .stride = table->stride,
				       .data_size = option->item_size};
	uint32_t count;
	char *items;

	if (!list_check(decoder, option, place, setting))
		return 0;
	count = (uint32_t)config_setting_length(setting);
	items = arena_alloc(decoder->arena, (size_t)count * option->item_size);
	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const config_setting_t *element = config_setting_get_elem(setting, i);
		struct gb_group *group = (struct gb_group *)(void *)(items + (size_t)i * option->item_size);
		char path[PATH_MAX_BYTES];
		int rc;

		if (!config_setting_is_group(element)) {
			struct place at = {place->file, config_setting_source_line(element), path};

			snprintf(path, sizeof(path), "entry %u of ", i + 1);
			say_wrong_kind(decoder, option, &at, element);
			continue;
		}
		snprintf(path, sizeof(path), "%s #%u: ", option->key, i + 1);
		rc = group_decode(decoder, &members, element, path, group, &group->present);
		if (rc < 0)
			return rc;
		group->file = decoder->file;
		group->line = config_setting_source_line(element);
	}
	*field = (struct gb_groups){.items = items, .count = count, .item_size = option->item_size};
	return 0;
}

static int default_set(const struct decoder *decoder, const struct gb_option *option, void *field)
{
	struct value value = {.kind = VALUE_TEXT, .text = option->default_text};
	struct place place = {.path = "default of "};

	value_unset(option, field);
	return option->default_text ? scalar_set(decoder, option, &place, &value, field) : 0;
}

static int setting_set(const struct decoder *decoder, const struct option_table *table, const struct gb_option *option,
		       const char *path, const config_setting_t *setting, void *field)
{
	struct place place = {decoder->file, config_setting_source_line(setting), path};
	struct value value;

	if (option->type == GB_OPTION_TYPE_GROUPS)
		return groups_set(decoder, table, option, &place, setting, field);
	if (option->type == GB_OPTION_TYPE_STRINGS)
		return strings_set(decoder, option, &place, setting, field);
	value_from_setting(setting, &value);
	return scalar_set(decoder, option, &place, &value, field);
}

static void unknown_members_say(const struct decoder *decoder, const struct option_table *table,
				const config_setting_t *group, const char *path)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned int)i);
		struct place place = {decoder->file, config_setting_source_line(setting), path};
		const char *key = config_setting_name(setting);
		struct gb_option option;

		if (!option_find(table, key, &option) && !is_other(table, key))
			say_unknown(decoder, table, &place, key);
	}
}

/* `group` may be NULL. *ret_present (may be NULL) gets bit i when the group has the i-th option. */
static int group_decode(const struct decoder *decoder, const struct option_table *table, const config_setting_t *group,
			const char *path, void *data, uint64_t *ret_present)
{
	uint64_t present = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		struct gb_option option = option_at(table, i);
		void *field = (char *)data + option.offset;
		const config_setting_t *setting = group ? config_setting_get_member(group, option.key) : NULL;
		int rc = default_set(decoder, &option, field);

		if (rc == 0 && setting) {
			rc = setting_set(decoder, table, &option, path, setting, field);
			present |= i < GB_OPTION_MEMBERS_MAX ? UINT64_C(1) << i : 0;
		}
		if (rc < 0)
			return rc;
	}
	if (group)
		unknown_members_say(decoder, table, group, path);
	if (ret_present)
		*ret_present = present;
	return 0;
}

static int override_apply(const struct decoder *decoder, const struct option_table *table,
			  const struct override *override, void *data)
{
	struct value value = {.kind = VALUE_TEXT, .text = override->value};
	struct place place = {.file = override->typed, .path = ""};
	struct gb_option option;

	if (!option_find(table, override->key, &option)) {
		if (!is_other(table, override->key))
			say_unknown(decoder, table, &place, override->key);
		return 0;
	}
	if (option.type == GB_OPTION_TYPE_GROUPS) {
		problems_add(decoder->problems, override->typed, 0,
			     "%s: %s is a list of groups and cannot be set on the command line, write it into the "
			     "configuration file",
			     decoder->subject, option.key);
		return 0;
	}
	return scalar_set(decoder, &option, &place, &value, (char *)data + option.offset);
}

static int source_decode(const struct decoder *decoder, const struct option_table *table,
			 const struct option_source *source, void *data)
{
	const config_setting_t *group = source->group;
	int rc;

	if (group && !config_setting_is_group(group)) {
		problems_add(decoder->problems, decoder->file, config_setting_source_line(group),
			     "%s: want a group such as { key = value; }", decoder->subject);
		group = NULL;
	}
	rc = group_decode(decoder, table, group, "", data, NULL);
	for (size_t i = 0; rc == 0 && i < source->override_count; i++)
		rc = override_apply(decoder, table, &source->overrides[i], data);
	return rc;
}

int options_decode(const struct option_table *table, const struct option_source *source, struct problems *problems,
		   struct arena *arena, void *data)
{
	struct decoder decoder = {.subject = table->subject, .problems = problems, .arena = arena};
	size_t problems_before = problems->count;
	int rc;

	if (source->file) {
		decoder.file = arena_strndup(arena, source->file, strlen(source->file));
		if (!decoder.file)
			return -ENOMEM;
	}
	rc = source_decode(&decoder, table, source, data);
	return rc == 0 && problems->count > problems_before ? -EINVAL : rc;
}
