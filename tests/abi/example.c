/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The example of plugin.h made whole: it reports every program that is called "sleep" and older than `timeout`. A real
 * detector would learn of its suspects from the kernel instead of being asked to look; see plugins/README.md.
 */
#include <eghostbuster/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config {
	uint64_t timeout_ns;
};

static const struct gb_option options[] = {
	GB_OPTION_DURATION("timeout", struct config, timeout_ns, "60s", 1 * GB_SECOND, 30 * GB_DAY, "age of a ghost"),
};

struct state {
	const struct gb_host *host;
	const struct config *config;
};

static int example_open(const struct gb_host *host, const void *config, void **ret_state)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	state->host = host;
	state->config = config;
	*ret_state = state;
	return 0;
}

/* Reports the process when it is an old "sleep", else returns when it might become one. */
static uint64_t look_at(const struct state *state, int pid, uint64_t now_ns)
{
	uint64_t born_ns, due_ns, never = now_ns + state->config->timeout_ns;
	struct gb_owner owner = {.struct_size = sizeof(owner)};
	struct gb_holder holder;
	char resource[64];

	if (state->host->owner(state->host, pid, 0, &owner) < 0 || strcmp(owner.comm, "sleep") != 0)
		return never;
	born_ns = owner.start_ticks * (uint64_t)(GB_SECOND / sysconf(_SC_CLK_TCK));
	due_ns = born_ns + state->config->timeout_ns;
	if (due_ns > now_ns)
		return due_ns;

	snprintf(resource, sizeof(resource), "process %d", pid);
	holder = (struct gb_holder){.pid = pid, .fd = -1, .start_ticks = owner.start_ticks};
	state->host->ghost(state->host, &(struct gb_ghost){
						.struct_size = sizeof(struct gb_ghost),
						.key = owner.start_ticks << 32 | (uint32_t)pid,
						.resource = resource,
						.action = "report",
						.age_ns = now_ns - born_ns,
						.holders = &holder,
						.holder_count = 1,
					});
	return never;
}

static int example_scan(void *state, struct gb_scan *scan)
{
	const struct state *example = state;
	uint64_t next_ns = scan->now_ns + example->config->timeout_ns;
	struct dirent *entry;
	DIR *processes = opendir("/proc");

	if (!processes)
		return -errno;
	while ((entry = readdir(processes))) {
		int pid = atoi(entry->d_name);
		uint64_t due_ns = pid > 0 ? look_at(example, pid, scan->now_ns) : next_ns;

		if (due_ns < next_ns)
			next_ns = due_ns;
	}
	closedir(processes);
	scan->next_ns = next_ns;
	return GB_DONE;
}

static void example_close(void *state)
{
	free(state);
}

GB_PLUGIN(.name = "example", .version = "1.0", .summary = "finds examples", .roles = GB_ROLE_DETECTOR,
	  .options = options, .option_count = GB_COUNT(options), .option_size = sizeof(options[0]),
	  .config_size = sizeof(struct config), .open = example_open, .scan = example_scan, .close = example_close);
