/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin_file.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "refusal.h"
#include "trust.h"

#define SUFFIX ".so"

static struct plugin_file *plugin_file_new(const char *folder, const char *name)
{
	struct plugin_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->fd = -1;
	file->name = strdup(name);
	if (!file->name || asprintf(&file->path, "%s/%s" SUFFIX, folder, name) < 0) {
		free(file->name);
		free(file);
		return NULL;
	}
	return file;
}

/* Everything up to, and without, loading. What fails is in file->refusal. */
static void examine(struct plugin_file *file, int folder_fd, const char *folder, uid_t owner)
{
	const char *base = file->path + strlen(folder) + 1;
	int error = trust_open_in(folder_fd, folder, base, owner, &file->fd, &file->refusal);

	if (error == 0) {
		descriptor_read(file->fd, file->path, file->name, &file->descriptor, &file->refusal);
	} else if (error == -ENOENT) {
		free(file->refusal);
		refuse(&file->refusal, error,
		       "%s: there is no such file, want the plugin \"%s\": install it, or take it out of the configuration "
		       "(ghostbuster --list-plugins shows what is installed)",
		       file->path, file->name);
	}
}

/* Without slashes at the end, so that messages read FOLDER/NAME.so. */
static char *tidy_folder(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return strndup(path, length);
}

static int add_file(struct plugin_folder *folder, int folder_fd, const char *entry, uid_t owner, char **ret_refusal)
{
	_cleanup_free_ char *name = strndup(entry, strlen(entry) - strlen(SUFFIX));
	struct plugin_file *file = name ? plugin_file_new(folder->path, name) : NULL;

	if (!file)
		return refuse(ret_refusal, -ENOMEM, "%s: cannot read: %s", folder->path, strerror(ENOMEM));
	examine(file, folder_fd, folder->path, owner);
	folder->files[folder->count++] = file;
	return 0;
}

