/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration, and which part of it applies to one socket: the first rule that matches, else the plugin's own. */
#ifndef TCP_CLOSE_WAIT_POLICY_H
#define TCP_CLOSE_WAIT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "tcp_close_wait.h"

enum cw_action { CW_ACTION_REPORT, CW_ACTION_SHUTDOWN, CW_ACTION_DESTROY };

enum cw_refused { CW_REFUSED_REPORT, CW_REFUSED_DESTROY };

enum cw_peer_probe { CW_PROBE_AUTO, CW_PROBE_ALWAYS, CW_PROBE_NEVER };

enum cw_class { CW_CLASS_NEVER_LOOKED, CW_CLASS_STUCK_READER, CW_CLASS_LEAKED_AFTER_EOF, CW_CLASS_UNACCEPTED };

/* The bits of gb_group.present follow the order of the members in options.c. */
struct cw_rule {
	struct gb_group group;
	struct gb_owner_match owner;
	struct gb_range local_port;
	struct gb_cidr remote;
	int32_t class;
	uint64_t timeout_ns;
	int32_t action;
	int32_t peer_probe;
};

struct cw_config {
	uint64_t timeout_ns;
	int32_t action;           /* enum cw_action */
	int32_t shutdown_refused; /* enum cw_refused */
	int32_t method;           /* enum cw_method */
	int32_t peer_probe;       /* enum cw_peer_probe */
	uint64_t probe_interval_ns;
	int64_t probe_count;
	int64_t max_tracked;
	struct gb_groups rules; /* of struct cw_rule */
};

struct cw_policy {
	uint64_t timeout_ns;
	int32_t action;
	int32_t peer_probe;
	uint32_t line; /* of the rule in the file; 0: no rule matched */
};

#define CW_OPTION_COUNT 9
extern const struct gb_option cw_options[CW_OPTION_COUNT];

/* The shortest timeout that any rule gives: nothing can be due before it. */
uint64_t cw_config_timeout(const struct cw_config *config);

/* By what the application left in the receive queue: the FIN counts as one byte until it is read. */
enum cw_class cw_class_of(const struct cw_observation *seen);
const char *cw_class_name(enum cw_class class);

/* The first rule that holds for the socket and, where it asks for an owner, for any one of `owners`. */
struct cw_policy cw_policy_of(const struct cw_config *config, const struct gb_host *host,
			      const struct cw_observation *seen, const struct gb_owner *owners, size_t owner_count);

#endif
