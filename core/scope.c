/* SPDX-License-Identifier: Apache-2.0 */
#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "namespace.h"

struct name {
	char *text;
	uint64_t inode; /* 0: does not resolve now */
	bool said;      /* that it is missing */
};

struct folder {
	char *text; /* as written; when absolute, without slashes at the end: "" is then the root */
	bool absolute, said;
	char *real; /* without symbolic links; NULL when it does not exist or is the same */
};

struct scope {
	struct name *names[GB_NS_IPC + 1];
	uint32_t name_counts[GB_NS_IPC + 1];
	struct folder *folders;
	uint32_t folder_count;
};

static int copy_names(const struct gb_strings *list, struct name **ret_names, uint32_t *ret_count)
{
	if (!list || !list->count)
		return 0;
	*ret_names = calloc(list->count, sizeof(**ret_names));
	if (!*ret_names)
		return -ENOMEM;
	for (; *ret_count < list->count; (*ret_count)++) {
		char *text = strdup(list->items[*ret_count]);

		if (!text)
			return -ENOMEM;
		(*ret_names)[*ret_count].text = text;
	}
	return 0;
}

/* In place; all but the root, which becomes "". */
static void cut_slashes(char *path)
{
	size_t length = strlen(path);

	while (length && path[length - 1] == '/')
		path[--length] = '\0';
}

static int copy_folders(const struct gb_strings *list, struct scope *scope)
{
	if (!list || !list->count)
		return 0;
	scope->folders = calloc(list->count, sizeof(*scope->folders));
	if (!scope->folders)
		return -ENOMEM;
	for (; scope->folder_count < list->count; scope->folder_count++) {
		char *text = strdup(list->items[scope->folder_count]);

		if (!text)
			return -ENOMEM;
		scope->folders[scope->folder_count].text = text;
		scope->folders[scope->folder_count].absolute = text[0] == '/';
		if (text[0] == '/')
			cut_slashes(text);
	}
	return 0;
}

int scope_new(const struct gb_strings *netns, const struct gb_strings *ipcns, const struct gb_strings *paths,
	      struct scope **ret_scope)
{
	struct scope *scope = calloc(1, sizeof(*scope));

	if (!scope)
		return -ENOMEM;
	if (copy_names(netns, &scope->names[GB_NS_NET], &scope->name_counts[GB_NS_NET]) < 0 ||
	    copy_names(ipcns, &scope->names[GB_NS_IPC], &scope->name_counts[GB_NS_IPC]) < 0 ||
	    copy_folders(paths, scope) < 0) {
		scope_free(scope);
		return -ENOMEM;
	}
	*ret_scope = scope;
	return 0;
}

void scope_free(struct scope *scope)
{
	if (!scope)
		return;
	for (uint32_t kind = GB_NS_NET; kind <= GB_NS_IPC; kind++) {
		for (uint32_t i = 0; i < scope->name_counts[kind]; i++)
			free(scope->names[kind][i].text);
		free(scope->names[kind]);
	}
	for (uint32_t i = 0; i < scope->folder_count; i++) {
		free(scope->folders[i].text);
		free(scope->folders[i].real);
	}
	free(scope->folders);
	free(scope);
}

static void resolve_name(struct name *name, uint32_t kind, struct problems *problems)
{
	int result = namespace_resolve(kind, name->text, &name->inode);

	if (result == 0) {
		name->said = false;
		return;
	}
	name->inode = 0;
	if (name->said || !problems)
		return;
	name->said = true;
	if (result == -EINVAL)
		problems_add(problems, NULL, 0,
			     "scope.%sns: \"%s\" is no %s namespace, want %s: nothing matches it; correct it in the "
			     "configuration",
			     namespace_kind_name(kind), name->text, namespace_kind_name(kind),
			     kind == GB_NS_NET ? "a name under " NAMESPACE_RUN_PATH
						 " or a path such as /proc/PID/ns/net"
					       : "a path such as /proc/PID/ns/ipc");
	else
		problems_add(problems, NULL, 0,
			     "scope.%sns: cannot find the namespace \"%s\" (%s): nothing matches it until it is there, "
			     "looking again at each sweep",
			     namespace_kind_name(kind), name->text, strerror(-result));
}

static void resolve_folder(struct folder *folder, struct problems *problems)
{
	if (!folder->absolute) {
		if (!folder->said && problems)
			problems_add(problems, NULL, 0,
				     "scope.paths: \"%s\" is not absolute, want a path that begins with \"/\": nothing "
				     "matches it; correct it in the configuration",
				     folder->text);
		folder->said = folder->said || problems;
		return;
	}
	free(folder->real);
	folder->real = folder->text[0] ? realpath(folder->text, NULL) : NULL;
	if (folder->real)
		cut_slashes(folder->real);
}

void scope_resolve(struct scope *scope, struct problems *problems)
{
	for (uint32_t kind = GB_NS_NET; kind <= GB_NS_IPC; kind++)
		for (uint32_t i = 0; i < scope->name_counts[kind]; i++)
			resolve_name(&scope->names[kind][i], kind, problems);
	for (uint32_t i = 0; i < scope->folder_count; i++)
		resolve_folder(&scope->folders[i], problems);
}

bool scope_scoped(const struct scope *scope, uint32_t kind)
{
	return (kind == GB_NS_NET || kind == GB_NS_IPC) && scope->name_counts[kind] > 0;
}

bool scope_has_ns(const struct scope *scope, uint32_t kind, uint64_t inode)
{
	if (kind > GB_NS_IPC)
		return false;
	if (!scope_scoped(scope, kind))
		return true;
	for (uint32_t i = 0; i < scope->name_counts[kind]; i++)
		if (inode && scope->names[kind][i].inode == inode)
			return true;
	return false;
}

/* `path` is absolute. */
static bool is_below(const char *folder, const char *path)
{
	size_t length = strlen(folder);

	return strncmp(folder, path, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool has_parent_component(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3)
		if (at[3] == '/' || at[3] == '\0')
			return true;
	return false;
}

bool scope_has_path(const struct scope *scope, const char *path)
{
	if (!scope->folder_count)
		return true;
	if (!path || path[0] != '/' || has_parent_component(path))
		return false;
	for (uint32_t i = 0; i < scope->folder_count; i++) {
		const struct folder *folder = &scope->folders[i];

		if (!folder->absolute)
			continue;
		if (is_below(folder->text, path) || (folder->real && is_below(folder->real, path)))
			return true;
	}
	return false;
}
