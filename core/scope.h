/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon may look at: `scope: { netns = (...); ipcns = (...); paths = (...); }`. */
#ifndef CORE_SCOPE_H
#define CORE_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "problems.h"

struct scope;

/*
 * Copies the lists (NULL: empty). An empty list has everything of its kind in scope; a list of which nothing resolves
 * has nothing in scope, never everything. Nothing is resolved yet: call scope_resolve(). -ENOMEM.
 */
int scope_new(const struct gb_strings *netns, const struct gb_strings *ipcns, const struct gb_strings *paths,
	      struct scope **ret_scope);
void scope_free(struct scope *scope); /* NULL is fine */

/*
 * Looks every name up again: at the start and before each sweep. A name that is missing adds one sentence to `problems`
 * (NULL: nobody listens, it is said the next time), and again only after it has come and gone. A warning, not an error:
 * it may appear later.
 */
void scope_resolve(struct scope *scope, struct problems *problems);

/* GB_NS_NONE is in every scope; inode 0 (unknown) only where the kind is not scoped; an unknown kind in none. */
bool scope_has_ns(const struct scope *scope, uint32_t kind, uint64_t inode);

/*
 * Equal to or below one of the folders, as they were written or as they are without symbolic links. NULL, relative paths
 * and paths with ".." are in scope only when no path is listed. Kinds of resources that have no path do not ask.
 */
bool scope_has_path(const struct scope *scope, const char *path);

/* Whether the scope names namespaces of this kind at all. */
bool scope_scoped(const struct scope *scope, uint32_t kind);

#endif
