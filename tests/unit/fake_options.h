/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a plugin that has one of every type, and how a text is read by them. */
#ifndef TESTS_UNIT_FAKE_OPTIONS_H
#define TESTS_UNIT_FAKE_OPTIONS_H

#include "option.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake_rule {
	struct gb_group group;
	struct gb_owner_match owner;
	uint64_t timeout_ns;
	struct gb_range port;
	struct gb_cidr remote;
	struct gb_strings names;
	int32_t action;
};

struct fake_config {
	bool verbose;
	int64_t depth;
	uint64_t memory;
	uint64_t timeout_ns;
	const char *label;
	const char *unset;
	int32_t action;
	struct gb_strings paths;
	struct gb_groups rules;
	struct gb_range ports;
	struct gb_cidr network;
	int64_t any;
	struct gb_mask number;
};

static const char *const actions[] = {"report", "shutdown", "destroy", NULL};

static const struct gb_option rule_options[] = {
	GB_OPTION_DURATION("timeout", struct fake_rule, timeout_ns, NULL, GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	GB_OPTION_RANGE("local_port", struct fake_rule, port, NULL, 1, 65535, "local port"),
	GB_OPTION_CIDR("remote", struct fake_rule, remote, NULL, "peer"),
	GB_OPTION_STRINGS("names", struct fake_rule, names, "names"),
	GB_OPTION_ENUM("action", struct fake_rule, action, NULL, actions, "what to do"),
	GB_OWNER_MATCH_OPTIONS(struct fake_rule, owner),
};

static const struct gb_option fake_options[] = {
	GB_OPTION_BOOL("verbose", struct fake_config, verbose, "true", "say more"),
	GB_OPTION_INTEGER("depth", struct fake_config, depth, "7", -5, 100, "how deep"),
	GB_OPTION_SIZE("memory", struct fake_config, memory, "64M", 1024, INT64_C(1) << 40, "how much"),
	GB_OPTION_DURATION("timeout", struct fake_config, timeout_ns, "60s", GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	GB_OPTION_STRING("label", struct fake_config, label, "none", "a name"),
	GB_OPTION_STRING("unset", struct fake_config, unset, NULL, "a name that may be missing"),
	GB_OPTION_ENUM("action", struct fake_config, action, "destroy", actions, "what to do"),
	GB_OPTION_STRINGS("paths", struct fake_config, paths, "where"),
	GB_OPTION_GROUPS("rules", struct fake_config, rules, rule_options, struct fake_rule, "exceptions"),
	GB_OPTION_RANGE("ports", struct fake_config, ports, NULL, 1, 65535, "ports"),
	GB_OPTION_CIDR("network", struct fake_config, network, "10.0.0.0/8", "peers"),
	GB_OPTION_INTEGER("any", struct fake_config, any, NULL, INT64_MIN, INT64_MAX, "any number"),
	GB_OPTION_MASK("number", struct fake_config, number, NULL, 1, UINT32_MAX, "a key"),
};

static const char *const others[] = {"enabled", NULL};

static const struct option_table fake = {
	.options = fake_options,
	.count = GB_COUNT(fake_options),
	.stride = sizeof(struct gb_option),
	.data_size = sizeof(struct fake_config),
	.subject = "plugin \"fake\"",
	.others = others,
};

/* The text as FILE "f.cfg", the override "fake.KEY=VALUE" (may be NULL). Problems end up in one text, a line each. */
static char problems_text[8192];

static inline struct settings *decode(const struct option_table *table, const char *text, const char *set)
{
	struct problems problems = {0};
	struct settings *settings = NULL;
	struct override override = {0};
	struct option_source source = {.file = "f.cfg"};
	config_t parsed;
	int rc;

	config_init(&parsed);
	ck_assert_msg(config_read_string(&parsed, text) == CONFIG_TRUE, "%s: %s", text, config_error_text(&parsed));
	source.group = config_root_setting(&parsed);
	if (set) {
		ck_assert_int_eq(override_parse(set, &override, &problems), 0);
		source.overrides = &override;
		source.override_count = 1;
	}
	rc = settings_decode(table, &source, &problems, &settings);
	*problems_text = '\0';
	for (size_t i = 0; i < problems.count; i++) {
		strcat(problems_text, i ? "\n" : "");
		strcat(problems_text, problems.items[i]);
	}
	ck_assert_int_eq(rc, problems.count ? -EINVAL : 0);
	ck_assert(problems.count ? !settings : settings != NULL);
	problems_fini(&problems);
	override_fini(&override);
	config_destroy(&parsed);
	return settings;
}

#endif
