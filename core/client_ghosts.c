/* SPDX-License-Identifier: Apache-2.0 */
#include "client_print.h"

#include <errno.h>
#include <string.h>

#include <eghostbuster/plugin.h>

#include "table.h"

static const struct table_column ghost_columns[] = {
	{"STATE", 0},           {"AGE", TABLE_RIGHT},
	{"ACTION", 0},          {"RESOURCE", TABLE_CUT},
	{"OWNER", 0},           {"UNIT", TABLE_CUT | TABLE_OMIT},
	{"REASON", TABLE_OMIT},
};
static const struct table_column leaker_columns[] = {
	{"GHOSTS", TABLE_RIGHT},
	{"OLDEST", TABLE_RIGHT},
	{"FOUND", TABLE_RIGHT},
	{"REAPED", TABLE_RIGHT},
	{"DEAD", TABLE_RIGHT},
	{"AN HOUR", TABLE_RIGHT},
	{"FILES", TABLE_RIGHT},
	{"LEFT", TABLE_RIGHT},
	{"COMMAND", 0},
	{"PID", 0},
	{"UNIT", TABLE_CUT},
	{"CLASS", TABLE_CUT},
	{"EXECUTABLE", TABLE_CUT},
	{"PLUGIN", 0},
	{"LAST", 0},
};

enum { LEAKER_NUMBERS = 8, LEAKER_PIDS = 9, LEAKER_CLASSES = 11 };

/* "17 suspects and ghosts are known, 10 of them shown." */
static void print_count(FILE *out, const char *one, const char *many, size_t shown, json_int_t total)
{
	if (total <= 1 && shown <= 1) {
		fprintf(out, "%s\n", one);
		return;
	}
	fprintf(out, "%" JSON_INTEGER_FORMAT " %s", total, many);
	if ((json_int_t)shown < total)
		fprintf(out, ", %zu of them shown", shown);
	fputs(".\n", out);
}

/* "held_by" as "held by" */
static void add_name(struct buffer *buffer, const char *name, const json_t *value)
{
	size_t length = client_name_length(name, value);

	for (size_t i = 0; i < length; i++)
		buffer_add_char(buffer, name[i] == '_' ? ' ' : name[i]);
}

/* Whether there is anything to say: a condition that does not hold, and an empty text, say nothing. */
static bool says(const json_t *value)
{
	return !json_is_false(value) && !json_is_null(value) && !(json_is_string(value) && !json_string_length(value));
}

/* Below its row: the id and what is a word or a number in one line, whatever is longer in a line of its own. */
static int add_evidence(struct table *table, const char *id, const json_t *evidence)
{
	_cleanup_buffer_ struct buffer words = {0};
	const char *name;
	json_t *value;
	int error;

	buffer_add_text(&words, id);
	json_object_foreach((json_t *)evidence, name, value)
	{
		if (!says(value) || strchr(json_is_string(value) ? json_string_value(value) : "", ' '))
			continue;
		buffer_add_text(&words, ", ");
		add_name(&words, name, value);
		buffer_add_char(&words, ' ');
		client_add_value(&words, name, value);
	}
	error = words.failed ? -ENOMEM : table_note(table, buffer_text(&words));
	json_object_foreach((json_t *)evidence, name, value)
	{
		_cleanup_buffer_ struct buffer line = {0};

		if (!json_is_string(value) || !strchr(json_string_value(value), ' '))
			continue;
		add_name(&line, name, value);
		buffer_add_text(&line, ": ");
		client_add_value(&line, name, value);
		if (!error)
			error = table_note(table, buffer_text(&line));
	}
	return error;
}

static int add_ghost(struct table *table, const json_t *ghost)
{
	const json_t *owners = json_object_get(ghost, "owners"), *age_value = json_object_get(ghost, "age_ms");
	_cleanup_buffer_ struct buffer age = {0};
	_cleanup_buffer_ struct buffer owner = {0};
	const char *cells[GB_COUNT(ghost_columns)];
	int error;

	if (age_value)
		client_add_value(&age, "age_ms", age_value);
	client_add_owner(&owner, owners);
	cells[0] = client_text(ghost, "state");
	cells[1] = buffer_text(&age);
	cells[2] = client_text(ghost, "action");
	cells[3] = client_text(ghost, "resource");
	cells[4] = buffer_text(&owner);
	cells[5] = client_home(json_array_get(owners, 0));
	cells[6] = client_text(ghost, "reason");
	error = table_add(table, cells);
	return error ? error : add_evidence(table, client_text(ghost, "id"), json_object_get(ghost, "evidence"));
}

