/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration with all that reads it. The input is the file's text; lines behind one that is "--set" are arguments of
 * --set. Whatever is accepted must be equal to itself when it is read again, and every refusal must say something.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 65536 /* bytes: libconfig looks for twins of every setting, in quadratic time */
#define OVERRIDES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig before 1.6 loses the string it was reading when it finds a mistake. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

struct rule {
	struct gb_group group;
	struct gb_owner_match owner;
	uint64_t timeout_ns;
	struct gb_range port;
	struct gb_cidr remote;
	struct gb_strings names;
	int32_t action;
};

struct values {
	struct gb_strings paths;
	struct gb_groups rules;
	struct gb_range ports;
	struct gb_cidr network;
	struct gb_mask number;
	uint64_t timeout_ns, memory;
	int64_t depth;
	const char *label;
	int32_t action;
	bool verbose;
};

static const char *const actions[] = {"report", "destroy", NULL};

static const struct gb_option rule_options[] = {
	GB_OPTION_DURATION("timeout", struct rule, timeout_ns, NULL, GB_SECOND, 30 * GB_DAY, "h"),
	GB_OPTION_RANGE("local_port", struct rule, port, NULL, 1, 65535, "h"),
	GB_OPTION_CIDR("remote", struct rule, remote, NULL, "h"),
	GB_OPTION_STRINGS("names", struct rule, names, "h"),
	GB_OPTION_ENUM("action", struct rule, action, NULL, actions, "h"),
	GB_OWNER_MATCH_OPTIONS(struct rule, owner),
};

static const struct gb_option options[] = {
	GB_OPTION_BOOL("verbose", struct values, verbose, "true", "h"),
	GB_OPTION_INTEGER("depth", struct values, depth, "7", INT64_MIN, INT64_MAX, "h"),
	GB_OPTION_SIZE("memory", struct values, memory, "64M", 0, INT64_MAX, "h"),
	GB_OPTION_DURATION("timeout", struct values, timeout_ns, "60s", 0, INT64_MAX, "h"),
	GB_OPTION_STRING("label", struct values, label, NULL, "h"),
	GB_OPTION_ENUM("action", struct values, action, "destroy", actions, "h"),
	GB_OPTION_STRINGS("paths", struct values, paths, "h"),
	GB_OPTION_GROUPS("rules", struct values, rules, rule_options, struct rule, "h"),
	GB_OPTION_RANGE("ports", struct values, ports, NULL, INT64_MIN, INT64_MAX, "h"),
	GB_OPTION_CIDR("network", struct values, network, "10.0.0.0/8", "h"),
	GB_OPTION_MASK("number", struct values, number, NULL, 0, UINT32_MAX, "h"),
};

static const struct option_table table = {.options = options,
					  .count = GB_COUNT(options),
					  .stride = sizeof(struct gb_option),
					  .data_size = sizeof(struct values),
					  .subject = "plugin \"tcp_close_wait\"",
					  .others = config_plugin_keys};

static void need(bool condition)
{
	if (!condition)
		abort();
}

static size_t overrides_read(char *text, struct override overrides[OVERRIDES_MAX], struct problems *problems)
{
	char *at = strstr(text, "\n--set\n"), *line;
	size_t count = 0;

	if (!at)
		return 0;
	*at = '\0';
	at += strlen("\n--set\n");
	while (count < OVERRIDES_MAX && (line = strsep(&at, "\n")))
		if (override_parse(line, &overrides[count], problems) == 0)
			count++;
	problems_fini(problems);
	return count;
}

static void settings_try(const struct config *config)
{
	struct problems problems = {0};
	struct settings *a = NULL, *b = NULL;
	int rc = config_plugin_settings(config, &table, "tcp_close_wait", &problems, &a);

	need(rc == (problems.count ? -EINVAL : 0) && !a == (rc < 0));
	problems_fini(&problems);
	if (!a)
		return;
	need(config_plugin_settings(config, &table, "tcp_close_wait", &problems, &b) == 0);
	need(settings_equal(a, b));
	json_decref(settings_json(a));
	settings_free(a);
	settings_free(b);
}

static void config_try(const char *text, size_t size, const struct override *overrides, size_t count)
{
	struct problems problems = {0};
	struct config *a = NULL, *b = NULL;
	int rc = config_load_text("f.cfg", text, size, overrides, count, &problems, &a);

	need(rc == (problems.count ? -EINVAL : 0) && !a == (rc < 0));
	problems_fini(&problems);
	if (!a)
		return;
	need(config_load_text("f.cfg", text, size, overrides, count, &problems, &b) == 0);
	for (enum config_part part = 0; part < CONFIG_PARTS; part++)
		need(config_part_equal(a, b, part));
	json_decref(config_json(a));
	settings_try(a);
	config_free(a);
	config_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct override overrides[OVERRIDES_MAX];
	struct problems problems = {0};
	size_t count, length;
	char *text;

	if (size > INPUT_MAX)
		return 0;
	text = malloc(size + 1);
	need(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	count = overrides_read(text, overrides, &problems);
	length = count ? strlen(text) : size;
	config_try(text, length, overrides, count);
	while (count)
		override_fini(&overrides[--count]);
	free(text);
	return 0;
}
