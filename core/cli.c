/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_config.h"
#include "client.h"
#include "config.h"
#include "daemon.h"
#include "list_plugins.h"

#define CONTROL_DEFAULT "/run/ghostbuster/control.sock"

enum cli_key {
	KEY_CONFIG = 'c',
	KEY_VERSION = 'V',
	KEY_OBSERVE = 0x100,
	KEY_SET,
	KEY_PLUGIN_DIR,
	KEY_LIST_PLUGINS,
	KEY_CHECK_CONFIG,
	KEY_JSON,
	KEY_CONTROL,
	KEY_LIMIT,
};

enum cli_mode { CLI_RUN, CLI_LIST_PLUGINS, CLI_CHECK_CONFIG, CLI_VERSION, CLI_ASK };

struct cli {
	enum cli_mode mode;
	struct daemon_options daemon;
	struct override *overrides;
	struct client_request request;
	const char *control;
	bool json, argument_needed;
};

static const struct argp_option cli_options[] = {
	{NULL, 0, NULL, 0, "Run in the foreground:", 1},
	{"config", KEY_CONFIG, "FILE", 0, "The configuration, instead of " EGHOSTBUSTER_CONFIG_FILE, 1},
	{"observe", KEY_OBSERVE, NULL, 0, "Find and tell, but release nothing", 1},
	{"set", KEY_SET, "PLUGIN.KEY=VALUE", 0,
	 "Set an option, whatever the file says, such as tcp_close_wait.timeout=30s; \"ghostbuster\" stands for the daemon's "
	 "own, such as ghostbuster.guard.rate=10",
	 1},
	{"plugin-dir", KEY_PLUGIN_DIR, "DIR", 0, "Where the plugins are, instead of " EGHOSTBUSTER_PLUGIN_DIR, 1},
	{NULL, 0, NULL, 0, "Look, without running:", 2},
	{"list-plugins", KEY_LIST_PLUGINS, NULL, 0, "What is installed, enabled, and refused and why", 2},
	{"check-config", KEY_CHECK_CONFIG, NULL, 0, "Say everything that is wrong with the configuration", 2},
	{NULL, 0, NULL, 0, "Ask the running daemon:", 3},
	{"control", KEY_CONTROL, "PATH", 0, "Its control socket, instead of the one that the configuration names", 3},
	{"limit", KEY_LIMIT, "N", 0, "ghosts, leakers: show at most N", 3},
	{"json", KEY_JSON, NULL, 0, "For machines (also with --list-plugins)", 3},
	{NULL, 0, NULL, 0, "Help:", -1},
	{"version", KEY_VERSION, NULL, 0, "Print the version", -1},
	{0},
};

static const char cli_doc[] =
	"Finds kernel resources that got stuck, tells who leaks them, and releases them without killing their owner."
	"\v"
	"  status           what runs, since when, and how much it found\n"
	"  ghosts [PLUGIN]  what is known right now\n"
	"  leakers          who leaks, the worst first: how much, how fast, and how long it can go on\n"
	"  explain ID       everything about one ghost or suspect; also by its resource, such as "
	"\"tcp 127.0.0.1:80 -> 127.0.0.1:51234\"\n"
	"  resume PLUGIN    back to work after its circuit breaker tripped\n"
	"\n"
	"Signals: HUP reloads the configuration, USR1 scans now, TERM stops.\n"
	"Exit codes: 0 stopped as asked; 1 the daemon could not be asked; 2 usage or configuration; 3 the kernel or the "
	"privileges lack something; 4 no enabled plugin could start.";

static error_t add_override(struct cli *cli, struct argp_state *state, const char *text)
{
	struct problems problems = {0};
	struct override *overrides =
		reallocarray(cli->overrides, cli->daemon.override_count + 1, sizeof(*cli->overrides));
	int r;

	if (!overrides)
		return ENOMEM;
	cli->overrides = overrides;
	r = override_parse(text, &overrides[cli->daemon.override_count], &problems);
	if (r == 0)
		cli->daemon.override_count++;
	for (size_t i = 0; i < problems.count; i++)
		argp_error(state, "%s", problems.items[i]);
	problems_fini(&problems);
	return r < 0 ? EINVAL : 0;
}

static error_t set_mode(struct cli *cli, struct argp_state *state, enum cli_mode mode)
{
	if (cli->mode != CLI_RUN && cli->mode != mode) {
		argp_error(state, "only one thing can be asked for at a time");
		return EINVAL;
	}
	cli->mode = mode;
	return 0;
}

static error_t parse_limit(struct cli *cli, struct argp_state *state, const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 1 || value > 10000) {
		argp_error(state, "--limit %s: want a number from 1 to 10000", text);
		return EINVAL;
	}
	cli->request.limit = value;
	return 0;
}

static error_t parse_word(struct cli *cli, struct argp_state *state, const char *word)
{
	if (cli->mode == CLI_ASK && !cli->request.argument) {
		cli->request.argument = word;
		return 0;
	}
	if (cli->mode == CLI_ASK || !client_verb(word, &cli->argument_needed)) {
		argp_error(
			state,
			"unexpected \"%s\": want status, ghosts, leakers, explain ID, resume PLUGIN, or nothing to run",
			word);
		return EINVAL;
	}
	cli->request.verb = word;
	return set_mode(cli, state, CLI_ASK);
}

