/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>

#include "capability.h"
#include "cleanup.h"
#include "clock.h"
#include "daemon_private.h"
#include "kernel.h"
#include "log.h"
#include "notify.h"
#include "word.h"

/* What the core itself needs: to see the executable and the namespaces of other users' processes. */
#define CORE_CAPABILITIES (UINT64_C(1) << CAP_SYS_PTRACE)

#define JOURNAL_RETRY_NS (100 * GB_MILLISECOND)

/* ---- What happens in the loop ------------------------------------------------------------------------------------- */

static void on_signal(int number, void *arg)
{
	struct daemon *daemon = arg;

	switch (number) {
	case SIGHUP:
		daemon_reload(daemon);
		return;
	case SIGUSR1:
		for (size_t i = 0; i < daemon->slot_count; i++)
			plugin_ask(daemon->slots[i]->plugin);
		return;
	default:
		loop_stop(daemon->engine.loop);
	}
}

static void serve_control(struct daemon *daemon)
{
	control_dispatch(daemon->control, clock_now_ns());
}

static void control_ready(int fd, uint32_t events, void *arg)
{
	(void)fd;
	(void)events;
	serve_control(arg);
}

static void control_due(void *arg)
{
	serve_control(arg);
}

/* The flush is at the end of every turn: the deadline only makes one happen. */
static void journal_due(void *arg)
{
	(void)arg;
}

/* What each plugin found of the kernel's abilities, and what that means. */
static void log_facts(const struct daemon *daemon)
{
	log_info("%s on %s", EGHOSTBUSTER_VERSION, daemon->kernel);
	for (size_t i = 0; i < daemon->slot_count; i++) {
		const struct plugin *plugin = daemon->slots[i]->plugin;

		for (uint32_t j = 0; j < plugin->fact_count; j++)
			log_line(GB_LOG_INFO, plugin->name, "%s: %s", word_text(plugin->facts[j].name),
				 plugin->facts[j].text);
	}
}

static void say_ready(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	uint64_t open = 0;

	for (size_t i = 0; i < daemon->slot_count; i++)
		open += plugin_is_open(daemon->slots[i]->plugin);
	daemon->ready = true;
	log_facts(daemon);
	journal_write(daemon->engine.journal,
		      &(struct event){
			      .name = "daemon.ready",
			      .fields =
				      (const struct gb_field[]){
					      {.name = "version", .type = GB_FIELD_TEXT, .text = EGHOSTBUSTER_VERSION},
					      {.name = "pid", .type = GB_FIELD_INTEGER, .value = (uint64_t)getpid()},
					      {.name = "mode",
					       .type = GB_FIELD_TEXT,
					       .text = daemon->engine.guard.observe ? "observe" : "reap"},
					      {.name = "plugins", .type = GB_FIELD_INTEGER, .value = open},
					      {.name = "config", .type = GB_FIELD_TEXT, .text = config->file},
					      {.name = "kernel", .type = GB_FIELD_TEXT, .text = daemon->kernel},
				      },
			      .field_count = 6,
		      });
	notify_ready();
}

void daemon_seen(void *arg)
{
	struct daemon *daemon = arg;

	for (size_t i = 0; i < daemon->slot_count; i++) {
		const struct plugin *plugin = daemon->slots[i]->plugin;

		if (plugin_is_open(plugin) && plugin->callbacks->scan && !plugin->looked)
			return;
	}
	if (!daemon->ready)
		say_ready(daemon);
	if (daemon->reloading)
		daemon_reloaded(daemon);
}

static int run(struct daemon *daemon)
{
	struct engine *engine = &daemon->engine;
	int r = 0;

	while (r == 0 && !loop_stopped(engine->loop)) {
		r = loop_round(engine->loop);
		daemon->control_due.when_ns = control_deadline_ns(daemon->control);
		daemon->journal_due.when_ns =
			journal_flush(engine->journal) == -EAGAIN ? clock_now_ns() + JOURNAL_RETRY_NS : CLOCK_NEVER;
	}
	return r;
}

