/* SPDX-License-Identifier: Apache-2.0 */
#include "list_plugins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct column {
	const char *name;
	int flags;
};

static struct libscols_table *table_new(const struct column *columns, size_t count, bool is_terminal)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	/* To a file or a pipe each row is one line; on a terminal the last column is folded. */
	scols_table_set_termforce(table, is_terminal ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	scols_table_reduce_termwidth(table, sizeof(INDENT) - 1);
	scols_table_set_column_separator(table, "  ");
	for (size_t i = 0; i < count; i++)
		if (!scols_table_new_column(table, columns[i].name, 0, columns[i].flags)) {
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

/* Behind `indent`, without the blanks that pad a line's last cell. */
static int table_print(struct libscols_table *table, const char *indent, struct buffer *buffer)
{
	_cleanup_free_ char *text = NULL;

	if (scols_print_table_to_string(table, &text) < 0)
		return -ENOMEM;
	for (char *line = text, *end; *line; line = end) {
		size_t length;

		end = strchrnul(line, '\n');
		length = (size_t)(end - line);
		while (length && line[length - 1] == ' ')
			length--;
		if (length) {
			buffer_add_text(buffer, indent);
			buffer_add(buffer, line, length);
		}
		buffer_add_char(buffer, '\n');
		end += *end != '\0';
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

static int print_overview(const struct list_plugins_view *view, bool is_terminal, struct buffer *buffer)
{
	static const struct column columns[] = {
		{"NAME", 0}, {"VERSION", 0}, {"ENABLED", 0}, {"ROLES", 0}, {"ABI", 0}, {"SUMMARY", SCOLS_FL_WRAP},
	};
	struct libscols_table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]), is_terminal);
	int error = table ? 0 : -ENOMEM;

	for (size_t i = 0; i < view->folder->count && error == 0; i++) {
		const struct plugin_file *file = view->folder->files[i];

		error = add_plugin(table, file, view->is_enabled(file->name, view->arg));
	}
	if (error == 0)
		error = table_print(table, "", buffer);
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

static int print_options(const struct gb_plugin *plugin, bool is_terminal, struct buffer *buffer)
{
	static const struct column columns[] = {
		{"OPTION", 0}, {"TYPE", 0}, {"DEFAULT", 0}, {"RANGE", 0}, {"HELP", SCOLS_FL_WRAP},
	};
	struct libscols_table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]), is_terminal);
	int error = table ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < plugin->option_count && error == 0; i++)
		error = add_option(table, &plugin->options[i], NULL);
	if (error == 0)
		error = table_print(table, INDENT, buffer);
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

static int print_text(const struct list_plugins_view *view, bool is_terminal, struct buffer *buffer)
{
	size_t refused = 0;
	int error = 0;

	if (view->folder->count == 0) {
		buffer_add_format(buffer,
				  "No plugins in %s: install some there, or name another folder with --plugin-dir\n",
				  view->folder->path);
		return 0;
	}
	error = print_overview(view, is_terminal, buffer);
	for (size_t i = 0; i < view->folder->count && error == 0; i++) {
		const struct plugin_file *file = view->folder->files[i];

		if (file->refusal) {
			refused++;
			continue;
		}
		buffer_add_format(buffer, "\n%s\n", file->name);
		print_needs(&file->descriptor->plugin, buffer);
		if (file->descriptor->plugin.option_count)
			error = print_options(&file->descriptor->plugin, is_terminal, buffer);
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

int list_plugins(FILE *out, const char *folder, uid_t owner, list_plugins_enabled_fn *is_enabled, void *arg, bool json,
		 char **ret_refusal)
{
	struct plugin_folder plugins;
	const struct list_plugins_view view = {.folder = &plugins, .is_enabled = is_enabled, .arg = arg};
	_cleanup_buffer_ struct buffer buffer = {0};
	int error = plugin_folder_read(folder, owner, &plugins, ret_refusal);

	if (error < 0)
		return error;
	error = json ? list_plugins_json(&view, &buffer) : print_text(&view, isatty(fileno(out)), &buffer);
	if (error == 0 && buffer.failed)
		error = -ENOMEM;
	if (error == 0 && (fwrite(buffer.data, 1, buffer.length, out) != buffer.length || fflush(out) != 0))
		error = -EIO;
	if (error < 0)
		refuse(ret_refusal, error, "%s: cannot list the plugins: %s", plugins.path, strerror(-error));
	plugin_folder_fini(&plugins);
	return error;
}
