/* SPDX-License-Identifier: Apache-2.0 */
#include "check_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config.h"
#include "plugin_file.h"

static int check_options(const struct config *config, const struct plugin_file *file, struct problems *problems)
{
	const struct gb_plugin *plugin = &file->descriptor->plugin;
	_cleanup_free_ char *subject = NULL;
	struct settings *settings = NULL;
	struct option_table table = {
		.options = plugin->options,
		.count = plugin->option_count,
		.stride = sizeof(struct gb_option),
		.data_size = plugin->config_size,
		.others = config_plugin_keys,
	};
	int r;

	if (asprintf(&subject, "plugin \"%s\"", file->name) < 0) {
		subject = NULL;
		return -ENOMEM;
	}
	table.subject = subject;
	r = option_table_check(&table, file->path, problems);
	if (r == 0)
		r = config_plugin_settings(config, &table, file->name, problems, &settings);
	settings_free(settings);
	return r;
}

/* The options of a plugin that is switched off are checked as well, when it is installed. */
static int check_plugin(const struct config *config, const struct config_plugin *named, const char *folder, uid_t owner,
			struct problems *problems)
{
	struct plugin_file *file;
	int r = plugin_file_read(folder, named->name, owner, &file);

	if (r < 0)
		return r;
	if (!file->refusal && file->descriptor)
		r = check_options(config, file, problems);
	else if (named->enabled)
		problems_add(problems, named->file, named->line, "plugin \"%s\" cannot be used: %s", named->name,
			     file->refusal ? file->refusal : "it has no descriptor");
	plugin_file_free(file);
	return r;
}

static int check_all(const struct daemon_options *options, uid_t owner, struct problems *problems,
		     struct config **ret_config)
{
	int r = config_load(options->config_path, options->overrides, options->override_count, problems, ret_config);
	int first = r;

	for (size_t i = 0; r == 0 && i < (*ret_config)->plugin_count; i++) {
		int s = check_plugin(*ret_config, &(*ret_config)->plugins[i], options->plugin_dir, owner, problems);

		if (s < 0 && !first)
			first = s;
	}
	return first;
}

int check_config(const struct daemon_options *options, uid_t owner, FILE *out, FILE *err)
{
	struct problems problems = {0};
	struct config *config = NULL;
	int r = check_all(options, owner, &problems, &config);
	bool good = r == 0 && !problems.count;

	for (size_t i = 0; i < problems.count; i++)
		fprintf(err, "%s\n", problems.items[i]);
	if (good)
		fprintf(out, "%s: good\n", config->file);
	else if (!problems.count)
		fprintf(err, "ghostbuster: the configuration could not be checked: %s\n", strerror(-r));
	config_free(config);
	problems_fini(&problems);
	return good ? DAEMON_STOPPED : DAEMON_USAGE;
}