/* ---- Start -------------------------------------------------------------------------------------------------------- */

/*
 * Drops what no plugin that runs needs. Once: a plugin that a reload disables may be enabled by the next one, and opening
 * it needs as much as before.
 */
static void drop_capabilities(struct daemon *daemon)
{
	uint64_t needed = CORE_CAPABILITIES, left = 0;
	char text[CAPABILITY_TEXT_SIZE];
	int r;

	for (size_t i = 0; i < daemon->slot_count; i++)
		if (plugin_is_open(daemon->slots[i]->plugin))
			needed |= daemon->slots[i]->plugin->callbacks->capabilities;
	/* A thread that was started earlier would keep all of them. */
	ns_worker_stop(daemon->engine.worker);
	r = capability_drop_all_but(needed, &left);
	daemon->dropped = true;
	capability_text(needed, text);
	if (r < 0)
		log_warning("capabilities could not be dropped: %s; going on with more than is needed", strerror(-r));
	else
		log_line(GB_LOG_DEBUG, NULL, "keeps the capabilities %s", text);
}

static int read_files(int32_t pid, uint64_t start_ticks, struct process_files *ret_files)
{
	return process_files_read("/proc", pid, start_ticks, ret_files);
}

static int engine_init(struct engine *engine)
{
	int r = loop_new(&engine->loop);

	if (r == 0)
		r = journal_new(STDOUT_FILENO, JOURNAL_TEXT, NULL, &engine->journal);
	if (r == 0)
		r = owner_source_new("/proc", &engine->owner_source);
	if (r == 0)
		r = owner_cache_new(engine->owner_source, &engine->owners);
	if (r == 0)
		r = namespaces_new("/proc", NAMESPACE_RUN_PATH, &engine->namespaces);
	if (r == 0)
		r = ns_worker_new(&engine->worker);
	engine->guard.self = getpid();
	leakers_init(&engine->leakers, read_files, clock_now_ns());
	return r;
}

static void engine_fini(struct engine *engine)
{
	ghost_ring_fini(&engine->finished);
	leakers_fini(&engine->leakers);
	ns_worker_free(engine->worker);
	namespaces_free(engine->namespaces);
	scope_free(engine->scope);
	owner_cache_free(engine->owners);
	owner_source_free(engine->owner_source);
	journal_free(engine->journal);
	loop_free(engine->loop);
}

/* The configuration and the options of every enabled plugin; their descriptors are read, none of their code runs. */
static int read_config(struct daemon *daemon, struct problems *problems)
{
	const struct daemon_options *options = daemon->options;
	int r, first = 0;

	r = config_load(options->config_path, options->overrides, options->override_count, problems, &daemon->config);
	if (r < 0)
		return r;
	for (size_t i = 0; i < daemon->config->plugin_count; i++) {
		const struct config_plugin *named = &daemon->config->plugins[i];
		struct slot *slot;

		if (!named->enabled)
			continue;
		r = slot_new(daemon, named->name, &slot);
		if (r == 0 && slot_append(daemon, slot) < 0) {
			slot_free(slot);
			r = -ENOMEM;
		}
		if (r == 0)
			r = slot_settings(slot, daemon->config, problems, &slot->settings);
		if (r < 0 && !first)
			first = r;
	}
	return first;
}

static int open_control(struct daemon *daemon)
{
	const char *path = daemon->config->control;
	int r;

	daemon->control_path = strdup(path);
	r = daemon->control_path ? control_open(path, daemon_answer, daemon, &daemon->control) : -ENOMEM;
	if (r == -EADDRINUSE)
		log_error("%s: another ghostbuster is running with this control socket; stop it, or give this one "
			  "another `control`",
			  path);
	else if (r < 0)
		log_error("%s: the control socket cannot be made: %s; choose another `control`", path, strerror(-r));
	if (r < 0)
		return r;
	daemon->control_due = (struct loop_deadline){.fn = control_due, .arg = daemon};
	daemon->journal_due = (struct loop_deadline){.fn = journal_due, .arg = daemon};
	loop_deadline_add(daemon->engine.loop, &daemon->control_due);
	loop_deadline_add(daemon->engine.loop, &daemon->journal_due);
	return loop_watch(daemon->engine.loop, control_fd(daemon->control), EPOLLIN, control_ready, daemon);
}

