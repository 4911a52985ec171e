/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and paragraphs for the terminal. Whatever goes into them is made safe (escape.h). */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

enum table_flag {
	TABLE_RIGHT = 1 << 0, /* for numbers */
	TABLE_CUT = 1 << 1,   /* may lose its end when the table is too wide */
	TABLE_OMIT = 1 << 2,  /* is left out when no row has anything in it */
};

struct table_column {
	const char *name;
	unsigned int flags;
};

struct table;

/* At most TABLE_COLUMNS_MAX columns. -ENOMEM. */
int table_new(const struct table_column *columns, size_t count, struct table **ret_table);
void table_free(struct table *table);

/* `cells` has one for each column; NULL is an empty one. Copies. -ENOMEM. */
int table_add(struct table *table, const char *const *cells);

/* A paragraph of its own below the row that was added last, broken to fit the width; whole when that is unlimited. Copies;
 * any bytes. -ENOMEM. */
int table_note(struct table *table, const char *text);

/* `width` as text_width() gives it. No blank stands at the end of a line. */
int table_print(struct table *table, FILE *out, unsigned int width);

/* Columns to fit into: `width` when it is not 0, else those of the terminal when `out` is one, else 0 for unlimited. */
unsigned int text_width(FILE *out, unsigned int width);

/* Any bytes, made safe for `out`. */
void text_print(FILE *out, const char *text);

/* A paragraph, each line `indent` in, broken at spaces to fit (80 columns when `width` is 0). */
void text_print_paragraph(FILE *out, const char *text, unsigned int indent, unsigned int width);

#endif
