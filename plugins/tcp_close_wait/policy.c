/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <string.h>
#include <sys/socket.h>

#include "kernel.h"

static const char *const actions[] = {
	[CW_ACTION_REPORT] = "report", [CW_ACTION_SHUTDOWN] = "shutdown", [CW_ACTION_DESTROY] = "destroy", NULL};
static const char *const refusals[] = {[CW_REFUSED_REPORT] = "report", [CW_REFUSED_DESTROY] = "destroy", NULL};
static const char *const methods[] = {
	[CW_METHOD_AUTO] = "auto", [CW_METHOD_ITERATOR] = "iterator", [CW_METHOD_SOCK_DIAG] = "sock_diag", NULL};
static const char *const classes[] = {[CW_CLASS_NEVER_LOOKED] = "never-looked",
				      [CW_CLASS_STUCK_READER] = "stuck-reader",
				      [CW_CLASS_LEAKED_AFTER_EOF] = "leaked-after-eof",
				      [CW_CLASS_UNACCEPTED] = "unaccepted",
				      NULL};

static const char *const peer_probes[] = {
	[CW_PROBE_AUTO] = "auto", [CW_PROBE_ALWAYS] = "always", [CW_PROBE_NEVER] = "never", NULL};

#define TIMEOUT_LEAST (1 * GB_SECOND)
#define TIMEOUT_MOST (30 * GB_DAY)

/* In rule_options[], behind the seven of GB_OWNER_MATCH_OPTIONS(). */
enum rule_member { RULE_LOCAL_PORT = 7, RULE_REMOTE, RULE_CLASS, RULE_TIMEOUT, RULE_ACTION, RULE_PEER_PROBE };

static const struct gb_option rule_options[] = {
	GB_OWNER_MATCH_OPTIONS(struct cw_rule, owner),
	[RULE_LOCAL_PORT] = GB_OPTION_RANGE("local_port", struct cw_rule, local_port, NULL, 1, 65535,
					    "the server's port, or ports"),
	[RULE_REMOTE] = GB_OPTION_CIDR("remote", struct cw_rule, remote, NULL, "the peer's network"),
	[RULE_CLASS] =
		GB_OPTION_ENUM("class", struct cw_rule, class, NULL, classes, "what the application did with the end"),
	[RULE_TIMEOUT] = GB_OPTION_DURATION("timeout", struct cw_rule, timeout_ns, NULL, TIMEOUT_LEAST, TIMEOUT_MOST,
					    "instead of the plugin's own"),
	[RULE_ACTION] = GB_OPTION_ENUM("action", struct cw_rule, action, NULL, actions, "instead of the plugin's own"),
	[RULE_PEER_PROBE] = GB_OPTION_ENUM("peer_probe", struct cw_rule, peer_probe, NULL, peer_probes,
					   "instead of the plugin's own"),
};

const struct gb_option cw_options[CW_OPTION_COUNT] = {
	GB_OPTION_DURATION("timeout", struct cw_config, timeout_ns, "60s", TIMEOUT_LEAST, TIMEOUT_MOST,
			   "how long in CLOSE_WAIT, and silent, before a socket is a ghost"),
	GB_OPTION_ENUM("action", struct cw_config, action, "destroy", actions,
		       "destroy: reset the connection; shutdown: end it gently; report: only tell"),
	GB_OPTION_ENUM("shutdown_refused", struct cw_config, shutdown_refused, "report", refusals,
		       "instead of a shutdown where the kernel refuses pidfd_getfd, as under Yama ptrace_scope 3"),
	GB_OPTION_ENUM(
		"method", struct cw_config, method, "auto", methods,
		"iterator: judge and destroy under the socket's lock (Linux 6.5); sock_diag: read again, then SOCK_DESTROY"),
	GB_OPTION_ENUM(
		"peer_probe", struct cw_config, peer_probe, "auto", peer_probes,
		"ask the peer before the release; auto: when timeout is at least the namespace's tcp_fin_timeout"),
	GB_OPTION_DURATION("probe_interval", struct cw_config, probe_interval_ns, "10s", 1 * GB_SECOND, 1 * GB_HOUR,
			   "between two probes that stay unanswered"),
	GB_OPTION_INTEGER("probe_count", struct cw_config, probe_count, "6", 1, 90,
			  "unanswered probes that prove that the peer is gone"),
	GB_OPTION_INTEGER("max_tracked", struct cw_config, max_tracked, "262144", 16, 16777216,
			  "sockets in CLOSE_WAIT that are tracked at the same time"),
	GB_OPTION_GROUPS("rules", struct cw_config, rules, rule_options, struct cw_rule,
			 "exceptions; the first that matches applies"),
};