/* An exit code; 0 when at least one plugin runs. */
static int start_plugins(struct daemon *daemon)
{
	bool system = true;
	size_t open = 0;

	daemon->engine.seen = daemon_seen;
	daemon->engine.seen_arg = daemon;
	for (size_t i = 0; i < daemon->slot_count; i++) {
		open += slot_start(daemon, daemon->slots[i]);
		system = system && daemon->slots[i]->lacks_system;
	}
	if (open)
		return 0;
	if (!daemon->slot_count)
		log_error("%s: no plugin is enabled: set `enabled = true` for one of those that "
			  "`ghostbuster --list-plugins` shows",
			  daemon->config->file);
	else
		log_error("no enabled plugin could start: the lines above say why");
	return daemon->slot_count && system ? DAEMON_SYSTEM : DAEMON_PLUGINS;
}

static void describe_kernel(struct daemon *daemon)
{
	char release[KERNEL_RELEASE_SIZE];

	kernel_release(release);
	snprintf(daemon->kernel, sizeof(daemon->kernel), "Linux %s", release);
}

static int start(struct daemon *daemon)
{
	struct problems problems = {0};
	int r = read_config(daemon, &problems);

	log_problems(GB_LOG_ERROR, &problems);
	if (r < 0 && !problems.count)
		log_error("the configuration could not be read: %s", strerror(-r));
	problems_fini(&problems);
	if (r < 0)
		return DAEMON_USAGE;
	if (geteuid() != 0) {
		log_error("it runs as uid %u and must run as root, to see the processes of all users and to load BPF "
			  "programs: use sudo or the systemd unit",
			  (unsigned int)geteuid());
		return DAEMON_SYSTEM;
	}
	r = engine_init(&daemon->engine);
	if (r == 0)
		r = loop_signals(daemon->engine.loop, on_signal, daemon);
	if (r == 0)
		r = daemon_apply(daemon, daemon->config);
	if (r < 0) {
		log_error("it could not start: %s", strerror(-r));
		return DAEMON_SYSTEM;
	}
	if (open_control(daemon) < 0)
		return DAEMON_USAGE;
	return start_plugins(daemon);
}

static void daemon_fini(struct daemon *daemon)
{
	while (daemon->slot_count)
		slot_remove(daemon, daemon->slots[daemon->slot_count - 1]);
	free(daemon->slots);
	if (daemon->control)
		loop_unwatch(daemon->engine.loop, control_fd(daemon->control));
	control_close(daemon->control);
	free(daemon->control_path);
	engine_fini(&daemon->engine);
	config_free(daemon->config);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {.options = options, .started_ns = clock_now_ns()};
	int code, r;

	signal(SIGPIPE, SIG_IGN);
	umask(077);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	describe_kernel(&daemon);
	code = start(&daemon);
	if (code == 0) {
		drop_capabilities(&daemon);
		daemon_seen(&daemon);
		r = run(&daemon);
		notify_stopping();
		if (r < 0)
			log_error("the event loop failed: %s", strerror(-r));
		code = r < 0 ? DAEMON_SYSTEM : DAEMON_STOPPED;
		for (size_t i = 0; i < daemon.slot_count; i++)
			if (daemon.slots[i]->plugin)
				plugin_summarise(daemon.slots[i]->plugin);
		journal_write(daemon.engine.journal, &(struct event){.name = "daemon.stopped"});
	}
	daemon_fini(&daemon);
	return code;
}