/* What was given must belong together: a word that is silently ignored would pass for one that works. */
static error_t check_words(const struct cli *cli, struct argp_state *state)
{
	const char *verb = cli->request.verb;
	bool ask = cli->mode == CLI_ASK;

	if (ask && cli->argument_needed && !cli->request.argument)
		argp_error(state, "%s wants %s", verb, strcmp(verb, "explain") == 0 ? "the ID of a ghost" : "a PLUGIN");
	else if (ask && (strcmp(verb, "status") == 0 || strcmp(verb, "leakers") == 0) && cli->request.argument)
		argp_error(state, "%s takes no argument, but was given \"%s\"", verb, cli->request.argument);
	else if (!ask && cli->control)
		argp_error(state, "--control only helps to ask the running daemon; its own socket is `control` in the "
				  "configuration");
	else if (cli->request.limit && (!ask || (strcmp(verb, "ghosts") != 0 && strcmp(verb, "leakers") != 0)))
		argp_error(state, "--limit belongs to `ghosts` and `leakers`");
	else if (cli->json && !ask && cli->mode != CLI_LIST_PLUGINS)
		argp_error(state, "--json belongs to a question or to --list-plugins; the journal's format is "
				  "`--set ghostbuster.journal.format=json`");
	else if (ask && (cli->daemon.observe || cli->daemon.override_count || cli->daemon.plugin_dir))
		argp_error(state, "--observe, --set and --plugin-dir are for running, not for asking");
	else
		return 0;
	return EINVAL;
}

static error_t cli_parse(int key, char *arg, struct argp_state *state)
{
	struct cli *cli = state->input;

	switch (key) {
	case KEY_CONFIG:
		cli->daemon.config_path = arg;
		return 0;
	case KEY_OBSERVE:
		cli->daemon.observe = true;
		return 0;
	case KEY_SET:
		return add_override(cli, state, arg);
	case KEY_PLUGIN_DIR:
		cli->daemon.plugin_dir = arg;
		return 0;
	case KEY_LIST_PLUGINS:
		return set_mode(cli, state, CLI_LIST_PLUGINS);
	case KEY_CHECK_CONFIG:
		return set_mode(cli, state, CLI_CHECK_CONFIG);
	case KEY_VERSION:
		return set_mode(cli, state, CLI_VERSION);
	case KEY_CONTROL:
		cli->control = arg;
		return 0;
	case KEY_LIMIT:
		return parse_limit(cli, state, arg);
	case KEY_JSON:
		cli->json = cli->request.json = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_word(cli, state, arg);
	case ARGP_KEY_END:
		return check_words(cli, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_enabled(const char *name, void *config)
{
	const struct config_plugin *plugin = config ? config_find_plugin(config, name) : NULL;

	return plugin && plugin->enabled;
}

/* The configuration if it can be read and is right; else NULL, and nothing is said. */
static struct config *quiet_config(const struct cli *cli)
{
	struct problems problems = {0};
	struct config *config = NULL;

	if (config_load(cli->daemon.config_path, cli->overrides, cli->daemon.override_count, &problems, &config) < 0)
		config = NULL;
	problems_fini(&problems);
	return config;
}

static int run_list_plugins(const struct cli *cli)
{
	struct config *config = quiet_config(cli);
	char *refusal = NULL;
	int r = list_plugins(stdout, cli->daemon.plugin_dir, 0, is_enabled, config, cli->json, &refusal);

	if (!config)
		fputs("ghostbuster: the configuration cannot be used, so no plugin counts as enabled: see `ghostbuster "
		      "--check-config`\n",
		      stderr);
	if (r < 0)
		fprintf(stderr, "ghostbuster: %s\n", refusal ? refusal : strerror(-r));
	free(refusal);
	config_free(config);
	return r < 0 ? DAEMON_USAGE : DAEMON_STOPPED;
}

static int run_ask(const struct cli *cli)
{
	struct config *config = cli->control ? NULL : quiet_config(cli);
	const char *path = cli->control ? cli->control : config ? config->control : CONTROL_DEFAULT;
	int code = client_run(path, &cli->request, stdout, stderr);

	config_free(config);
	return code;
}

static int cli_run(struct cli *cli)
{
	cli->daemon.overrides = cli->overrides;
	if (!cli->daemon.plugin_dir)
		cli->daemon.plugin_dir = EGHOSTBUSTER_PLUGIN_DIR;
	switch (cli->mode) {
	case CLI_RUN:
		return daemon_run(&cli->daemon);
	case CLI_LIST_PLUGINS:
		return run_list_plugins(cli);
	case CLI_CHECK_CONFIG:
		return check_config(&cli->daemon, 0, stdout, stderr);
	case CLI_VERSION:
		puts("ghostbuster " EGHOSTBUSTER_VERSION);
		return DAEMON_STOPPED;
	case CLI_ASK:
		return run_ask(cli);
	}
	return DAEMON_USAGE;
}

int cli_main(int argc, char *argv[])
{
	static const struct argp argp = {
		.options = cli_options,
		.parser = cli_parse,
		.args_doc = "\nstatus\nghosts [PLUGIN]\nexplain ID\nresume PLUGIN",
		.doc = cli_doc,
	};
	struct cli cli = {0};
	int code = DAEMON_USAGE;

	argp_err_exit_status = DAEMON_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &cli) == 0)
		code = cli_run(&cli);
	for (size_t i = 0; i < cli.daemon.override_count; i++)
		override_fini(&cli.overrides[i]);
	free(cli.overrides);
	return code;
}
