/* SPDX-License-Identifier: Apache-2.0 */
/* Owners of what is reaped, under watch for the circuit breaker: does one die of it? */
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "plugin.h"
#include "process_end.h"

static void forget(struct plugin *plugin, int fd)
{
	if (fd < 0)
		return;
	loop_unwatch(plugin->engine->loop, fd);
	close(fd);
}

/* The kernel is asked first, then the plugin, whose programs may have seen it. */
static struct breaker_end end_of(struct plugin *plugin, int fd, const struct breaker_owner *owner)
{
	struct breaker_end end = process_end(fd, owner->pid, owner->start_ticks);
	int32_t status;

	if (end.known || !plugin_is_open(plugin) || !plugin->callbacks->ended)
		return end;
	plugin_enter(plugin, PLUGIN_CALL_ENDED);
	if (plugin->callbacks->ended(plugin->opened, owner->pid, owner->start_ticks, &status) == 0)
		end = (struct breaker_end){.known = true, .status = status};
	plugin_leave(plugin);
	return end;
}

static void owner_ended(int fd, uint32_t events, void *arg)
{
	struct plugin *plugin = arg;
	const struct breaker_owner *owner = NULL;
	bool tripped;

	(void)events;
	for (int i = 0; i < BREAKER_OWNERS_MAX; i++)
		if (plugin->breaker.owners[i].fd == fd)
			owner = &plugin->breaker.owners[i];
	/* The outcome of its reaping is not known yet: looked at again when the batch is done. */
	if (owner && !owner->reaped_ns && plugin->batch.items)
		return;
	tripped = owner && breaker_owner_died(&plugin->breaker, fd, end_of(plugin, fd, owner), clock_now_ns());
	forget(plugin, fd);
	if (tripped)
		plugin_tripped(plugin);
	plugin_arm(plugin);
}

static void watch_owner(struct plugin *plugin, const struct gb_owner *public)
{
	struct breaker_owner owner = {.pid = public->pid, .start_ticks = public->start_ticks};
	int fd;

	if (breaker_owner_watched(&plugin->breaker, owner.pid, owner.start_ticks))
		return;
	fd = (int)syscall(SYS_pidfd_open, owner.pid, 0);
	if (fd < 0)
		return;
	if (loop_watch(plugin->engine->loop, fd, EPOLLIN, owner_ended, plugin) < 0) {
		close(fd);
		return;
	}
	strncpy(owner.name, public->comm, sizeof(owner.name) - 1);
	forget(plugin, breaker_owner_add(&plugin->breaker, fd, &owner));
}

void plugin_watch_owners(struct plugin *plugin, const struct ghost *ghost)
{
	for (uint8_t i = 0; plugin->breaker.grace_ns && i < ghost->owner_count; i++)
		if (!(ghost->owners[i]->public.flags & GB_OWNER_ENDED)) /* somebody else may have the pid */
			watch_owner(plugin, &ghost->owners[i]->public);
}

void plugin_owners_reaped(struct plugin *plugin, const struct ghost *ghost)
{
	uint64_t now_ns = clock_now_ns();

	for (uint8_t i = 0; i < ghost->owner_count; i++)
		breaker_owner_reaped(&plugin->breaker, ghost->owners[i]->public.pid,
				     ghost->owners[i]->public.start_ticks, now_ns);
}

void plugin_unwatch_owners(struct plugin *plugin, bool all)
{
	int fd;

	while ((fd = breaker_expired(&plugin->breaker, all ? CLOCK_NEVER : clock_now_ns())) >= 0)
		forget(plugin, fd);
}
