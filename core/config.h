/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file. (libconfig owns the names config_read, config_init and config_destroy.) */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "option.h"
#include "override.h"
#include "problems.h"

#define CONFIG_FILE_MAX (1024 * 1024) /* bytes */

enum config_mode { CONFIG_REAP, CONFIG_OBSERVE };
enum config_format { CONFIG_TEXT, CONFIG_JSON };

/* One entry of guard.exempt: all that is set must match. At least one thing is. */
struct exemption {
	struct gb_group group; /* where it stands, for messages */
	struct gb_owner_match owner;
	struct gb_range port; /* first > last: not asked */
	const char *path;     /* shell wildcards, as gb_owner_match.exe; NULL: not asked */
};

struct config_journal {
	int32_t format; /* enum config_format */
	bool summary;   /* in a storm, counts instead of lines: summary.h */
};

struct config_scope {
	struct gb_strings netns, ipcns, paths; /* empty: all */
};

struct config_guard {
	struct gb_groups exempt; /* of struct exemption */
	int64_t rate;            /* ghosts a second */
	int64_t burst;           /* ghosts */
	int64_t failures;        /* so many within failure_window_ns trip the breaker */
	uint64_t failure_window_ns;
	uint64_t owner_grace_ns; /* an owner that dies within it after a reaping trips the breaker */
};

/* A plugin that the file or --set names. */
struct config_plugin {
	const char *name;
	bool enabled;
	const char *file;  /* the file's name, or the `--set …` that alone names it */
	unsigned int line; /* 0 from --set */
};

struct config {
	const char *file;
	int32_t mode;        /* enum config_mode */
	const char *control; /* path of the control socket */
	struct config_journal journal;
	struct config_scope scope;
	struct config_guard guard;
	const struct config_plugin *plugins; /* in the order of the file, then of --set */
	size_t plugin_count;
	struct config_private *private;
};

/* What can change by itself in a reload. */
enum config_part { CONFIG_PART_MAIN, CONFIG_PART_JOURNAL, CONFIG_PART_SCOPE, CONFIG_PART_GUARD, CONFIG_PARTS };

/*
 * Reads and checks the file `path` (NULL: the installed one) and all of --set but the options of plugins, whose tables
 * are not known yet. The overrides are copied. -EINVAL when problems were added: all that are found; -ENOMEM.
 */
int config_load(const char *path, const struct override *overrides, size_t override_count, struct problems *problems,
		struct config **ret_config);

/* The same for a text in memory, which goes by the name of `file` in messages. */
int config_load_text(const char *file, const char *text, size_t size, const struct override *overrides,
		     size_t override_count, struct problems *problems, struct config **ret_config);

void config_free(struct config *config);

/* NULL when neither the file nor --set names it. */
const struct config_plugin *config_find_plugin(const struct config *config, const char *name);

/*
 * The options of a plugin, now that its table is known (and passed option_table_check()). `table->others` should be
 * config_plugin_keys. Also for a plugin that nothing names: all defaults. As settings_decode().
 */
int config_plugin_settings(const struct config *config, const struct option_table *table, const char *name,
			   struct problems *problems, struct settings **ret_settings);

/* What a plugin's group may hold beside the plugin's own options: "enabled". */
extern const char *const config_plugin_keys[];

/* Whether that part has the same values in both. */
bool config_part_equal(const struct config *a, const struct config *b, enum config_part part);

/* The values of the `ghostbuster` group in effect, as an object of the file's shape. NULL: no memory. */
json_t *config_json(const struct config *config);

#endif
