/* SPDX-License-Identifier: Apache-2.0 */
/* `ghostbuster --list-plugins`: what is installed, what of it is enabled, its options, and what is refused and why. */
#ifndef CORE_LIST_PLUGINS_H
#define CORE_LIST_PLUGINS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Whether the configuration enables the plugin of that name. */
typedef bool list_plugins_enabled_fn(const char *name, void *arg);

/*
 * Writes a table for people, or one JSON object (list_plugins_json.h), to `out`. Runs no code of any
 * plugin and needs no privilege. Refused plugins are part of the list and no failure. `owner` as in trust.h: 0 outside of
 * tests. On failure (the folder is missing or not trusted, -EIO: cannot write) -errno, and *ret_refusal is a sentence, to
 * be freed.
 */
int list_plugins(FILE *out, const char *folder, uid_t owner, list_plugins_enabled_fn *is_enabled, void *arg, bool json,
		 char **ret_refusal);

#endif
