/* SPDX-License-Identifier: Apache-2.0 */
#include "list_plugins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <libsmartcols.h>

#include "buffer.h"
#include "capability.h"
#include "cleanup.h"
#include "escape.h"
#include "list_plugins_json.h"
#include "option.h"
#include "plugin_file.h"
#include "refusal.h"

#define RANGE_SIZE 256
#define INDENT "  "
#define CELL_MIN 16 /* a narrower last column is not folded */

/* A table of one line a row; table_print() folds the last column. */
static struct libscols_table *table_new(const char *const *columns, size_t count)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	scols_table_set_column_separator(table, "  ");
	for (size_t i = 0; i < count; i++)
		if (!scols_table_new_column(table, columns[i], 0, 0)) {
			scols_unref_table(table);
			return NULL;
		}
	return table;
}

static int table_add(struct libscols_table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; i < scols_table_get_ncols(table); i++)
		if (scols_line_set_data(line, i, cells[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* How many of the first `length` bytes fit into `width` cells without cutting a word; a long word is cut nowhere. */
static size_t fit_words(const char *text, size_t length, size_t width)
{
	size_t cells = 0, fitting = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == ' ' && cells <= width)
			fitting = i;
		cells += ((unsigned char)text[i] & 0xc0) != 0x80; /* a character of UTF-8, not its further bytes */
		if (cells > width && fitting)
			return fitting;
	}
	return length;
}

/* One row; what exceeds `width` (0: nothing does) goes on below the last column, which starts at `column`. */
static void print_row(const char *row, size_t length, const char *indent, size_t column, size_t width,
		      struct buffer *buffer)
{
	size_t room = width > strlen(indent) + column + CELL_MIN ? width - strlen(indent) - column : 0;
	size_t taken;

	while (length && row[length - 1] == ' ')
		length--;
	buffer_add_text(buffer, indent);
	taken = room && length > column ? column + fit_words(row + column, length - column, room) : length;
	buffer_add(buffer, row, taken);
	while (taken < length) {
		size_t part;

		taken++; /* the blank at which the row was folded */
		part = fit_words(row + taken, length - taken, room);
		buffer_add_format(buffer, "\n%s%*s%.*s", indent, (int)column, "", (int)part, row + taken);
		taken += part;
	}
	buffer_add_char(buffer, '\n');
}

/* `last` is the name of the last column. */
static int table_print(struct libscols_table *table, const char *last, const char *indent, size_t width,
		       struct buffer *buffer)
{
	_cleanup_free_ char *text = NULL;
	const char *heading;
	size_t column;

	if (scols_print_table_to_string(table, &text) < 0)
		return -ENOMEM;
	heading = strstr(text, last);
	column = heading ? (size_t)(heading - text) : 0;
	for (char *line = text, *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		print_row(line, (size_t)(end - line), indent, column, width, buffer);
	}
	return 0;
}

static const char *roles_text(uint32_t roles)
{
	switch (roles & (GB_ROLE_DETECTOR | GB_ROLE_REAPER)) {
	case GB_ROLE_DETECTOR:
		return "detector";
	case GB_ROLE_REAPER:
		return "reaper";
	default:
		return "detector, reaper";
	}
}

static int add_plugin(struct libscols_table *table, const struct plugin_file *file, bool is_enabled)
{
	const struct gb_plugin *plugin = file->descriptor ? &file->descriptor->plugin : NULL;
	_cleanup_buffer_ struct buffer name = {0};
	char abi[16] = "-";

	escape_text(&name, file->name, 0);
	if (plugin)
		snprintf(abi, sizeof(abi), "%u.%u", plugin->abi_major, plugin->abi_minor);
	return table_add(table, (const char *const[]){
					buffer_text(&name),
					plugin ? plugin->version : "-",
					is_enabled ? "yes" : "no",
					plugin ? roles_text(plugin->roles) : "-",
					abi,
					plugin ? plugin->summary : "REFUSED, see below",
				});
}

static int print_overview(const struct list_plugins_view *view, size_t width, struct buffer *buffer)
{
	static const char *const columns[] = {"NAME", "VERSION", "ENABLED", "ROLES", "ABI", "SUMMARY"};
	struct libscols_table *table = table_new(columns, GB_COUNT(columns));
	int error = table ? 0 : -ENOMEM;

	for (size_t i = 0; i < view->folder->count && error == 0; i++) {
		const struct plugin_file *file = view->folder->files[i];

		error = add_plugin(table, file, view->is_enabled(file->name, view->arg));
	}
	if (error == 0)
		error = table_print(table, "SUMMARY", "", width, buffer);
	scols_unref_table(table);
	return error;
}

/* The members of a list of groups follow it as KEY.MEMBER. */
static int add_option(struct libscols_table *table, const struct gb_option *option, const char *group)
{
	char key[2 * OPTION_KEY_MAX + 2], range[RANGE_SIZE] = "";
	const char *type = option_type_name(option->type);
	int error;

	snprintf(key, sizeof(key), "%s%s%s", group ? group : "", group ? "." : "", option->key);
	option_range(option, range, sizeof(range));
	error = table_add(table, (const char *const[]){
					 key,
					 type,
					 option->default_text ? option->default_text : "-",
					 *range && strcmp(range, type) != 0 ? range : "-",
					 option->help ? option->help : "",
				 });
	for (uint32_t i = 0; i < option->member_count && error == 0; i++)
		error = add_option(table, &option->members[i], option->key);
	return error;
}

static int print_options(const struct gb_plugin *plugin, size_t width, struct buffer *buffer)
{
	static const char *const columns[] = {"OPTION", "TYPE", "DEFAULT", "RANGE", "HELP"};
	struct libscols_table *table = table_new(columns, GB_COUNT(columns));
	int error = table ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < plugin->option_count && error == 0; i++)
		error = add_option(table, &plugin->options[i], NULL);
	if (error == 0)
		error = table_print(table, "HELP", INDENT, width, buffer);
	scols_unref_table(table);
	return error;
}

