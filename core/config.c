/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cleanup.h"
#include "config_file.h"
#include "config_private.h"

static void config_cleanup(struct config **config)
{
	config_free(*config);
}

/* The parser's state stays: a plugin's group is read when its table is known. */
static int text_parse(struct config *config, const char *text, size_t size, struct problems *problems)
{
	config_t *parsed = &config->private->parsed;
	_cleanup_free_ char *safe = NULL;
	int rc = config_text_prepare(config->file, text, size, problems, &safe);

	if (rc < 0)
		return rc;
	if (!config_read_string(parsed, safe)) {
		bool syntax = !strcmp(config_error_text(parsed), "syntax error");

		problems_add(problems, config->file, (unsigned int)config_error_line(parsed), "%s%s",
			     config_error_text(parsed),
			     syntax ? " here or shortly before: is a quote, a \";\" or a bracket missing?" : "");
		return -EINVAL;
	}
	return 0;
}

static int overrides_copy(struct config *config, const struct override *overrides, size_t count)
{
	struct config_private *private = config->private;

	private->overrides = arena_alloc(&private->arena, count * sizeof(*overrides));
	if (!private->overrides)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *from[] = {overrides[i].scope, overrides[i].key, overrides[i].value, overrides[i].typed};
		char *to[4];

		for (size_t j = 0; j < 4; j++) {
			to[j] = arena_strndup(&private->arena, from[j], strlen(from[j]));
			if (!to[j])
				return -ENOMEM;
		}
		private->overrides[i] = (struct override){.scope = to[0], .key = to[1], .value = to[2], .typed = to[3]};
	}
	private->override_count = count;
	return 0;
}

static int config_new(const char *file, struct config **ret_config)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return -ENOMEM;
	config->private = calloc(1, sizeof(*config->private));
	if (!config->private) {
		free(config);
		return -ENOMEM;
	}
	config_init(&config->private->parsed);
	config->file = arena_strndup(&config->private->arena, file, strlen(file));
	if (!config->file) {
		config_free(config);
		return -ENOMEM;
	}
	*ret_config = config;
	return 0;
}

static int top_level_check(const struct config *config, struct problems *problems)
{
	static const char *const groups[] = {OVERRIDE_CORE, "plugins", NULL};
	struct option_table table = {.subject = "top level", .others = groups};
	struct option_source source = {.group = config_root_setting(&config->private->parsed), .file = config->file};
	struct settings *settings = NULL;
	int rc = settings_decode(&table, &source, problems, &settings);

	settings_free(settings);
	return rc;
}

int config_load_text(const char *file, const char *text, size_t size, const struct override *overrides,
		     size_t override_count, struct problems *problems, struct config **ret_config)
{
	_cleanup_(config_cleanup) struct config *config = NULL;
	static int (*const steps[])(struct config *, struct problems *) = {config_core_decode, config_plugins_decode};
	size_t problems_before = problems->count;
	int rc = config_new(file, &config);

	if (rc < 0)
		return rc;
	rc = overrides_copy(config, overrides, override_count);
	if (rc < 0)
		return rc;
	rc = text_parse(config, text, size, problems);
	if (rc < 0)
		return rc;
	rc = top_level_check(config, problems);
	for (size_t i = 0; rc != -ENOMEM && i < sizeof(steps) / sizeof(steps[0]); i++)
		rc = steps[i](config, problems);
	if (rc != -ENOMEM)
		rc = problems->count > problems_before ? -EINVAL : 0;
	if (rc < 0)
		return rc;
	*ret_config = steal_pointer(config);
	return 0;
}

int config_load(const char *path, const struct override *overrides, size_t override_count, struct problems *problems,
		struct config **ret_config)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int rc;

	if (!path)
		path = EGHOSTBUSTER_CONFIG_FILE;
	rc = config_file_read(path, problems, &text, &size);
	if (rc < 0)
		return rc;
	return config_load_text(path, text, size, overrides, override_count, problems, ret_config);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < CONFIG_PARTS; i++)
		settings_free(config->private->parts[i]);
	config_destroy(&config->private->parsed);
	arena_fini(&config->private->arena);
	free(config->private);
	free(config);
}
