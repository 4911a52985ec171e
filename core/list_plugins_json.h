/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's half of list_plugins.h. */
#ifndef CORE_LIST_PLUGINS_JSON_H
#define CORE_LIST_PLUGINS_JSON_H

#include "buffer.h"
#include "list_plugins.h"
#include "plugin_file.h"

struct list_plugins_view {
	const struct plugin_folder *folder;
	list_plugins_enabled_fn *is_enabled;
	void *arg;
};

/*
 * {"folder", "abi", "plugins": [{"name", "file", "enabled", "refused": null or a sentence; and unless refused: "version",
 * "summary", "abi", "roles", "capabilities", "kernel_features", "options" as option_table_json() has them}]}. -ENOMEM.
 */
int list_plugins_json(const struct list_plugins_view *view, struct buffer *buffer);

#endif
