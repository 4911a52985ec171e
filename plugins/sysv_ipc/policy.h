/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration, and which part of it applies to one object: the first rule that matches, else the plugin's own. */
#ifndef SYSV_IPC_POLICY_H
#define SYSV_IPC_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "sysv_ipc.h"

enum sysv_action { SYSV_ACTION_REPORT, SYSV_ACTION_REMOVE };

/* The bits of gb_group.present follow the order of the members in rule_options[]. */
struct sysv_rule {
	struct gb_group group;
	struct gb_owner_match owner;
	int32_t kind; /* enum sysv_kind */
	struct gb_mask key;
	int64_t owner_uid;
	uint64_t timeout_ns;
	int32_t action;
	int64_t pressure;
};

struct sysv_config {
	uint64_t timeout_ns;
	int32_t action; /* enum sysv_action */
	int64_t pressure;
	struct gb_groups rules; /* of struct sysv_rule */
};

/* What rules look at, beside the owners. */
struct sysv_subject {
	uint32_t kind; /* enum sysv_kind */
	uint32_t key;  /* 0: IPC_PRIVATE */
	uint32_t uid, creator_uid;
};

struct sysv_policy {
	struct sysv_limits limits;
	int32_t action;
	uint32_t line; /* of the rule in the file; 0: no rule matched */
};

#define SYSV_OPTION_COUNT 4
extern const struct gb_option sysv_options[SYSV_OPTION_COUNT];

/* The shortest timeout that any rule gives: nothing can be due before it. */
uint64_t sysv_config_timeout(const struct sysv_config *config);

/* `owners`: who created or used it, alive or remembered; a rule about owners matches when any one of them does. */
struct sysv_policy sysv_policy_of(const struct sysv_config *config, const struct gb_host *host,
				  const struct sysv_subject *subject, const struct gb_owner *owners,
				  size_t owner_count);

/* The program that is known to keep objects with this key on purpose; NULL: none. */
const char *sysv_kept_by(uint32_t kind, uint32_t key);

const char *sysv_kind_name(uint32_t kind);
const char *sysv_action_name(int32_t action);

#endif