static bool is_plugin_name(const char *entry)
{
	size_t length = strlen(entry);

	return entry[0] != '.' && length > strlen(SUFFIX) && strcmp(entry + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int read_entries(struct plugin_folder *folder, int folder_fd, uid_t owner, char **ret_refusal)
{
	int copy = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
	DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int error = 0;

	if (!entries) {
		error = refuse(ret_refusal, -errno, "%s: cannot read the folder: %s", folder->path, strerror(errno));
		cleanup_close(&copy);
		return error;
	}
	while (error == 0 && (entry = readdir(entries))) {
		if (!is_plugin_name(entry->d_name))
			continue;
		if (folder->count == PLUGIN_FOLDER_FILES_MAX)
			error = refuse(ret_refusal, -E2BIG,
				       "%s: more than %d plugins, want at most that many: move the others elsewhere",
				       folder->path, PLUGIN_FOLDER_FILES_MAX);
		else
			error = add_file(folder, folder_fd, entry->d_name, owner, ret_refusal);
	}
	closedir(entries);
	return error;
}

static int compare_files(const void *left, const void *right)
{
	const struct plugin_file *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

int plugin_folder_read(const char *path, uid_t owner, struct plugin_folder *ret_folder, char **ret_refusal)
{
	struct plugin_folder folder = {.path = tidy_folder(path),
				       .files = calloc(PLUGIN_FOLDER_FILES_MAX, sizeof(*folder.files))};
	_cleanup_close_ int fd = -1;
	int error = 0;

	if (!folder.path || !folder.files)
		error = refuse(ret_refusal, -ENOMEM, "%s: cannot read: %s", path, strerror(ENOMEM));
	if (error == 0)
		error = trust_open_folder(folder.path, owner, &fd, ret_refusal);
	if (error == 0)
		error = read_entries(&folder, fd, owner, ret_refusal);
	if (error < 0) {
		plugin_folder_fini(&folder);
		return error;
	}
	qsort(folder.files, folder.count, sizeof(*folder.files), compare_files);
	*ret_folder = folder;
	return 0;
}

void plugin_folder_fini(struct plugin_folder *folder)
{
	for (size_t i = folder->count; i > 0; i--)
		plugin_file_free(folder->files[i - 1]);
	free(folder->files);
	free(folder->path);
	*folder = (struct plugin_folder){0};
}

struct plugin_file *plugin_folder_find(const struct plugin_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->count; i++)
		if (strcmp(folder->files[i]->name, name) == 0)
			return folder->files[i];
	return NULL;
}

int plugin_file_read(const char *folder, const char *name, uid_t owner, struct plugin_file **ret_file)
{
	_cleanup_free_ char *tidy = tidy_folder(folder);
	struct plugin_file *file = tidy ? plugin_file_new(tidy, name) : NULL;
	_cleanup_close_ int fd = -1;

	if (!file)
		return -ENOMEM;
	if (trust_open_folder(tidy, owner, &fd, &file->refusal) == 0)
		examine(file, fd, tidy, owner);
	*ret_file = file;
	return 0;
}

void plugin_file_free(struct plugin_file *file)
{
	if (!file)
		return;
	plugin_file_unload(file);
	descriptor_free(file->descriptor);
	cleanup_close(&file->fd);
	free(file->refusal);
	free(file->name);
	free(file->path);
	free(file);
}

/* ---- Loading ------------------------------------------------------------------------------------------------------ */

static int refuse_load(struct plugin_file *file, int error, const char *found, const char *advice)
{
	free(file->refusal);
	file->refusal = NULL;
	return refuse(&file->refusal, error, "%s: cannot be loaded: %s: %s", file->path, found, advice);
}

/*
 * Two objects may not be open under one name: the dynamic linker takes a name that it knows for the object that it knows.
 * As long as the plugin is loaded its descriptor stays open, so the number, and with it the name, is nobody else's.
 */
static void descriptor_name(const struct plugin_file *file, char ret_name[32])
{
	snprintf(ret_name, 32, "/proc/self/fd/%d", file->fd);
}

/* dlerror() begins with our name of the file, which means nothing to the user. */
static const char *without_prefix(const char *message, const char *name)
{
	size_t length = strlen(name);

	return strncmp(message, name, length) == 0 && strncmp(message + length, ": ", 2) == 0 ? message + length + 2
											      : message;
}

static int take_callbacks(struct plugin_file *file, const struct gb_plugin *loaded)
{
	const struct gb_plugin *read = &file->descriptor->plugin;
	size_t size;
	struct gb_plugin *own;

	/* The same object was read: what differs now was changed by a constructor, or is another symbol of that name. */
	if (memcmp(loaded, read, offsetof(struct gb_plugin, name)) != 0 || !loaded->name ||
	    strcmp(loaded->name, read->name) != 0)
		return refuse_load(file, -EINVAL, "its descriptor is not the one in its file",
				   "make gb_plugin constant data with GB_PLUGIN() and rebuild the plugin");
	own = calloc(1, sizeof(*own));
	if (!own)
		return refuse_load(file, -ENOMEM, strerror(ENOMEM), "free memory");
	size = loaded->struct_size < sizeof(*own) ? loaded->struct_size : sizeof(*own);
	memcpy(own, loaded, size);
	own->name = read->name;
	own->version = read->version;
	own->summary = read->summary;
	own->roles = read->roles;
	own->kernel_features = read->kernel_features;
	own->capabilities = read->capabilities;
	own->options = read->options;
	own->option_count = read->option_count;
	own->option_size = read->option_size;
	own->config_size = read->config_size;
	file->callbacks = own;
	return 0;
}

int plugin_file_load(struct plugin_file *file)
{
	const struct gb_plugin *loaded;
	char name[32];
	int error;

	if (file->refusal)
		return -EACCES;
	if (file->handle)
		return 0;
	descriptor_name(file, name);
	file->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!file->handle)
		return refuse_load(file, -ELIBBAD, without_prefix(dlerror(), name),
				   "install what it needs, or rebuild the plugin");
	loaded = dlsym(file->handle, "gb_plugin");
	if (!loaded)
		error = refuse_load(file, -ENOENT, dlerror(), "rebuild the plugin");
	else
		error = take_callbacks(file, loaded);
	if (error < 0)
		plugin_file_unload(file);
	return error;
}

void plugin_file_unload(struct plugin_file *file)
{
	char name[32];
	void *left;

	if (!file->handle)
		return;
	descriptor_name(file, name);
	free((struct gb_plugin *)file->callbacks);
	file->callbacks = NULL;
	dlclose(file->handle);
	file->handle = NULL;
	/* Some objects never leave (DF_1_NODELETE, unique symbols): then their name must stay theirs for good. */
	left = dlopen(name, RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL);
	if (left) {
		int kept = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);

		dlclose(left);
		/* The number that the dynamic linker knows is the one to give up; the copy serves a later load. */
		file->fd = kept;
	}
}
