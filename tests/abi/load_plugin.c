/* SPDX-License-Identifier: Apache-2.0 */
/* load_plugin FOLDER NAME: trusts (as the one who runs it), reads, loads and unloads one plugin, and says what it is. */
#include <stdio.h>
#include <unistd.h>

#include "plugin_file.h"

int main(int argc, char **argv)
{
	struct plugin_file *file;

	if (argc != 3 || plugin_file_read(argv[1], argv[2], getuid(), &file) < 0) {
		fputs("usage: load_plugin FOLDER NAME\n", stderr);
		return 2;
	}
	if (file->refusal || plugin_file_load(file) < 0) {
		fprintf(stderr, "%s\n", file->refusal);
		plugin_file_free(file);
		return 1;
	}
	printf("%s %s: %s\n", file->callbacks->name, file->callbacks->version, file->callbacks->summary);
	plugin_file_free(file);
	return 0;
}
