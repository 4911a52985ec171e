/* SPDX-License-Identifier: Apache-2.0 */
#include "freezer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "procfs.h"

#define LEVELS_MAX 32 /* of parents that are asked for cgroup.freeze: a user may nest without end */
#define FOLDER_SIZE (PATH_MAX + CGROUP_PATH_SIZE)

/* mountinfo writes space, tab, newline and backslash as \ooo. In place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' &&
		    text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length)
		if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
			return true;
	return false;
}

/* The whole hierarchy is better than the part that another mount shows. */
static void take_mount(char **mount, char **root, const char *new_mount, const char *new_root)
{
	char *mount_copy, *root_copy;

	if (*mount && (strcmp(*root, "/") == 0 || strcmp(new_root, "/") != 0))
		return;
	mount_copy = strdup(new_mount);
	root_copy = strdup(new_root);
	if (!mount_copy || !root_copy) {
		free(mount_copy);
		free(root_copy);
		return;
	}
	free(*mount);
	free(*root);
	*mount = mount_copy;
	*root = root_copy;
}

/* "ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS [OPTIONAL...] - TYPE SOURCE SUPER-OPTIONS" */
static void read_line(char *line, struct freezer *freezer)
{
	char *save = NULL, *fields[5], *type, *super, *tail = strstr(line, " - ");

	if (!tail)
		return;
	*tail = '\0';
	for (size_t i = 0; i < 5; i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return;
	}
	type = strtok_r(tail + strlen(" - "), " \n", &save);
	if (!type || !strtok_r(NULL, " \n", &save))
		return;
	super = strtok_r(NULL, " \n", &save);
	unescape(fields[3]);
	unescape(fields[4]);
	if (strcmp(type, "cgroup2") == 0)
		take_mount(&freezer->v2_mount, &freezer->v2_root, fields[4], fields[3]);
	else if (strcmp(type, "cgroup") == 0 && super && list_has(super, "freezer"))
		take_mount(&freezer->v1_mount, &freezer->v1_root, fields[4], fields[3]);
}

void freezer_find(int proc_fd, struct freezer *ret_freezer)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = openat(proc_fd, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	size_t size = 0;

	*ret_freezer = (struct freezer){0};
	if (fd < 0)
		return;
	file = fdopen(fd, "re");
	if (!file)
		return;
	steal_fd(&fd);
	while (getline(&line, &size, file) > 0)
		read_line(line, ret_freezer);
}

void freezer_fini(struct freezer *freezer)
{
	free(freezer->v2_mount);
	free(freezer->v2_root);
	free(freezer->v1_mount);
	free(freezer->v1_root);
	*freezer = (struct freezer){0};
}

static bool has_parent_component(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3)
		if (at[3] == '/' || at[3] == '\0')
			return true;
	return false;
}

/* Where the cgroup's files are; false when the mount does not show it. */
static bool locate(const char *mount, const char *root, const char *path, char ret_folder[FOLDER_SIZE])
{
	size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (has_parent_component(path) || has_parent_component(root))
		return false;
	if (strncmp(path, root, length) != 0 || (length && path[length] != '/' && path[length] != '\0'))
		return false;
	return snprintf(ret_folder, FOLDER_SIZE, "%s%s", mount, path + length) < FOLDER_SIZE;
}

static bool read_word(const char *folder, const char *name, char *text, size_t size)
{
	char path[FOLDER_SIZE + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return procfs_read(AT_FDCWD, path, text, size) > 0;
}

static bool v2_holds(const char *mount, char *folder)
{
	size_t mount_length = strlen(mount);
	char text[256];

	if (read_word(folder, "cgroup.events", text, sizeof(text)) && strstr(text, "frozen 1"))
		return true;
	for (int level = 0; level < LEVELS_MAX && strlen(folder) > mount_length; level++) {
		if (read_word(folder, "cgroup.freeze", text, sizeof(text)) && text[0] == '1')
			return true;
		*strrchr(folder, '/') = '\0';
	}
	return false;
}

bool freezer_holds(const struct freezer *freezer, const char *cgroup_text)
{
	char path[CGROUP_PATH_SIZE], folder[FOLDER_SIZE], text[32];

	if (freezer->v2_mount && cgroup_controller_path(cgroup_text, "", path) &&
	    locate(freezer->v2_mount, freezer->v2_root, path, folder) && v2_holds(freezer->v2_mount, folder))
		return true;
	return freezer->v1_mount && cgroup_controller_path(cgroup_text, "freezer", path) &&
	       locate(freezer->v1_mount, freezer->v1_root, path, folder) &&
	       read_word(folder, "freezer.state", text, sizeof(text)) &&
	       (strncmp(text, "FROZEN", 6) == 0 || strncmp(text, "FREEZING", 8) == 0);
}