static bool is_set(const struct cw_rule *rule, unsigned int member)
{
	return rule->group.present & UINT64_C(1) << member;
}

static const struct cw_rule *rule_at(const struct cw_config *config, uint32_t index)
{
	return (const struct cw_rule *)config->rules.items + index;
}

uint64_t cw_config_timeout(const struct cw_config *config)
{
	uint64_t least = config->timeout_ns;

	for (uint32_t i = 0; i < config->rules.count; i++)
		if (is_set(rule_at(config, i), RULE_TIMEOUT) && rule_at(config, i)->timeout_ns < least)
			least = rule_at(config, i)->timeout_ns;
	return least;
}

enum cw_class cw_class_of(const struct cw_observation *seen)
{
	if (!(seen->flags & CW_ACCEPTED))
		return CW_CLASS_UNACCEPTED;
	if (seen->rqueue == 0)
		return CW_CLASS_LEAKED_AFTER_EOF;
	return seen->rqueue == 1 ? CW_CLASS_NEVER_LOOKED : CW_CLASS_STUCK_READER;
}

const char *cw_class_name(enum cw_class class)
{
	return classes[class];
}

/* An IPv4-mapped peer is an IPv4 peer. */
static bool remote_matches(const struct gb_cidr *cidr, const struct cw_tuple *tuple)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *address = tuple->remote_addr;
	uint16_t family = tuple->family;
	unsigned int bytes = cidr->prefix_len / 8, bits = cidr->prefix_len % 8;

	if (family == AF_INET6 && memcmp(address, mapped, sizeof(mapped)) == 0 && cidr->family == AF_INET) {
		address += sizeof(mapped);
		family = AF_INET;
	}
	if (family != cidr->family || memcmp(address, cidr->address, bytes))
		return false;
	return !bits || (address[bytes] ^ cidr->address[bytes]) >> (8 - bits) == 0;
}

static bool owner_asked(const struct cw_rule *rule)
{
	return rule->group.present & ((UINT64_C(1) << RULE_LOCAL_PORT) - 1);
}

static bool owners_match(const struct cw_rule *rule, const struct gb_host *host, const struct cw_observation *seen,
			 const struct gb_owner *owners, size_t count)
{
	struct gb_ns ns = {.kind = GB_NS_NET, .inode = seen->tuple.netns, .socket_fd = -1};

	for (size_t i = 0; i < count; i++)
		if (host->owner_matches(host, &rule->owner, &owners[i], &ns) == 1)
			return true;
	return false;
}

static bool rule_matches(const struct cw_rule *rule, const struct gb_host *host, const struct cw_observation *seen,
			 const struct gb_owner *owners, size_t count)
{
	uint16_t port = seen->tuple.local_port;

	if (is_set(rule, RULE_LOCAL_PORT) && (port < rule->local_port.first || port > rule->local_port.last))
		return false;
	if (is_set(rule, RULE_REMOTE) && !remote_matches(&rule->remote, &seen->tuple))
		return false;
	if (is_set(rule, RULE_CLASS) && (enum cw_class)rule->class != cw_class_of(seen))
		return false;
	return !owner_asked(rule) || owners_match(rule, host, seen, owners, count);
}

struct cw_policy cw_policy_of(const struct cw_config *config, const struct gb_host *host,
			      const struct cw_observation *seen, const struct gb_owner *owners, size_t owner_count)
{
	struct cw_policy policy = {
		.timeout_ns = config->timeout_ns, .action = config->action, .peer_probe = config->peer_probe};

	for (uint32_t i = 0; i < config->rules.count; i++) {
		const struct cw_rule *rule = rule_at(config, i);

		if (!rule_matches(rule, host, seen, owners, owner_count))
			continue;
		if (is_set(rule, RULE_TIMEOUT))
			policy.timeout_ns = rule->timeout_ns;
		if (is_set(rule, RULE_ACTION))
			policy.action = rule->action;
		if (is_set(rule, RULE_PEER_PROBE))
			policy.peer_probe = rule->peer_probe;
		policy.line = rule->group.line;
		break;
	}
	return policy;
}
