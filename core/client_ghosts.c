/* SPDX-License-Identifier: Apache-2.0 */
#include "client_print.h"

#include <string.h>

#include <eghostbuster/plugin.h>

#include "table.h"

static const struct table_column ghost_columns[] = {
	{"STATE", 0}, {"PLUGIN", 0},       {"AGE", TABLE_RIGHT}, {"ACTION", 0}, {"RESOURCE", TABLE_CUT},
	{"OWNER", 0}, {"UNIT", TABLE_CUT}, {"REASON", 0},        {"ID", 0},
};
static const struct table_column leaker_columns[] = {
	{"FOUND", TABLE_RIGHT},
	{"REAPED", TABLE_RIGHT},
	{"SPARED", TABLE_RIGHT},
	{"FAILED", TABLE_RIGHT},
	{"PLUGIN", 0},
	{"COMMAND", 0},
	{"UID", TABLE_RIGHT},
	{"UNIT", TABLE_CUT},
	{"EXECUTABLE", TABLE_CUT},
	{"LAST", 0},
};

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

static int add_ghost(struct table *table, const json_t *ghost)
{
	const json_t *owners = json_object_get(ghost, "owners"), *age_value = json_object_get(ghost, "age_ms");
	_cleanup_buffer_ struct buffer age = {0};
	_cleanup_buffer_ struct buffer owner = {0};
	const char *cells[GB_COUNT(ghost_columns)];

	if (age_value)
		client_add_value(&age, "age_ms", age_value);
	client_add_owner(&owner, owners);
	cells[0] = client_text(ghost, "state");
	cells[1] = client_text(ghost, "plugin");
	cells[2] = buffer_text(&age);
	cells[3] = client_text(ghost, "action");
	cells[4] = client_text(ghost, "resource");
	cells[5] = buffer_text(&owner);
	cells[6] = client_home(json_array_get(owners, 0));
	cells[7] = client_text(ghost, "reason");
	cells[8] = client_text(ghost, "id");
	return table_add(table, cells);
}

static int add_leaker(struct table *table, const json_t *leaker)
{
	static const char *const keys[] = {"found", "reaped", "spared", "failed", NULL, NULL, "uid"};
	struct buffer numbers[GB_COUNT(keys)] = {0};
	const char *cells[GB_COUNT(leaker_columns)];
	int error;

	for (size_t i = 0; i < GB_COUNT(keys); i++) {
		if (keys[i] && json_object_get(leaker, keys[i]))
			buffer_add_integer(&numbers[i], client_number(leaker, keys[i]));
		cells[i] = buffer_text(&numbers[i]);
	}
	cells[4] = client_text(leaker, "plugin");
	cells[5] = client_text(leaker, "comm");
	cells[7] = client_home(leaker);
	cells[8] = client_text(leaker, "exe");
	cells[9] = client_text(leaker, "last");
	error = table_add(table, cells);
	for (size_t i = 0; i < GB_COUNT(keys); i++)
		buffer_fini(&numbers[i]);
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
