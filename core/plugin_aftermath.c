/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin tells of the owners after a reaping: to the journal and the leakers. */
#include <errno.h>
#include <signal.h>

#include "clock.h"
#include "plugin.h"

static const char *message_of(const struct gb_aftermath *told)
{
	bool unsure = told->flags & GB_AFTERMATH_UNSURE;

	if (told->dead)
		return unsure ? "it may still hold descriptors of what was reaped, which count against its limit"
			      : "it still holds descriptors of what was reaped, which count against its limit";
	return unsure ? "it may have closed all descriptors of what was reaped"
		      : "it has closed all descriptors of what was reaped";
}

static void say(struct plugin *plugin, const struct gb_aftermath *told, const struct owner *owner, uint64_t reacted)
{
	const struct gb_owner *owners[] = {&owner->public};
	const struct gb_field fields[] = {
		{.name = "reacted", .type = GB_FIELD_INTEGER, .value = reacted},
		{.name = "dead", .type = GB_FIELD_INTEGER, .value = told->dead},
	};

	journal_write(plugin->engine->journal, &(struct event){
						       .name = told->dead ? "owner.holds" : "owner.reacted",
						       .plugin = plugin->name,
						       .owner_count = 1,
						       .owners = owners,
						       .message = message_of(told),
						       .fields = fields,
						       .field_count = GB_COUNT(fields),
					       });
}

int plugin_aftermath(struct plugin *plugin, const struct gb_aftermath *told)
{
	uint64_t now_ns = clock_now_ns(), reacted;
	struct owner *owner;
	int r = owner_cache_get(plugin->engine->owners, told->pid, told->start_ticks, &owner);

	if (r == -ESRCH)
		aftermath_forget(&plugin->aftermath, told->pid, told->start_ticks);
	if (r < 0)
		return r;
	leakers_react(&plugin->engine->leakers, plugin->ghosts.plugin, owner, told->reacted);
	if (aftermath_take(&plugin->aftermath, owner, told->reacted, told->dead, now_ns, &reacted))
		say(plugin, told, owner, reacted);
	return 0;
}

void plugin_present_dead(const struct plugin *plugin, struct leakers *leakers)
{
	/* The plugin may not look again for an hour; who has ended carries nothing. */
	for (const struct carrier *carrier = plugin->aftermath.carriers; carrier; carrier = carrier->hh.next)
		if (kill(carrier->id.pid, 0) == 0 || errno != ESRCH)
			leakers_present_dead(leakers, plugin->ghosts.plugin, carrier->owner, carrier->dead);
}
