/* SPDX-License-Identifier: Apache-2.0 */
#include "option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "option_decode.h"
#include "option_value.h"

struct settings {
	struct option_table table;
	struct arena arena; /* the data and all that it points to */
	void *data;
};

struct gb_option option_at(const struct option_table *table, uint32_t index)
{
	struct gb_option option = {0};
	size_t size = table->stride < sizeof(option) ? table->stride : sizeof(option);

	memcpy(&option, (const char *)table->options + (size_t)index * table->stride, size);
	return option;
}

int settings_decode(const struct option_table *table, const struct option_source *source, struct problems *problems,
		    struct settings **ret_settings)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	int rc = -ENOMEM;

	if (!settings)
		return -ENOMEM;
	settings->table = *table;
	settings->data = arena_alloc(&settings->arena, table->data_size);
	if (settings->data)
		rc = options_decode(table, source, problems, &settings->arena, settings->data);
	if (rc < 0) {
		settings_free(settings);
		return rc;
	}
	*ret_settings = settings;
	return 0;
}

const void *settings_data(const struct settings *settings)
{
	return settings->data;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	arena_fini(&settings->arena);
	free(settings);
}

static bool groups_equal(const struct option_table *members, const struct gb_groups *a, const struct gb_groups *b);

/* Two structs of the same table. */
static bool data_equal(const struct option_table *table, const char *a, const char *b)
{
	for (uint32_t i = 0; i < table->count; i++) {
		struct gb_option option = option_at(table, i);
		struct option_table members = {
			.options = option.members, .count = option.member_count, .stride = table->stride};
		const void *a_field = a + option.offset, *b_field = b + option.offset;

		if (option.type == GB_OPTION_TYPE_GROUPS ? !groups_equal(&members, a_field, b_field)
							 : !value_equal(&option, a_field, b_field))
			return false;
	}
	return true;
}

static bool groups_equal(const struct option_table *members, const struct gb_groups *a, const struct gb_groups *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const char *a_item = (const char *)a->items + (size_t)i * a->item_size;
		const char *b_item = (const char *)b->items + (size_t)i * b->item_size;
		const struct gb_group *a_group = (const void *)a_item, *b_group = (const void *)b_item;

		if (a_group->present != b_group->present || !data_equal(members, a_item, b_item))
			return false;
	}
	return true;
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
	return a->table.options == b->table.options && a->table.count == b->table.count &&
	       data_equal(&a->table, a->data, b->data);
}

static json_t *data_json(const struct option_table *table, const char *data, uint64_t shown);

/* Of each group what the file set: the rest falls back to the plugin's own options. */
static json_t *groups_json(const struct option_table *members, const struct gb_groups *groups)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < groups->count; i++) {
		const char *item = (const char *)groups->items + (size_t)i * groups->item_size;
		const struct gb_group *group = (const void *)item;

		if (json_array_append_new(list, data_json(members, item, group->present)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* Bit i of `shown`: the i-th option; those beyond the last bit are always shown. */
static json_t *data_json(const struct option_table *table, const char *data, uint64_t shown)
{
	json_t *object = json_object();

	for (uint32_t i = 0; object && i < table->count; i++) {
		struct gb_option option = option_at(table, i);
		struct option_table members = {
			.options = option.members, .count = option.member_count, .stride = table->stride};
		const void *field = data + option.offset;

		if (i < GB_OPTION_MEMBERS_MAX && !(shown & UINT64_C(1) << i))
			continue;
		if (json_object_set_new(object, option.key,
					option.type == GB_OPTION_TYPE_GROUPS ? groups_json(&members, field)
									     : value_json(&option, field)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *settings_json(const struct settings *settings)
{
	return data_json(&settings->table, settings->data, UINT64_MAX);
}
