/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptor_reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cleanup.h"
#include "descriptor.h"
#include "refusal.h"

#define WHAT_SIZE 128 /* "its help of option \"a_long_key\"" */

static int refuse_outside(const struct descriptor_reader *reader, const char *what)
{
	return refuse(
		reader->ret_refusal, -EFAULT,
		"%s: %s is not in the file itself, want constant data of the plugin: define it there and rebuild the "
		"plugin",
		reader->path, what);
}

static int read_pointer(const struct descriptor_reader *reader, uint64_t address, const char *what,
			uint64_t *ret_pointer)
{
	uint64_t pointer = 0;

	if (elf_image_pointer(reader->image, address, &pointer) < 0 || pointer == ELF_IMAGE_ELSEWHERE)
		return refuse_outside(reader, what);
	*ret_pointer = pointer;
	return 0;
}

static bool is_one_line_of_utf8(const char *text)
{
	json_t *string = json_string(text); /* refuses what is no UTF-8 */

	json_decref(string);
	for (; string && *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return string;
}

int descriptor_read_text(struct descriptor_reader *reader, uint64_t address, const char *what, const char **ret_text)
{
	_cleanup_free_ char *text = NULL;
	uint64_t pointer = 0;
	int error = read_pointer(reader, address, what, &pointer);

	if (error < 0)
		return error;
	if (!pointer) {
		*ret_text = NULL;
		return 0;
	}
	error = elf_image_string(reader->image, pointer, DESCRIPTOR_STRING_MAX, &text);
	if (error == -E2BIG)
		return refuse(
			reader->ret_refusal, error,
			"%s: %s has more than %d bytes, want at most that many: shorten it and rebuild the plugin",
			reader->path, what, DESCRIPTOR_STRING_MAX);
	if (error < 0)
		return refuse_outside(reader, what);
	if (!is_one_line_of_utf8(text))
		return refuse(
			reader->ret_refusal, -EINVAL,
			"%s: %s has control characters or is no UTF-8, want one line of text: correct it and rebuild "
			"the plugin",
			reader->path, what);
	reader->text_size += strlen(text) + 1;
	if (reader->text_size > DESCRIPTOR_TEXT_MAX)
		return refuse(
			reader->ret_refusal, -E2BIG,
			"%s: its descriptor has more than %d bytes of text, want at most that many: shorten it and "
			"rebuild the plugin",
			reader->path, DESCRIPTOR_TEXT_MAX);
	*ret_text = steal_pointer(text);
	return 0;
}

static void free_choices(const char *const *choices)
{
	for (size_t i = 0; choices && choices[i]; i++)
		free((char *)choices[i]);
	free((void *)choices);
}

static int read_choices(struct descriptor_reader *reader, uint64_t address, const char *what,
			const char *const **ret_choices)
{
	const char **choices;
	uint64_t pointer = 0;
	int error = read_pointer(reader, address, what, &pointer);

	*ret_choices = NULL;
	if (error < 0 || !pointer)
		return error;
	choices = calloc(DESCRIPTOR_CHOICES_MAX + 1, sizeof(*choices));
	if (!choices)
		return refuse(reader->ret_refusal, -ENOMEM, "%s: cannot read: %s", reader->path, strerror(ENOMEM));
	*ret_choices = choices;
	for (size_t i = 0; i <= DESCRIPTOR_CHOICES_MAX; i++) {
		const char *choice;

		error = descriptor_read_text(reader, pointer + i * sizeof(pointer), what, &choice);
		if (error < 0 || !choice)
			return error;
		if (i == DESCRIPTOR_CHOICES_MAX) {
			free((char *)choice);
			break;
		}
		choices[i] = choice;
	}
	return refuse(
		reader->ret_refusal, -E2BIG,
		"%s: %s has no NULL after the first %d, want at most that many: end the array with NULL and rebuild "
		"the plugin",
		reader->path, what, DESCRIPTOR_CHOICES_MAX);
}

static int read_table(struct descriptor_reader *reader, uint64_t address, uint32_t count, const char *what,
		      bool is_group, const struct gb_option **ret_options);

/* Leaves `option` fit for free_option() when it fails, too. */
static int read_option(struct descriptor_reader *reader, uint64_t address, const char *label, bool is_member,
		       struct gb_option *option)
{
	uint32_t size = reader->stride < sizeof(*option) ? reader->stride : (uint32_t)sizeof(*option);
	uint32_t member_count;
	char what[WHAT_SIZE];
	int error;

	if (elf_image_read(reader->image, address, option, size) < 0) {
		memset(option, 0, sizeof(*option));
		return refuse_outside(reader, label);
	}
	member_count = option->member_count;
	option->key = option->default_text = option->help = NULL;
	option->choices = NULL;
	option->members = NULL;
	option->member_count = 0;

	snprintf(what, sizeof(what), "the key of %s", label);
	error = descriptor_read_text(reader, address + offsetof(struct gb_option, key), what, &option->key);
	if (error < 0)
		return error;
	/* From here on the key says it better than the number. */
	if (option->key)
		snprintf(what, sizeof(what), "the text of its option \"%.63s\"", option->key);
	error = descriptor_read_text(reader, address + offsetof(struct gb_option, default_text), what,
				     &option->default_text);
	if (error == 0)
		error = descriptor_read_text(reader, address + offsetof(struct gb_option, help), what, &option->help);
	if (option->key)
		snprintf(what, sizeof(what), "the list of its option \"%.63s\"", option->key);
	if (error == 0)
		error = read_choices(reader, address + offsetof(struct gb_option, choices), what, &option->choices);
	if (error < 0 || option->type != GB_OPTION_TYPE_GROUPS || is_member)
		return error;
	error = read_table(reader, address + offsetof(struct gb_option, members), member_count, what, true,
			   &option->members);
	if (error == 0)
		option->member_count = member_count;
	return error;
}

static void free_option(const struct gb_option *option)
{
	free((char *)option->key);
	free((char *)option->default_text);
	free((char *)option->help);
	free_choices(option->choices);
	descriptor_free_options(option->members, option->member_count);
}

/* `is_group`: the members of a list of groups. */
static int read_table(struct descriptor_reader *reader, uint64_t address, uint32_t count, const char *what,
		      bool is_group, const struct gb_option **ret_options)
{
	uint32_t max = is_group ? GB_OPTION_MEMBERS_MAX : DESCRIPTOR_OPTIONS_MAX;
	struct gb_option *options;
	uint64_t pointer = 0;
	int error;

	if (count > max)
		return refuse(reader->ret_refusal, -E2BIG,
			      "%s: %s: %u options, want at most %u: declare fewer and rebuild the plugin", reader->path,
			      what, count, max);
	error = read_pointer(reader, address, what, &pointer);
	if (error < 0)
		return error;
	if (!pointer && count)
		return refuse(
			reader->ret_refusal, -EINVAL,
			"%s: %s: %u options in a table that is NULL, want the table: set it and rebuild the plugin",
			reader->path, what, count);
	options = count ? calloc(count, sizeof(*options)) : NULL;
	if (count && !options)
		return refuse(reader->ret_refusal, -ENOMEM, "%s: cannot read: %s", reader->path, strerror(ENOMEM));
	for (uint32_t i = 0; i < count && error == 0; i++) {
		char label[WHAT_SIZE / 2];

		snprintf(label, sizeof(label), "its %s %u", is_group ? "member option" : "option", i + 1);
		error = read_option(reader, pointer + (uint64_t)i * reader->stride, label, is_group, &options[i]);
	}
	if (error < 0) {
		descriptor_free_options(options, count);
		return error;
	}
	*ret_options = options;
	return 0;
}

int descriptor_read_options(struct descriptor_reader *reader, uint64_t address, uint32_t count,
			    const struct gb_option **ret_options)
{
	return read_table(reader, address, count, "its option table", false, ret_options);
}

void descriptor_free_options(const struct gb_option *options, uint32_t count)
{
	for (uint32_t i = 0; options && i < count; i++)
		free_option(&options[i]);
	free((void *)options);
}
