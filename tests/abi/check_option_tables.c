/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_option_tables README PLUGIN.so...: what the README says of each plugin's options is what the plugin declares.
 * Under a heading "### NAME" stands one table whose lines are compared word for word; on a difference the right table is
 * printed, to be pasted. A folder in place of a PLUGIN.so stands for all in it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "descriptor.h"
#include "option.h"

static void print_cell(FILE *out, const char *text)
{
	fputs(" ", out);
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputs(" |", out);
}

static void print_option(FILE *out, const struct gb_option *option, const char *group)
{
	char key[160], range[256] = "";
	const char *type = option_type_name(option->type);

	snprintf(key, sizeof(key), "`%s%s%s`", group ? group : "", group ? "." : "", option->key);
	option_range(option, range, sizeof(range));
	fputc('|', out);
	print_cell(out, key);
	print_cell(out, type);
	print_cell(out, option->default_text ? option->default_text : "-");
	print_cell(out, *range && strcmp(range, type) != 0 ? range : "-");
	print_cell(out, option->help ? option->help : "");
	fputc('\n', out);
	for (uint32_t i = 0; i < option->member_count; i++)
		print_option(out, &option->members[i], option->key);
}

static char *wanted_table(const struct gb_plugin *plugin)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fputs("| key | type | default | range | help |\n|---|---|---|---|---|\n", out);
	for (uint32_t i = 0; i < plugin->option_count; i++)
		print_option(out, &plugin->options[i], NULL);
	fclose(out);
	return text;
}

/* The lines that begin with "|" under "### NAME", up to the next heading; "" when there are none. */
static char *found_table(const char *readme, const char *name)
{
	_cleanup_fclose_ FILE *file = fopen(readme, "re");
	_cleanup_free_ char *line = NULL;
	char *text = NULL;
	char heading[64];
	bool inside = false;
	size_t size, line_size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!file || !out) {
		perror(readme);
		exit(1);
	}
	snprintf(heading, sizeof(heading), "### %s\n", name);
	while (getline(&line, &line_size, file) > 0) {
		if (*line == '#')
			inside = strcmp(line, heading) == 0;
		else if (inside && *line == '|')
			fputs(line, out);
	}
	fclose(out);
	return text;
}

static bool check_plugin(const char *readme, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	_cleanup_free_ char *name = strndup(base, strcspn(base, ".")), *refusal = NULL, *wanted = NULL, *found = NULL;
	struct descriptor *descriptor;
	bool is_same;

	if (fd < 0 || descriptor_read(fd, path, name, &descriptor, &refusal) < 0) {
		fprintf(stderr, "%s\n", refusal ? refusal : path);
		return false;
	}
	wanted = wanted_table(&descriptor->plugin);
	found = found_table(readme, name);
	is_same = strcmp(wanted, found) == 0;
	if (is_same)
		printf("%s: %u options as documented\n", name, descriptor->plugin.option_count);
	else
		printf("%s: under \"### %s\" the table should be\n\n%s\n", readme, name, wanted);
	descriptor_free(descriptor);
	return is_same;
}

static bool check_folder(const char *readme, DIR *folder, const char *path)
{
	struct dirent *entry;
	bool is_same = true;

	while ((entry = readdir(folder))) {
		const char *end = strrchr(entry->d_name, '.');
		_cleanup_free_ char *file = NULL;

		if (!end || strcmp(end, ".so") != 0)
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			abort();
		is_same &= check_plugin(readme, file);
	}
	return is_same;
}

int main(int argc, char **argv)
{
	bool is_same = argc > 2;

	for (int i = 2; i < argc; i++) {
		DIR *folder = opendir(argv[i]);

		if (folder) {
			is_same &= check_folder(argv[1], folder, argv[i]);
			closedir(folder);
		} else {
			is_same &= check_plugin(argv[1], argv[i]);
		}
	}
	return is_same ? 0 : 1;
}
