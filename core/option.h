/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared options (struct gb_option): one decoder for the daemon's own tables and for those of plugins. Values come
 * from a group of the file and from --set, are checked against the table, and are written into one block of memory laid out
 * as the table's offsets say. See plugin.h for each type, its field and how it is written.
 *
 * A sentence about a value: FILE:LINE: plugin "tcp_close_wait": timeout = -3, want 1s..30d
 */
#ifndef CORE_OPTION_H
#define CORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "override.h"
#include "problems.h"

#include <jansson.h>
#include <libconfig.h>

#define OPTION_COUNT_MAX 256          /* options of one table */
#define OPTION_DATA_MAX (1024 * 1024) /* bytes of the struct that a table describes */
#define OPTION_STRIDE_MAX 4096        /* bytes of one entry */
#define OPTION_CHOICES_MAX 64         /* words of an enumeration */
#define OPTION_KEY_MAX 63             /* bytes */
#define OPTION_TEXT_MAX 4096          /* bytes of a default or a help, and of a string value in the file */
#define OPTION_ITEMS_MAX 4096         /* entries of a list */
#define OPTION_ITEM_SIZE_MAX 65536    /* bytes of the struct of one group */

struct option_table {
	const struct gb_option *options; /* the caller's; outlives every struct settings made with the table */
	uint32_t count;
	uint32_t stride;     /* bytes from one entry to the next: sizeof(struct gb_option) as its author compiled it */
	uint64_t data_size;  /* bytes of the struct that the offsets are in */
	const char *subject; /* how messages name it: `plugin "tcp_close_wait"`, `ghostbuster.guard` */

	/* Keys of the same group that are not in the table and belong to somebody else, such as "enabled".
	 * NULL-terminated, or NULL. They are passed over, and count as known words when a typo's neighbour is looked for. */
	const char *const *others;
};

/* Where the values come from. */
struct option_source {
	const config_setting_t *group;    /* NULL: nothing in the file */
	const char *file;                 /* the file's name in messages; libconfig does not know it */
	const struct override *overrides; /* those of this table; `scope` is not looked at, `key` is the table's key */
	size_t override_count;
};

/* Values that were read with a table. */
struct settings;

/*
 * Is the table itself sane: counts and sizes within the bounds above, keys well-formed and unique, each field aligned,
 * inside of the struct and not over another, defaults that parse and are in range, choices present, no groups inside of
 * groups. Survives any value of any number and any length of a string; pointers must be NULL or valid. -EINVAL with
 * problems added, which name `file` (may be NULL).
 */
int option_table_check(const struct option_table *table, const char *file, struct problems *problems);

/*
 * Reads every option of a table that option_table_check() accepted. -EINVAL when problems were added: all that are
 * found, not only the first; -ENOMEM. The table is copied, but not what it points to.
 */
int settings_decode(const struct option_table *table, const struct option_source *source, struct problems *problems,
		    struct settings **ret_settings);

/* The struct that the table describes. It and all it points to live as long as the settings. */
const void *settings_data(const struct settings *settings);

void settings_free(struct settings *settings);

/* Same table and same values. Lines and file names do not count: a comment added above a rule changes nothing. */
bool settings_equal(const struct settings *a, const struct settings *b);

/* The values in effect, written as in the file: {"timeout": "1m", "rules": [{…}]}; null: unset. NULL: no memory. */
json_t *settings_json(const struct settings *settings);

/* The options themselves: [{"key", "type", "default", "range", "choices", "help", "members"}]. NULL: no memory. */
json_t *option_table_json(const struct option_table *table);

/* The entry `index`, what it lacks filled with zeros: the plugin may have been built with a smaller struct. */
struct gb_option option_at(const struct option_table *table, uint32_t index);

/* "duration", "list of groups"; NULL for a type that does not exist. */
const char *option_type_name(uint32_t type);

/* What a value must be, in short: "1s..30d", "report or destroy", "true or false". */
void option_range(const struct gb_option *option, char *buf, size_t buf_size);

#endif
