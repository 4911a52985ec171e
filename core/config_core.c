/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own options: the `ghostbuster` group. */
#include "config_private.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "nearest.h"

#define COMM_MAX 15 /* bytes that the kernel keeps of a command name */
#define CONTAINER_MIN 12
#define CONTAINER_MAX 64

struct main_values {
	int32_t mode;
	const char *control;
};

static const char *const modes[] = {"reap", "observe", NULL};
static const char *const formats[] = {"text", "json", NULL};

static const struct gb_option main_options[] = {
	GB_OPTION_ENUM("mode", struct main_values, mode, "reap", modes,
		       "observe: everything but the reaping, each would-be reaping in the journal"),
	GB_OPTION_STRING("control", struct main_values, control, "/run/ghostbuster/control.sock",
			 "path of the control socket"),
};

static const struct gb_option journal_options[] = {
	GB_OPTION_ENUM("format", struct config_journal, format, "text", formats,
		       "one line an event: for people, or one JSON object"),
	GB_OPTION_BOOL("summary", struct config_journal, summary, "true",
		       "count what is more than 1000 lines a minute of one plugin and event; false: each has its line"),
};

static const struct gb_option scope_options[] = {
	GB_OPTION_STRINGS("netns", struct config_scope, netns, "network namespaces to look at; empty: all"),
	GB_OPTION_STRINGS("ipcns", struct config_scope, ipcns, "IPC namespaces to look at; empty: all"),
	GB_OPTION_STRINGS("paths", struct config_scope, paths, "paths to look at; empty: all"),
};

static const struct gb_option exempt_options[] = {
	GB_OWNER_MATCH_OPTIONS(struct exemption, owner),
	GB_OPTION_RANGE("port", struct exemption, port, NULL, 1, 65535, "the resource's local port"),
	GB_OPTION_STRING("path", struct exemption, path, NULL, "the resource's path (wildcards)"),
};

static const struct gb_option guard_options[] = {
	GB_OPTION_GROUPS("exempt", struct config_guard, exempt, exempt_options, struct exemption,
			 "what is never reaped: all that an entry sets must match any one holder"),
	GB_OPTION_INTEGER("rate", struct config_guard, rate, "100", 1, 1000000,
			  "ghosts that a plugin may reap in a second"),
	GB_OPTION_INTEGER("burst", struct config_guard, burst, "1000", 1, 10000000,
			  "ghosts that a plugin may reap at once"),
	GB_OPTION_INTEGER("failures", struct config_guard, failures, "10", 1, 1000, /* BREAKER_FAILURES_MAX */
			  "so many failures within failure_window stop a plugin's reaping"),
	GB_OPTION_DURATION("failure_window", struct config_guard, failure_window_ns, "1m", GB_SECOND, GB_DAY,
			   "see failures"),
	GB_OPTION_DURATION("owner_grace", struct config_guard, owner_grace_ns, "5s", 0, GB_HOUR,
			   "an owner that dies so soon after a reaping stops the plugin's reaping"),
};

static const char *const main_groups[] = {"journal", "scope", "guard", NULL};

#define TABLE(options_, struct_, subject_) \
	{ \
		.options = (options_), .count = GB_COUNT(options_), .stride = sizeof(struct gb_option), \
		.data_size = sizeof(struct_), .subject = (subject_) \
	}

static const struct {
	const char *key; /* of the group inside of `ghostbuster`; NULL: that group itself */
	struct option_table table;
} parts[CONFIG_PARTS] = {
	[CONFIG_PART_MAIN] = {NULL, TABLE(main_options, struct main_values, "ghostbuster")},
	[CONFIG_PART_JOURNAL] = {"journal", TABLE(journal_options, struct config_journal, "ghostbuster.journal")},
	[CONFIG_PART_SCOPE] = {"scope", TABLE(scope_options, struct config_scope, "ghostbuster.scope")},
	[CONFIG_PART_GUARD] = {"guard", TABLE(guard_options, struct config_guard, "ghostbuster.guard")},
};

/* Which part an override is for; its key inside of that part. A key that no part has goes to the main one, which says so. */
static enum config_part override_part(const struct override *override, const char **ret_key)
{
	size_t length = strcspn(override->key, ".");

