/* SPDX-License-Identifier: Apache-2.0 */
/* A good plugin, of which tests/abi/CMakeLists.txt spoils one thing at a time. */
#include <eghostbuster/plugin.h>

#include "marker.h"

#ifndef FIXTURE_FIELDS
#define FIXTURE_FIELDS .flags = 0
#endif
#ifndef FIXTURE_OPTION
#define FIXTURE_OPTION good
#endif

struct rule {
	struct gb_group group;
	struct gb_owner_match owner;
	uint64_t timeout_ns;
};

struct config {
	uint64_t timeout_ns;
	int32_t action;
	struct gb_groups rules;
};

#define CHOICES8 "x", "x", "x", "x", "x", "x", "x", "x"
#define CHOICES64 CHOICES8, CHOICES8, CHOICES8, CHOICES8, CHOICES8, CHOICES8, CHOICES8, CHOICES8
__attribute__((unused)) static const char *const actions[] = {"report", "destroy", NULL};

__attribute__((unused)) static const char *const endless_choices[] = {CHOICES64, "x"};

static const struct gb_option members[] = {
	GB_OPTION_DURATION("timeout", struct rule, timeout_ns, NULL, 1 * GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	GB_OWNER_MATCH_OPTIONS(struct rule, owner),
};

#define good GB_OPTION_ENUM("action", struct config, action, "report", actions, "how it is released")
#define endless GB_OPTION_ENUM("action", struct config, action, "report", endless_choices, "how it is released")
#define bad GB_OPTION_ENUM("action", struct config, action, "explode", actions, "how it is released")

static const struct gb_option options[] = {
	GB_OPTION_DURATION("timeout", struct config, timeout_ns, "60s", 1 * GB_SECOND, 30 * GB_DAY, "age of a ghost"),
	FIXTURE_OPTION,
	GB_OPTION_GROUPS("rules", struct config, rules, members, struct rule,
			 "exceptions, the first that matches wins"),
};

static int fixture_open(const struct gb_host *host, const void *config, void **ret_state)
{
	(void)host;
	(void)config;
	*ret_state = NULL;
	return 0;
}

__attribute__((unused)) static int fixture_scan(void *state, struct gb_scan *scan)
{
	(void)state;
	scan->next_ns = scan->now_ns + 60 * GB_SECOND;
	return GB_DONE;
}

__attribute__((unused)) static void fixture_close(void *state)
{
	(void)state;
}

#ifdef FIXTURE_NO_CALLBACKS
#define CALLBACKS .open = fixture_open
#else
#define CALLBACKS .open = fixture_open, .scan = fixture_scan, .close = fixture_close
#endif

#define TIMES8(...) \
	__VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__
#define X8 TIMES8('x')
#define X64 TIMES8(X8)
#define X512 TIMES8(X64)
#define X4096 TIMES8(X512)
__attribute__((unused)) static const char long_text[] = {X4096, 'x', '\0'};

#define FIELDS \
	.name = FIXTURE_NAME, .version = "1.2.3", .summary = "a plugin of the tests", .roles = GB_ROLE_DETECTOR, \
	.capabilities = UINT64_C(1) << 12, .kernel_features = GB_KERNEL_BTF, .options = options, \
	.option_count = GB_COUNT(options), .option_size = sizeof(options[0]), .config_size = sizeof(struct config), \
	CALLBACKS

#if defined(FIXTURE_LARGER)

/* As by a header of the same minor whose struct has more at its end than the daemon knows. */
struct larger {
	struct gb_plugin plugin;
	const char *more;
};

extern const struct larger gb_plugin;
__attribute__((visibility("default"), used)) const struct larger gb_plugin = {
	.plugin = {.magic = GB_ABI_MAGIC, .abi_major = GB_ABI_MAJOR, .struct_size = sizeof(struct larger), FIELDS},
	.more = "more",
};

#elif defined(FIXTURE_REWRITTEN)

/* Not constant: the constructor makes another plugin of it. */
extern struct gb_plugin gb_plugin;
__attribute__((visibility("default"), used)) struct gb_plugin gb_plugin = {
	.magic = GB_ABI_MAGIC, .abi_major = GB_ABI_MAJOR, .struct_size = sizeof(struct gb_plugin), FIELDS};

__attribute__((constructor)) static void rewrite(void)
{
	gb_plugin.name = "another";
}

#else

GB_PLUGIN(FIELDS, FIXTURE_FIELDS);

#endif