static void print_needs(const struct gb_plugin *plugin, struct buffer *buffer)
{
	char capabilities[CAPABILITY_TEXT_SIZE];

	capability_text(plugin->capabilities, capabilities);
	buffer_add_format(buffer, INDENT "capabilities: %s\n", capabilities);
	if (plugin->kernel_features)
		buffer_add_format(buffer, INDENT "kernel: %s%s%s\n",
				  plugin->kernel_features & GB_KERNEL_BTF ? "BTF" : "",
				  plugin->kernel_features == (GB_KERNEL_BTF | GB_KERNEL_BPF_ITER) ? ", " : "",
				  plugin->kernel_features & GB_KERNEL_BPF_ITER ? "BPF iterators" : "");
}

static int print_text(const struct list_plugins_view *view, size_t width, struct buffer *buffer)
{
	size_t refused = 0;
	int error = 0;

	if (view->folder->count == 0) {
		buffer_add_format(buffer,
				  "No plugins in %s: install some there, or name another folder with --plugin-dir\n",
				  view->folder->path);
		return 0;
	}
	error = print_overview(view, width, buffer);
	for (size_t i = 0; i < view->folder->count && error == 0; i++) {
		const struct plugin_file *file = view->folder->files[i];

		if (file->refusal) {
			refused++;
			continue;
		}
		buffer_add_format(buffer, "\n%s\n", file->name);
		print_needs(&file->descriptor->plugin, buffer);
		if (file->descriptor->plugin.option_count)
			error = print_options(&file->descriptor->plugin, width, buffer);
	}
	if (error == 0 && refused)
		buffer_add_text(buffer, "\nRefused:\n");
	for (size_t i = 0; i < view->folder->count && error == 0 && refused; i++) {
		if (!view->folder->files[i]->refusal)
			continue;
		buffer_add_text(buffer, INDENT);
		escape_text(buffer, view->folder->files[i]->refusal, 0);
		buffer_add_char(buffer, '\n');
	}
	return error;
}

/* In cells; 0 for a file or a pipe, where each row is one line. */
static size_t terminal_width(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int list_plugins(FILE *out, const char *folder, uid_t owner, list_plugins_enabled_fn *is_enabled, void *arg, bool json,
		 char **ret_refusal)
{
	struct plugin_folder plugins;
	const struct list_plugins_view view = {.folder = &plugins, .is_enabled = is_enabled, .arg = arg};
	_cleanup_buffer_ struct buffer buffer = {0};
	int error = plugin_folder_read(folder, owner, &plugins, ret_refusal);

	if (error < 0)
		return error;
	error = json ? list_plugins_json(&view, &buffer) : print_text(&view, terminal_width(out), &buffer);
	if (error == 0 && buffer.failed)
		error = -ENOMEM;
	if (error == 0 && (fwrite(buffer.data, 1, buffer.length, out) != buffer.length || fflush(out) != 0))
		error = -EIO;
	if (error < 0)
		refuse(ret_refusal, error, "%s: cannot list the plugins: %s", plugins.path, strerror(-error));
	plugin_folder_fini(&plugins);
	return error;
}
