/* SPDX-License-Identifier: Apache-2.0 */
#include "client_print.h"

#include <errno.h>
#include <string.h>

#include <eghostbuster/plugin.h>

#include "table.h"

static const struct table_column columns[] = {
	{"PLUGIN", 0},
	{"VERSION", 0},
	{"STATE", 0},
	{"KNOWN", TABLE_RIGHT},
	{"QUEUED", TABLE_RIGHT},
	{"FOUND", TABLE_RIGHT},
	{"REAPED", TABLE_RIGHT},
	{"HEALED", TABLE_RIGHT},
	{"SPARED", TABLE_RIGHT},
	{"FAILED", TABLE_RIGHT},
	{"NEXT SCAN", TABLE_RIGHT},
};

enum { FIRST_NUMBER = 3, NEXT_SCAN = 10, COLUMNS = 11 };

static const struct table_column class_columns[] = {
	{"PLUGIN", 0},           {"CLASS", 0},
	{"FOUND", TABLE_RIGHT},  {"REAPED", TABLE_RIGHT},
	{"HEALED", TABLE_RIGHT}, {"SPARED", TABLE_RIGHT},
	{"FAILED", TABLE_RIGHT},
};

static const char *const counted[] = {"found", "reaped", "healed", "spared", "failed"};

enum { CLASS_FIRST_NUMBER = 2, CLASS_COLUMNS = 7 };

/* "netns a, b; paths /srv", or "everything". */
static void add_scope(struct buffer *buffer, const json_t *scope)
{
	size_t before = buffer->length;
	const char *kind;
	json_t *list;

	json_object_foreach((json_t *)scope, kind, list)
	{
		if (!json_array_size(list))
			continue;
		if (buffer->length > before)
			buffer_add_text(buffer, "; ");
		buffer_add_text(buffer, kind);
		buffer_add_char(buffer, ' ');
		client_add_value(buffer, kind, list);
	}
	if (buffer->length == before)
		buffer_add_text(buffer, "everything");
}

static void print_sentence(FILE *out, struct buffer *buffer, unsigned int width)
{
	text_print_paragraph(out, buffer_text(buffer), 0, width);
	buffer->length = 0;
}

static void print_labelled(FILE *out, const char *label, const char *text)
{
	fputs(label, out);
	text_print(out, text);
	fputc('\n', out);
}

static void print_head(FILE *out, const json_t *answer, unsigned int width)
{
	_cleanup_buffer_ struct buffer line = {0};
	json_int_t uptime_s = client_number(answer, "uptime_s"), lost = client_number(answer, "journal_lost");

	if (uptime_s < 0 || uptime_s > INT64_MAX / GB_SECOND)
		uptime_s = 0;
	buffer_add_format(&line, "ghostbuster %s (pid %" JSON_INTEGER_FORMAT ") has been running for ",
			  client_text(answer, "version"), client_number(answer, "pid"));
	buffer_add_duration(&line, (uint64_t)uptime_s * GB_SECOND);
	if (strcmp(client_text(answer, "mode"), "observe") == 0)
		buffer_add_text(&line, " and only observes: it reaps nothing.");
	else
		buffer_add_format(&line, " in mode %s.", client_text(answer, "mode"));
	print_sentence(out, &line, width);
	add_scope(&line, json_object_get(answer, "scope"));
	print_labelled(out, "scope:   ", buffer_text(&line));
	print_labelled(out, "kernel:  ", client_text(answer, "kernel"));
	print_labelled(out, "config:  ", client_text(answer, "config"));
	print_labelled(out, "control: ", client_text(answer, "control"));
	line.length = 0;
	if (lost > 0) {
		buffer_add_format(&line,
				  "%" JSON_INTEGER_FORMAT
				  " lines of the journal were lost: its reader is slow or gone, or "
				  "the disk is full.",
				  lost);
		print_sentence(out, &line, width);
	}
}

