/* SPDX-License-Identifier: Apache-2.0 */
/* A good descriptor, and a function that nobody has: what -Wl,-z,defs would have told its author. */
#include <eghostbuster/plugin.h>

int nobody_has_this(void);

static int unresolved_open(const struct gb_host *host, const void *config, void **ret_state)
{
	(void)host;
	(void)config;
	*ret_state = NULL;
	return nobody_has_this();
}

static int unresolved_scan(void *state, struct gb_scan *scan)
{
	(void)state;
	(void)scan;
	return GB_DONE;
}

static void unresolved_close(void *state)
{
	(void)state;
}

GB_PLUGIN(.name = "unresolved", .version = "1.0", .summary = "lacks a function", .roles = GB_ROLE_DETECTOR,
	  .open = unresolved_open, .scan = unresolved_scan, .close = unresolved_close);
