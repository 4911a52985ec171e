/* SPDX-License-Identifier: Apache-2.0 */
#include "agenda.h"

#include <stdlib.h>

#include "array.h"

int cw_agenda_add(struct cw_agenda *agenda, const struct cw_due *due)
{
	int r = array_room(&agenda->items, &agenda->capacity, agenda->count, sizeof(*agenda->items));

	if (r < 0)
		return r;
	agenda->items[agenda->count++] = *due;
	agenda->sorted = false;
	return 0;
}

static int due_compare(const void *a, const void *b)
{
	const struct cw_due *x = a, *y = b;

	return (x->at_ns < y->at_ns) - (x->at_ns > y->at_ns);
}

void cw_agenda_sort(struct cw_agenda *agenda)
{
	if (!agenda->sorted && agenda->count)
		qsort(agenda->items, agenda->count, sizeof(*agenda->items), due_compare);
	agenda->sorted = true;
}

bool cw_agenda_take(struct cw_agenda *agenda, uint64_t now_ns, struct cw_due *ret_due)
{
	if (!agenda->count || agenda->items[agenda->count - 1].at_ns > now_ns)
		return false;
	*ret_due = agenda->items[--agenda->count];
	return true;
}

uint64_t cw_agenda_next(const struct cw_agenda *agenda, uint64_t otherwise_ns)
{
	if (agenda->count && agenda->items[agenda->count - 1].at_ns < otherwise_ns)
		return agenda->items[agenda->count - 1].at_ns;
	return otherwise_ns;
}

void cw_agenda_drop_suspects(struct cw_agenda *agenda)
{
	size_t kept = 0;

	for (size_t i = 0; i < agenda->count; i++)
		if (agenda->items[i].sock == 0)
			agenda->items[kept++] = agenda->items[i];
	agenda->count = kept;
}

void cw_agenda_drop_namespace(struct cw_agenda *agenda, uint32_t netns)
{
	size_t kept = 0;

	for (size_t i = 0; i < agenda->count; i++)
		if (agenda->items[i].sock || agenda->items[i].netns != netns)
			agenda->items[kept++] = agenda->items[i];
	agenda->count = kept;
}

void cw_agenda_fini(struct cw_agenda *agenda)
{
	free(agenda->items);
	*agenda = (struct cw_agenda){0};
}
