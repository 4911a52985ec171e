/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

static const char *const actions[] = {[SYSV_ACTION_REPORT] = "report", [SYSV_ACTION_REMOVE] = "remove", NULL};
static const char *const kinds[] = {[SYSV_SHM] = "shm", [SYSV_SEM] = "sem", [SYSV_MSG] = "msg", NULL};

#define TIMEOUT_LEAST (1 * GB_SECOND)
#define TIMEOUT_MOST (30 * GB_DAY)

enum { /* in rule_options[], behind the seven of GB_OWNER_MATCH_OPTIONS() */
       RULE_KIND = 7,
       RULE_KEY,
       RULE_OWNER_UID,
       RULE_TIMEOUT,
       RULE_ACTION,
       RULE_PRESSURE
};

static const struct gb_option rule_options[] = {
	GB_OWNER_MATCH_OPTIONS(struct sysv_rule, owner),
	[RULE_KIND] = GB_OPTION_ENUM("kind", struct sysv_rule, kind, NULL, kinds, "kind of object"),
	[RULE_KEY] = GB_OPTION_MASK("key", struct sysv_rule, key, NULL, 1, UINT32_MAX,
				    "the object's key, or VALUE/MASK for all keys that begin alike"),
	[RULE_OWNER_UID] = GB_OPTION_INTEGER("owner_uid", struct sysv_rule, owner_uid, NULL, 0, 4294967294,
					     "user id of the object's owner or creator"),
	[RULE_TIMEOUT] = GB_OPTION_DURATION("timeout", struct sysv_rule, timeout_ns, NULL, TIMEOUT_LEAST, TIMEOUT_MOST,
					    "instead of the plugin's own"),
	[RULE_ACTION] =
		GB_OPTION_ENUM("action", struct sysv_rule, action, NULL, actions, "instead of the plugin's own"),
	[RULE_PRESSURE] =
		GB_OPTION_INTEGER("pressure", struct sysv_rule, pressure, NULL, 0, 100, "instead of the plugin's own"),
};

const struct gb_option sysv_options[SYSV_OPTION_COUNT] = {
	GB_OPTION_DURATION("timeout", struct sysv_config, timeout_ns, "24h", TIMEOUT_LEAST, TIMEOUT_MOST,
			   "how long unused before an object is a ghost"),
	GB_OPTION_ENUM("action", struct sysv_config, action, "remove", actions,
		       "remove: delete the object; report: only tell"),
	GB_OPTION_INTEGER("pressure", struct sysv_config, pressure, "0", 0, 100,
			  "act only when the namespace has used so many per cent of a limit of the kind"),
	GB_OPTION_GROUPS("rules", struct sysv_config, rules, rule_options, struct sysv_rule,
			 "exceptions; the first that matches applies"),
};

/*
 * Programs whose objects outlive them by design, by key. Removing Aerospike's costs hours of rebuilding; Informix' keys are
 * 0x52564801 plus 0x10000 for each server number. Programs without a key of their own kind (PostgreSQL, PHP, Perl) are
 * protected by the rule that a keyed object needs a rule.
 */
static const struct {
	struct gb_mask key;
	uint32_t kind;
	const char *program;
} kept[] = {
	{{0xae000000, 0xff000000}, SYSV_SHM, "aerospike-primary-index"},
	{{0xa2000000, 0xff000000}, SYSV_SHM, "aerospike-secondary-index"},
	{{0xad000000, 0xff000000}, SYSV_SHM, "aerospike-data"},
	{{0x52004800, 0xff00ff00}, SYSV_SHM, "informix"},
	{{0x53004800, 0xff00ff00}, SYSV_SHM, "informix"},
};

static bool key_matches(const struct gb_mask *key, uint32_t value)
{
	return (value & key->mask) == key->value;
}

const char *sysv_kept_by(uint32_t kind, uint32_t key)
{
	for (size_t i = 0; i < GB_COUNT(kept); i++)
		if (kept[i].kind == kind && key_matches(&kept[i].key, key))
			return kept[i].program;
	return NULL;
}

const char *sysv_kind_name(uint32_t kind)
{
	return kind < SYSV_KINDS ? kinds[kind] : "unknown";
}

const char *sysv_action_name(int32_t action)
{
	return actions[action == SYSV_ACTION_REMOVE ? SYSV_ACTION_REMOVE : SYSV_ACTION_REPORT];
}

static bool is_set(const struct sysv_rule *rule, unsigned int member)
{
	return rule->group.present & UINT64_C(1) << member;
}

static const struct sysv_rule *rule_at(const struct sysv_config *config, uint32_t index)
{
	return (const struct sysv_rule *)config->rules.items + index;
}

uint64_t sysv_config_timeout(const struct sysv_config *config)
{
	uint64_t least = config->timeout_ns;

	for (uint32_t i = 0; i < config->rules.count; i++)
		if (is_set(rule_at(config, i), RULE_TIMEOUT) && rule_at(config, i)->timeout_ns < least)
			least = rule_at(config, i)->timeout_ns;
	return least;
}

static bool owner_asked(const struct sysv_rule *rule)
{
	return rule->group.present & ((UINT64_C(1) << RULE_KIND) - 1);
}

static bool owners_match(const struct sysv_rule *rule, const struct gb_host *host, const struct gb_owner *owners,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (host->owner_matches(host, &rule->owner, &owners[i], NULL) == 1)
			return true;
	return false;
}

static bool rule_matches(const struct sysv_rule *rule, const struct gb_host *host, const struct sysv_subject *subject,
			 const struct gb_owner *owners, size_t count)
{
	if (is_set(rule, RULE_KIND) && (uint32_t)rule->kind != subject->kind)
		return false;
	if (is_set(rule, RULE_KEY) && !key_matches(&rule->key, subject->key))
		return false;
	if (is_set(rule, RULE_OWNER_UID) && rule->owner_uid != subject->uid && rule->owner_uid != subject->creator_uid)
		return false;
	return !owner_asked(rule) || owners_match(rule, host, owners, count);
}

static void rule_apply(const struct sysv_rule *rule, struct sysv_policy *policy)
{
	if (is_set(rule, RULE_TIMEOUT))
		policy->limits.timeout_ns = rule->timeout_ns;
	if (is_set(rule, RULE_ACTION))
		policy->action = rule->action;
	if (is_set(rule, RULE_PRESSURE))
		policy->limits.pressure = (uint32_t)rule->pressure;
	if (is_set(rule, RULE_KEY))
		policy->limits.named |= SYSV_NAMED | SYSV_KEY_NAMED;
	if (is_set(rule, RULE_OWNER_UID) || owner_asked(rule))
		policy->limits.named |= SYSV_NAMED;
	policy->line = rule->group.line;
}

struct sysv_policy sysv_policy_of(const struct sysv_config *config, const struct gb_host *host,
				  const struct sysv_subject *subject, const struct gb_owner *owners, size_t owner_count)
{
	struct sysv_policy policy = {
		.limits = {.timeout_ns = config->timeout_ns, .pressure = (uint32_t)config->pressure},
		.action = config->action,
	};

	for (uint32_t i = 0; i < config->rules.count; i++) {
		const struct sysv_rule *rule = rule_at(config, i);

		if (!rule_matches(rule, host, subject, owners, owner_count))
			continue;
		rule_apply(rule, &policy);
		break;
	}
	return policy;
}
