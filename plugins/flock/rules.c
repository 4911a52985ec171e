/* SPDX-License-Identifier: Apache-2.0 */
/* Options, and which of them apply to a lock: the first rule that matches, else the plugin's own. */
#include <fnmatch.h>
#include <signal.h>

#include "fl.h"
#include "process.h"

static const char *const actions[] = {
	[FL_ACTION_REPORT] = "report", [FL_ACTION_UNLOCK] = "unlock", [FL_ACTION_SIGNAL] = "signal", NULL};
static const char *const kinds[] = {[FL_FLOCK] = "flock", [FL_OFD] = "ofd", [FL_POSIX] = "posix", NULL};
static const char *const signal_names[] = {"TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "KILL", NULL};
const int fl_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL};
static const char *const targets[] = {[FL_TO_HOLDERS] = "holders", [FL_TO_OLDEST] = "oldest", NULL};

/* In the order of the bits of gb_group.present. */
enum member { HAS_TIMEOUT, HAS_ACTION, HAS_SIGNAL, HAS_SIGNAL_TO, HAS_PATH, HAS_KIND, HAS_OWNER };
#define OWNER_MEMBERS 7

#define TREATMENT_OPTIONS(struct_, timeout_, action_, signal_, signal_to_) \
	GB_OPTION_DURATION("timeout", struct_, treatment.timeout_ns, timeout_, 1 * GB_SECOND, 30 * GB_DAY, \
			   "how long held, with somebody kept out, before a lock is looked at"), \
		GB_OPTION_ENUM("action", struct_, treatment.action, action_, actions, \
			       "report: only tell; unlock: release what leaked; signal: signal its holders"), \
		GB_OPTION_ENUM("signal", struct_, treatment.signal, signal_, signal_names, \
			       "what action = signal sends"), \
		GB_OPTION_ENUM("signal_to", struct_, treatment.signal_to, signal_to_, targets, \
			       "holders: every process that holds the lock; oldest: the one that was born first")

static const struct gb_option rule_options[] = {
	TREATMENT_OPTIONS(struct fl_rule, NULL, NULL, NULL, NULL),
	GB_OPTION_STRING("path", struct fl_rule, path, NULL, "the locked file (wildcards)"),
	GB_OPTION_ENUM("kind", struct fl_rule, kind, NULL, kinds, "flock(), open-file-description or POSIX lock"),
	GB_OWNER_MATCH_OPTIONS(struct fl_rule, owner),
};

const struct gb_option fl_options[FL_OPTION_COUNT] = {
	TREATMENT_OPTIONS(struct fl_config, "60s", "report", "TERM", "holders"),
	GB_OPTION_INTEGER("max_tracked", struct fl_config, max_tracked, "32768", 1024, 1048576,
			  "locks whose taker is remembered at the same time"),
	GB_OPTION_GROUPS("rules", struct fl_config, rules, rule_options, struct fl_rule,
			 "the first that matches a lock sets its timeout, action and signal"),
};

static bool has(const struct fl_rule *rule, enum member member)
{
	return rule->group.present >> member & 1;
}

static bool asks_for_owner(const struct fl_rule *rule)
{
	return rule->group.present >> HAS_OWNER & ((1U << OWNER_MEMBERS) - 1);
}

/* A rule that only tells applies when any one holder is meant; one that acts, only when every holder is. */
static bool owners_match(struct fl *fl, const struct fl_rule *rule, const struct fl_case *seen, bool any)
{
	bool some = false;

	for (size_t i = 0; i < seen->holding_count; i++) {
		const struct fl_record *holding = &seen->holdings[i];
		struct gb_owner owner = {.struct_size = sizeof(owner)};
		bool matches;

		if (i && holding->tgid == seen->holdings[i - 1].tgid)
			continue;
		matches = fl->host->owner(fl->host, holding->tgid, fl_start_ticks(holding->start_ns), &owner) == 0 &&
			  fl->host->owner_matches(fl->host, &rule->owner, &owner, NULL) == 1;
		if (matches && any)
			return true;
		if (!matches && !any)
			return false;
		some |= matches;
	}
	return some;
}

static struct fl_treatment treatment_of(const struct fl_config *config, const struct fl_rule *rule)
{
	struct fl_treatment treatment = config->treatment;

	if (has(rule, HAS_TIMEOUT))
		treatment.timeout_ns = rule->treatment.timeout_ns;
	if (has(rule, HAS_ACTION))
		treatment.action = rule->treatment.action;
	if (has(rule, HAS_SIGNAL))
		treatment.signal = rule->treatment.signal;
	if (has(rule, HAS_SIGNAL_TO))
		treatment.signal_to = rule->treatment.signal_to;
	return treatment;
}

static bool rule_matches(struct fl *fl, const struct fl_rule *rule, const struct fl_case *seen, int32_t action)
{
	if (has(rule, HAS_PATH) && (!seen->path[0] || fnmatch(rule->path, seen->path, 0) != 0))
		return false;
	if (has(rule, HAS_KIND) && rule->kind != seen->lock.kind)
		return false;
	return !asks_for_owner(rule) || owners_match(fl, rule, seen, action == FL_ACTION_REPORT);
}

struct fl_treatment fl_rules_treat(struct fl *fl, const struct fl_case *seen)
{
	const struct gb_groups *rules = &fl->config->rules;

	for (uint32_t i = 0; i < rules->count; i++) {
		const struct fl_rule *rule = (const void *)((const char *)rules->items + (size_t)i * rules->item_size);
		struct fl_treatment treatment = treatment_of(fl->config, rule);

		if (rule_matches(fl, rule, seen, treatment.action))
			return treatment;
	}
	return fl->config->treatment;
}

static uint64_t timeout_of(const struct fl_config *config, uint32_t rule)
{
	return treatment_of(config,
			    (const void *)((const char *)config->rules.items + (size_t)rule * config->rules.item_size))
		.timeout_ns;
}

uint64_t fl_rules_shortest(const struct fl_config *config)
{
	uint64_t timeout_ns = config->treatment.timeout_ns;

	for (uint32_t i = 0; i < config->rules.count; i++)
		if (timeout_of(config, i) < timeout_ns)
			timeout_ns = timeout_of(config, i);
	return timeout_ns;
}

uint64_t fl_rules_longest(const struct fl_config *config)
{
	uint64_t timeout_ns = config->treatment.timeout_ns;

	for (uint32_t i = 0; i < config->rules.count; i++)
		if (timeout_of(config, i) > timeout_ns)
			timeout_ns = timeout_of(config, i);
	return timeout_ns;
}
