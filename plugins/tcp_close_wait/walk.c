/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over the map of suspects: makes the agenda anew, and finds what has left the map unseen. */
#include <string.h>

#include "cw.h"

static int entry_take(const struct cw_entry *entry, void *arg)
{
	struct cw *cw = arg;
	struct cw_look *look = &cw->sweep.look;
	const struct cw_suspect *suspect = &entry->suspect;
	struct cw_due due = {
		.at_ns = suspect->checked_ns + cw->timeout_ns, .sock = entry->sock, .netns = suspect->tuple.netns};
	struct gb_ns ns = {.kind = GB_NS_NET, .inode = suspect->tuple.netns, .socket_fd = -1};
	struct cw_known *known = suspect->cookie ? cw_known_find(&cw->known, suspect->cookie) : NULL;
	int r;

	if (cw->host->ns_scoped(cw->host, GB_NS_NET) && !cw->host->ns_in_scope(cw->host, &ns)) {
		cw_kernel_forget(&cw->kernel, entry->sock); /* the scope has shrunk */
		return 0;
	}
	cw->sweep.tracked++;
	if (known) {
		known->seen_ns = cw->sweep.started_ns;
		if (known->due_ns > due.at_ns)
			due.at_ns = known->due_ns;
	}
	r = cw_agenda_add(&cw->agenda, &due);
	if (r < 0 || cw->kernel.looks)
		return r;
	r = array_room(&look->entries, &look->entry_capacity, look->entry_count, sizeof(*look->entries));
	if (r == 0)
		look->entries[look->entry_count++] = *entry;
	return r;
}

static int entry_compare(const void *a, const void *b)
{
	return memcmp(&((const struct cw_entry *)a)->suspect.tuple, &((const struct cw_entry *)b)->suspect.tuple,
		      sizeof(struct cw_tuple));
}

void cw_known_heal(struct cw *cw, struct cw_known *known)
{
	if (known->probe_started_ns)
		cw_probe_gone(cw, known);
	else
		cw->host->heal(cw->host, known->cookie);
	cw_known_remove(&cw->known, known);
}

void cw_walk_begin(struct cw *cw)
{
	cw_agenda_drop_suspects(&cw->agenda);
	cw->agenda.sorted = false;
	cw->sweep.walking_ns = cw_now(cw);
	cw->sweep.walked = (struct cw_cursor){0};
	cw->sweep.tracked = 0;
	cw->sweep.look.entry_count = 0;
}

static void walk_end(struct cw *cw)
{
	struct cw_look *look = &cw->sweep.look;
	struct cw_known *known, *next;

	cw->agenda.walked_ns = cw->sweep.walking_ns;
	cw_agenda_sort(&cw->agenda);
	if (look->entry_count)
		qsort(look->entries, look->entry_count, sizeof(*look->entries), entry_compare);
	if (cw->kernel.looks) /* the map is the truth: what it does not have has left CLOSE_WAIT */
		HASH_ITER (hh, cw->known.head, known, next)
			if (known->seen_ns != cw->sweep.started_ns)
				cw_known_heal(cw, known);
}

int cw_walk_on(struct cw *cw, uint64_t until_ns)
{
	int r;

	do
		r = cw_kernel_walk(&cw->kernel, &cw->sweep.walked, entry_take, cw);
	while (r == 1 && cw_now(cw) < until_ns);
	if (r == 0)
		walk_end(cw);
	return r;
}
