/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "cleanup.h"
#include "escape.h"

#define PARAGRAPH_WIDTH 80
#define NOTE_INDENT 4

struct note {
	size_t row;
	char *text;
};

struct table {
	struct libscols_table *smartcols;
	size_t columns;
	bool omitted[TABLE_COLUMNS_MAX]; /* TABLE_OMIT, and nothing in it so far */
	struct note *notes;              /* by row */
	size_t note_count, note_capacity;
};

static unsigned int locale_flags(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? 0 : ESCAPE_ASCII;
}

int table_new(const struct table_column *columns, size_t count, struct table **ret_table)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->columns = count;
	table->smartcols = scols_new_table();
	if (!table->smartcols)
		goto fail;
	scols_table_enable_noencoding(table->smartcols, 1); /* escaped by us: twice would be unreadable */
	scols_table_set_column_separator(table->smartcols, "  ");
	for (size_t i = 0; i < count; i++) {
		int flags = (columns[i].flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
			    (columns[i].flags & TABLE_CUT ? SCOLS_FL_TRUNC : 0);

		if (!scols_table_new_column(table->smartcols, columns[i].name, 0, flags))
			goto fail;
		table->omitted[i] = columns[i].flags & TABLE_OMIT;
	}
	*ret_table = table;
	return 0;
fail:
	table_free(table);
	return -ENOMEM;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->smartcols);
	for (size_t i = 0; i < table->note_count; i++)
		free(table->notes[i].text);
	free(table->notes);
	free(table);
}

int table_add(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->smartcols, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < table->columns; i++) {
		_cleanup_buffer_ struct buffer cell = {0};

		escape_text(&cell, cells[i], locale_flags());
		if (scols_line_set_data(line, i, buffer_text(&cell)) || cell.failed)
			return -ENOMEM;
		table->omitted[i] &= !cell.length;
	}
	return 0;
}

int table_note(struct table *table, const char *text)
{
	char *copy;

	if (table->note_count == table->note_capacity) {
		size_t capacity = table->note_capacity ? 2 * table->note_capacity : 16;
		struct note *notes = reallocarray(table->notes, capacity, sizeof(*notes));

		if (!notes)
			return -ENOMEM;
		table->notes = notes;
		table->note_capacity = capacity;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	table->notes[table->note_count++] =
		(struct note){.row = scols_table_get_nlines(table->smartcols), .text = copy};
	return 0;
}

/* Line 0 is the head. libsmartcols fills the last column with blanks when it is narrower than the others. */
static void print_with_notes(const struct table *table, const char *text, FILE *out, unsigned int width)
{
	size_t note = 0;

	for (size_t row = 0; *text; row++) {
		size_t length = strcspn(text, "\n"), shown = length;

		while (shown && text[shown - 1] == ' ')
			shown--;
		fwrite(text, 1, shown, out);
		fputc('\n', out);
		for (; note < table->note_count && table->notes[note].row == row; note++)
			text_print_paragraph(out, table->notes[note].text, NOTE_INDENT, width ? width : UINT_MAX);
		text += length + (text[length] == '\n');
	}
}

int table_print(struct table *table, FILE *out, unsigned int width)
{
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < table->columns; i++)
		if (table->omitted[i])
			scols_column_set_flags(scols_table_get_column(table->smartcols, i), SCOLS_FL_HIDDEN);
	scols_table_set_termforce(table->smartcols, width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (width)
		scols_table_set_termwidth(table->smartcols, width);
	if (scols_print_table_to_string(table->smartcols, &text) || !text)
		return -ENOMEM;
	print_with_notes(table, text, out, width);
	return 0;
}

unsigned int text_width(FILE *out, unsigned int width)
{
	struct winsize size = {0};
	int fd = fileno(out);

	if (width || fd < 0 || !isatty(fd))
		return width;
	return !ioctl(fd, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : PARAGRAPH_WIDTH;
}

void text_print(FILE *out, const char *text)
{
	_cleanup_buffer_ struct buffer safe = {0};

	escape_text(&safe, text, locale_flags());
	fputs(buffer_text(&safe), out);
}

/* Characters, not bytes; wide ones are rare enough in sentences. */
static unsigned int columns_of(const char *text, size_t length)
{
	unsigned int columns = 0;

	for (size_t i = 0; i < length; i++)
		columns += ((unsigned char)text[i] & 0xc0) != 0x80;
	return columns;
}

void text_print_paragraph(FILE *out, const char *text, unsigned int indent, unsigned int width)
{
	_cleanup_buffer_ struct buffer safe = {0};
	unsigned int column = 0, most = width ? width : PARAGRAPH_WIDTH;
	const char *at;

	escape_text(&safe, text, locale_flags());
	at = buffer_text(&safe);
	for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");
		unsigned int columns = columns_of(at, length);

		if (column && column + 1 + columns > most) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%*s%.*s", column ? 1 : (int)indent, "", (int)length, at);
		column += columns + (column ? 1 : indent);
		at += length;
	}
	fputc('\n', out);
}
