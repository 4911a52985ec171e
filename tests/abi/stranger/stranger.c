/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin by somebody who has nothing but what is installed. */
#include <eghostbuster/plugin.h>

static int stranger_open(const struct gb_host *host, const void *config, void **ret_state)
{
	(void)config;
	if (GB_HOST_HAS(host, log))
		host->log(host, GB_LOG_INFO, "hello from %s", "a stranger");
	*ret_state = NULL;
	return 0;
}

static int stranger_scan(void *state, struct gb_scan *scan)
{
	(void)state;
	scan->next_ns = scan->now_ns + (uint64_t)GB_MINUTE;
	return GB_DONE;
}

static void stranger_close(void *state)
{
	(void)state;
}

GB_PLUGIN(.name = "stranger", .version = "0.9", .summary = "made elsewhere", .roles = GB_ROLE_DETECTOR,
	  .open = stranger_open, .scan = stranger_scan, .close = stranger_close);