static int add_row(struct table *table, const json_t *plugin)
{
	const json_t *next = json_object_get(plugin, "next_scan_ms"), *counts = json_object_get(plugin, "totals");
	struct buffer cells[COLUMNS] = {0};
	const char *texts[COLUMNS];
	int error;

	buffer_add_text(&cells[0], client_text(plugin, "name"));
	buffer_add_text(&cells[1], client_text(plugin, "version"));
	buffer_add_text(&cells[2], client_text(plugin, "state"));
	buffer_add_integer(&cells[FIRST_NUMBER], client_number(plugin, "known"));
	buffer_add_integer(&cells[FIRST_NUMBER + 1], client_number(plugin, "queued"));
	for (size_t i = 0; i < GB_COUNT(counted); i++)
		buffer_add_integer(&cells[FIRST_NUMBER + 2 + i], client_number(counts, counted[i]));
	if (json_is_integer(next)) {
		buffer_add_text(&cells[NEXT_SCAN], "in ");
		client_add_value(&cells[NEXT_SCAN], "next_scan_ms", next);
	}
	for (size_t i = 0; i < COLUMNS; i++)
		texts[i] = buffer_text(&cells[i]);
	error = table_add(table, texts);
	for (size_t i = 0; i < COLUMNS; i++)
		buffer_fini(&cells[i]);
	return error;
}

static int add_class_row(struct table *table, const char *plugin, const char *class, const json_t *counts)
{
	const char *texts[CLASS_COLUMNS] = {plugin, class};
	struct buffer cells[GB_COUNT(counted)] = {0};
	int error;

	for (size_t i = 0; i < GB_COUNT(counted); i++) {
		buffer_add_integer(&cells[i], client_number(counts, counted[i]));
		texts[CLASS_FIRST_NUMBER + i] = buffer_text(&cells[i]);
	}
	error = table_add(table, texts);
	for (size_t i = 0; i < GB_COUNT(counted); i++)
		buffer_fini(&cells[i]);
	return error;
}

/* Nothing when no ghost had a class. */
static int print_classes(FILE *out, const json_t *plugins, unsigned int width)
{
	size_t rows = 0;
	struct table *table;
	int error = table_new(class_columns, CLASS_COLUMNS, &table);

	for (size_t i = 0; i < json_array_size(plugins) && !error; i++) {
		const json_t *plugin = json_array_get(plugins, i);
		const char *class;
		json_t *counts;

		json_object_foreach(json_object_get(plugin, "classes"), class, counts)
		{
			error = error ? error : add_class_row(table, client_text(plugin, "name"), class, counts);
			rows++;
		}
	}
	if (!error && rows) {
		error = table_print(table, out, width);
		fputc('\n', out);
	}
	table_free(table);
	return error;
}

/* What a plugin says of itself, and why it is not running. */
static void print_notes(FILE *out, const json_t *plugin, unsigned int width)
{
	static const char *const groups[] = {"facts", "numbers"};
	const char *name = client_text(plugin, "name"), *state = client_text(plugin, "state"), *key;
	_cleanup_buffer_ struct buffer line = {0};
	json_t *value;

	if (*client_text(plugin, "why")) {
		buffer_add_format(&line, "%s is %s: %s", name, state, client_text(plugin, "why"));
		print_sentence(out, &line, width);
	}
	if (strcmp(state, "tripped") == 0) {
		buffer_add_format(&line, "%s reaps nothing until you say: ghostbuster resume %s", name, name);
		print_sentence(out, &line, width);
	}
	for (size_t i = 0; i < GB_COUNT(groups); i++) {
		json_object_foreach(json_object_get(plugin, groups[i]), key, value)
		{
			buffer_add_text(&line, line.length ? ", " : name);
			if (line.length == strlen(name))
				buffer_add_text(&line, ": ");
			buffer_add_format(&line, "%.*s ", (int)client_name_length(key, value), key);
			client_add_value(&line, key, value);
		}
	}
	if (line.length)
		print_sentence(out, &line, width);
}

int client_print_status(FILE *out, const json_t *answer, unsigned int width)
{
	const json_t *plugins = json_object_get(answer, "plugins");
	struct table *table;
	int error = table_new(columns, COLUMNS, &table);

	if (error)
		return error;
	for (size_t i = 0; i < json_array_size(plugins) && !error; i++)
		error = add_row(table, json_array_get(plugins, i));
	print_head(out, answer, width);
	fputc('\n', out);
	if (!json_array_size(plugins))
		fputs("No plugin is enabled.\n", out);
	else if (!error)
		error = table_print(table, out, width);
	fputc('\n', out);
	error = error ? error : print_classes(out, plugins, width);
	for (size_t i = 0; i < json_array_size(plugins); i++)
		print_notes(out, json_array_get(plugins, i), width);
	table_free(table);
	return error;
}