/* "812/1024 79%" */
static void add_files(struct buffer *buffer, const json_t *leaker)
{
	if (!json_object_get(leaker, "files_open"))
		return;
	buffer_add_integer(buffer, client_number(leaker, "files_open"));
	if (json_object_get(leaker, "files_limit"))
		buffer_add_format(buffer, "/%" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT "%%",
				  client_number(leaker, "files_limit"), client_number(leaker, "files_percent"));
}

/* "12, 34 +3" */
static void add_pids(struct buffer *buffer, const json_t *pids)
{
	enum { SHOWN = 2 };

	for (size_t i = 0; i < json_array_size(pids) && i < SHOWN; i++)
		buffer_add_format(buffer, "%s%" JSON_INTEGER_FORMAT, i ? ", " : "",
				  json_integer_value(json_array_get(pids, i)));
	if (json_array_size(pids) > SHOWN)
		buffer_add_format(buffer, " +%zu", json_array_size(pids) - SHOWN);
}

/* "never-looked 12, stuck-reader 1" */
static void add_classes(struct buffer *buffer, const json_t *classes)
{
	const char *name;
	json_t *count;

	json_object_foreach((json_t *)classes, name, count) buffer_add_format(
		buffer, "%s%s %" JSON_INTEGER_FORMAT, buffer->length ? ", " : "", name, json_integer_value(count));
}

static int add_leaker(struct table *table, const json_t *leaker)
{
	static const char *const keys[LEAKER_NUMBERS] = {"ghosts", "oldest_ms", "found", "reaped",
							 "dead",   "rate_hour", NULL,    "runs_out_ms"};
	struct buffer texts[GB_COUNT(leaker_columns)] = {0};
	const char *cells[GB_COUNT(leaker_columns)];
	int error;

	for (size_t i = 0; i < LEAKER_NUMBERS; i++) {
		if (!keys[i])
			add_files(&texts[i], leaker);
		else if (json_object_get(leaker, keys[i]))
			client_add_value(&texts[i], keys[i], json_object_get(leaker, keys[i]));
	}
	buffer_add_text(&texts[8], client_text(leaker, "comm"));
	add_pids(&texts[LEAKER_PIDS], json_object_get(leaker, "pids"));
	buffer_add_text(&texts[10], client_home(leaker));
	add_classes(&texts[LEAKER_CLASSES], json_object_get(leaker, "classes"));
	buffer_add_text(&texts[12], client_text(leaker, "exe"));
	buffer_add_text(&texts[13], client_text(leaker, "plugin"));
	buffer_add_text(&texts[14], client_text(leaker, "last"));
	for (size_t i = 0; i < GB_COUNT(leaker_columns); i++)
		cells[i] = buffer_text(&texts[i]);
	error = table_add(table, cells);
	for (size_t i = 0; i < GB_COUNT(leaker_columns); i++)
		buffer_fini(&texts[i]);
	return error;
}

static int print_list(FILE *out, const json_t *list, struct table *table, int (*add)(struct table *, const json_t *),
		      unsigned int width)
{
	int error = 0;

	for (size_t i = 0; i < json_array_size(list) && !error; i++)
		error = add(table, json_array_get(list, i));
	if (!error && json_array_size(list)) {
		fputc('\n', out);
		error = table_print(table, out, width);
	}
	table_free(table);
	return error;
}

int client_print_ghosts(FILE *out, const json_t *answer, unsigned int width)
{
	const json_t *list = json_object_get(answer, "ghosts");
	json_int_t total = client_number(answer, "total");
	struct table *table;
	int error = table_new(ghost_columns, GB_COUNT(ghost_columns), &table);

	if (error)
		return error;
	print_count(out, total ? "One suspect or ghost is known." : "No suspect and no ghost is known.",
		    "suspects and ghosts are known", json_array_size(list), total);
	return print_list(out, list, table, add_ghost, width);
}

int client_print_leakers(FILE *out, const json_t *answer, unsigned int width)
{
	const json_t *list = json_object_get(answer, "leakers");
	json_int_t total = client_number(answer, "total");
	struct table *table;
	int error = table_new(leaker_columns, GB_COUNT(leaker_columns), &table);

	if (error)
		return error;
	print_count(out, total ? "One program has leaked." : "Nobody has leaked since the daemon was started.",
		    "programs have leaked, the worst first", json_array_size(list), total);
	return print_list(out, list, table, add_leaker, width);
}