	for (enum config_part part = CONFIG_PART_MAIN + 1; part < CONFIG_PARTS; part++)
		if (override->key[length] && strlen(parts[part].key) == length &&
		    !strncmp(parts[part].key, override->key, length)) {
			*ret_key = override->key + length + 1;
			return part;
		}
	*ret_key = override->key;
	return CONFIG_PART_MAIN;
}

/* Overrides that no table can judge: of a whole group, or of a group that does not exist. */
static bool override_is_bad(const struct override *override, const char *key, struct problems *problems)
{
	size_t length = strcspn(key, ".");
	const char *nearest;
	char group[NEAREST_WORD_MAX + 1];

	for (const char *const *name = main_groups; *name; name++)
		if (!strcmp(key, *name)) {
			problems_add(problems, override->typed, 0,
				     OVERRIDE_CORE ": %s is a group, want --set " OVERRIDE_CORE ".%s.KEY=VALUE", key,
				     key);
			return true;
		}
	if (!key[length] || length > NEAREST_WORD_MAX)
		return false;
	memcpy(group, key, length);
	group[length] = '\0';
	nearest = nearest_word(group, main_groups, sizeof(main_groups) / sizeof(main_groups[0]) - 1);
	if (nearest)
		problems_add(problems, override->typed, 0, OVERRIDE_CORE ": unknown group \"%s\", did you mean \"%s\"?",
			     group, nearest);
	return nearest != NULL;
}

/* The overrides of one part, with the keys that its table knows; in the arena. */
static int part_overrides(struct config *config, enum config_part part, struct problems *problems,
			  struct option_source *source)
{
	struct config_private *private = config->private;
	struct override *selected = arena_alloc(&private->arena, private->override_count * sizeof(*selected));
	size_t count = 0;

	if (!selected)
		return -ENOMEM;
	for (size_t i = 0; i < private->override_count; i++) {
		struct override override = private->overrides[i];
		const char *key;

		if (strcmp(override.scope, OVERRIDE_CORE) != 0 || override_part(&override, &key) != part)
			continue;
		if (part == CONFIG_PART_MAIN && override_is_bad(&override, key, problems))
			continue;
		override.key = key;
		selected[count++] = override;
	}
	source->overrides = selected;
	source->override_count = count;
	return 0;
}

static int part_decode(struct config *config, enum config_part part, struct problems *problems)
{
	config_setting_t *core =
		config_setting_get_member(config_root_setting(&config->private->parsed), OVERRIDE_CORE);
	struct option_source source = {.file = config->file, .group = core};
	struct option_table table = parts[part].table;
	int rc;

	if (part == CONFIG_PART_MAIN)
		table.others = main_groups;
	else
		source.group =
			core && config_setting_is_group(core) ? config_setting_get_member(core, parts[part].key) : NULL;
	rc = part_overrides(config, part, problems, &source);
	return rc < 0 ? rc : settings_decode(&table, &source, problems, &config->private->parts[part]);
}

/* Where an option of the main part was set: the last --set wins over the file. */
static void main_place(const struct config *config, const char *key, const char **ret_file, unsigned int *ret_line)
{
	const struct config_private *private = config->private;
	const config_setting_t *core = config_setting_get_member(config_root_setting(&private->parsed), OVERRIDE_CORE);
	const config_setting_t *setting = core ? config_setting_get_member(core, key) : NULL;

	*ret_file = config->file;
	*ret_line = setting ? config_setting_source_line(setting) : 0;
	for (size_t i = 0; i < private->override_count; i++)
		if (!strcmp(private->overrides[i].scope, OVERRIDE_CORE) && !strcmp(private->overrides[i].key, key)) {
			*ret_file = private->overrides[i].typed;
			*ret_line = 0;
		}
}

static void control_check(const struct config *config, struct problems *problems)
{
	struct sockaddr_un address;
	unsigned int line;
	const char *file;

	if (*config->control == '/' && strlen(config->control) < sizeof(address.sun_path))
		return;
	main_place(config, "control", &file, &line);
	problems_add(problems, file, line,
		     "ghostbuster: control = \"%.120s\", want an absolute path of at most %zu bytes", config->control,
		     sizeof(address.sun_path) - 1);
}

