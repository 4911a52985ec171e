/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files daemon*.c. */
#ifndef CORE_DAEMON_PRIVATE_H
#define CORE_DAEMON_PRIVATE_H

#include <stdint.h>

#include <jansson.h>

#include "config.h"
#include "control.h"
#include "daemon.h"
#include "engine.h"
#include "plugin.h"
#include "plugin_file.h"

/* An enabled plugin: where it comes from, its options, and the plugin at work. */
struct slot {
	struct plugin *plugin;
	struct plugin_file *file;
	struct settings *settings; /* NULL when its table could not be read */
	char *subject;             /* `plugin "NAME"`, for messages about its options */
	bool lacks_system;         /* it could not start for want of a kernel feature or a privilege */
};

struct daemon {
	const struct daemon_options *options;
	struct config *config;
	char *control_path;
	struct control *control;
	struct engine engine;
	struct slot **slots; /* in the order in which they were started */
	size_t slot_count;
	struct loop_deadline control_due, journal_due;
	uint64_t started_ns;
	bool ready, dropped;
	bool reloading; /* not every plugin has looked under the new configuration */
	char kernel[128];
};

/* ---- daemon_slot.c ---- */

/* Reads the plugin's file; no code runs. A refused file is no failure: slot->file->refusal. -ENOMEM. */
int slot_new(struct daemon *daemon, const char *name, struct slot **ret_slot);
void slot_free(struct slot *slot);

/* The options that `config` gives it. -EINVAL with problems. 0 and NULL when its file was refused. */
int slot_settings(const struct slot *slot, const struct config *config, struct problems *problems,
		  struct settings **ret_settings);

/* Checks, loads, opens; says it when it does not work. True when it runs. */
bool slot_start(struct daemon *daemon, struct slot *slot);

struct slot *slot_find(const struct daemon *daemon, const char *name);
int slot_append(struct daemon *daemon, struct slot *slot);
void slot_remove(struct daemon *daemon, struct slot *slot); /* closes and frees it */

/* ---- daemon.c ---- */

/* The engine's `seen`: says that the daemon is ready, or has reloaded, when every plugin that is open has looked. */
void daemon_seen(void *daemon);

/* ---- daemon_reload.c ---- */

void daemon_reload(struct daemon *daemon);
void daemon_reloaded(struct daemon *daemon); /* says so */

/* Puts the settings of `config` that all plugins share into the engine: guard, journal, scope. -ENOMEM. */
int daemon_apply(struct daemon *daemon, const struct config *config);

/* ---- daemon_answer.c ---- */

json_t *daemon_answer(void *daemon, const char *verb, const json_t *request);

/* Sets it unless there is none: a key without a value is left out. Takes the value. */
void answer_put(json_t *object, const char *key, json_t *value);
void answer_put_number(json_t *object, const char *key, uint64_t value);
void answer_put_text(json_t *object, const char *key, const char *text);
void answer_put_ghost(json_t *object, const struct ghost *ghost);
json_t *answer_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- daemon_explain.c ---- */

json_t *answer_explain(struct daemon *daemon, const json_t *request);

#endif
