/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins of a folder: found, trusted, read, and (only those that are wanted) loaded. */
#ifndef CORE_PLUGIN_FILE_H
#define CORE_PLUGIN_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include <eghostbuster/plugin.h>

#include "descriptor.h"

#define PLUGIN_FOLDER_FILES_MAX 256

struct plugin_file {
	char *path;                    /* FOLDER/NAME.so, as messages name it */
	char *name;                    /* NAME */
	int fd;                        /* the checked file; open for as long as the plugin is loaded */
	struct descriptor *descriptor; /* NULL when refused before it could be read */
	char *refusal;                 /* one sentence; NULL when accepted */
	void *handle;                  /* NULL unless loaded */
	/* NULL unless loaded: our copy, with the plugin's callbacks and the descriptor's own strings and options. Valid
	 * until plugin_file_unload(). */
	const struct gb_plugin *callbacks;
};

struct plugin_folder {
	char *path;
	struct plugin_file **files; /* each NAME.so, sorted by name, the refused ones among them */
	size_t count;
};

/*
 * Reads every NAME.so of a trusted folder; runs no code of any. A refused plugin is no failure: its file says why. On
 * failure (the folder is missing or not trusted) -errno and a sentence. `owner` as in trust.h: 0 in the daemon.
 */
int plugin_folder_read(const char *path, uid_t owner, struct plugin_folder *ret_folder, char **ret_refusal);
void plugin_folder_fini(struct plugin_folder *folder); /* unloads what is loaded */

/* The plugin of that name; NULL when the folder has none. It stays the folder's. */
struct plugin_file *plugin_folder_find(const struct plugin_folder *folder, const char *name);

/* One plugin by its name, as plugin_folder_read() does. Missing is a refusal, too: 0 with ret_file->refusal. -ENOMEM. */
int plugin_file_read(const char *folder, const char *name, uid_t owner, struct plugin_file **ret_file);
void plugin_file_free(struct plugin_file *file); /* NULL is fine; unloads */

/*
 * Loads the very descriptor that was checked, and takes its callbacks. -errno when it is refused already, does not link,
 * or shows another descriptor in memory than in the file; then file->refusal is the sentence.
 */
int plugin_file_load(struct plugin_file *file);
void plugin_file_unload(struct plugin_file *file); /* nothing of the plugin may be running */

#endif