static bool container_is_good(const char *container)
{
	size_t length = strlen(container);

	return length >= CONTAINER_MIN && length <= CONTAINER_MAX &&
	       strspn(container, "0123456789abcdefABCDEF") == length;
}

/* An exemption that can match nothing protects nobody, one that asks nothing protects everything: both are mistakes. */
static void exemption_check(const struct exemption *exemption, uint32_t number, struct problems *problems)
{
	const struct gb_owner_match *owner = &exemption->owner;
	const struct {
		const char *key, *text;
	} texts[] = {{"comm", owner->comm},           {"exe", owner->exe},       {"unit", owner->unit},
		     {"container", owner->container}, {"cgroup", owner->cgroup}, {"netns", owner->netns},
		     {"path", exemption->path}};
	const char *file = exemption->group.file;
	unsigned int line = exemption->group.line;
	bool asks = owner->uid >= 0 || exemption->port.first <= exemption->port.last;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		asks |= texts[i].text != NULL;
		if (texts[i].text && !*texts[i].text)
			problems_add(problems, file, line,
				     "ghostbuster.guard: exempt #%u: %s = \"\", want a text that is not empty", number,
				     texts[i].key);
	}
	if (!asks)
		problems_add(
			problems, file, line,
			"ghostbuster.guard: exempt #%u: sets nothing and would exempt everything, want at least one "
			"of comm, exe, uid, unit, container, cgroup, netns, port, path",
			number);
	if (owner->comm && strlen(owner->comm) > COMM_MAX)
		problems_add(problems, file, line,
			     "ghostbuster.guard: exempt #%u: comm = \"%.64s\", want at most %d bytes: the kernel keeps "
			     "no more of a command's name",
			     number, owner->comm, COMM_MAX);
	if (owner->container && *owner->container && !container_is_good(owner->container))
		problems_add(problems, file, line,
			     "ghostbuster.guard: exempt #%u: container = \"%.64s\", want %d to %d hex digits", number,
			     owner->container, CONTAINER_MIN, CONTAINER_MAX);
}

/* The parts' structs are copied flat: what they point to stays with the settings, which live as long. */
static void core_take(struct config *config, struct problems *problems)
{
	struct settings **settings = config->private->parts;
	const struct main_values *main_values;
	const struct exemption *exemptions;

	if (settings[CONFIG_PART_MAIN]) {
		main_values = settings_data(settings[CONFIG_PART_MAIN]);
		config->mode = main_values->mode;
		config->control = main_values->control;
		control_check(config, problems);
	}
	if (settings[CONFIG_PART_JOURNAL])
		config->journal = *(const struct config_journal *)settings_data(settings[CONFIG_PART_JOURNAL]);
	if (settings[CONFIG_PART_SCOPE])
		config->scope = *(const struct config_scope *)settings_data(settings[CONFIG_PART_SCOPE]);
	if (settings[CONFIG_PART_GUARD]) {
		config->guard = *(const struct config_guard *)settings_data(settings[CONFIG_PART_GUARD]);
		exemptions = config->guard.exempt.items;
		for (uint32_t i = 0; i < config->guard.exempt.count; i++)
			exemption_check(&exemptions[i], i + 1, problems);
	}
}

int config_core_decode(struct config *config, struct problems *problems)
{
	size_t problems_before = problems->count;

	for (enum config_part part = CONFIG_PART_MAIN; part < CONFIG_PARTS; part++) {
		int rc = part_decode(config, part, problems);

		if (rc == -ENOMEM)
			return rc;
	}
	core_take(config, problems);
	return problems->count > problems_before ? -EINVAL : 0;
}

bool config_part_equal(const struct config *a, const struct config *b, enum config_part part)
{
	return settings_equal(a->private->parts[part], b->private->parts[part]);
}

json_t *config_json(const struct config *config)
{
	json_t *object = settings_json(config->private->parts[CONFIG_PART_MAIN]);

	for (enum config_part part = CONFIG_PART_MAIN + 1; object && part < CONFIG_PARTS; part++)
		if (json_object_set_new(object, parts[part].key, settings_json(config->private->parts[part])) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}
