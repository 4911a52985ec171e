/* SPDX-License-Identifier: Apache-2.0 */
#include "netns.h"

#include <stdlib.h>

#include "array.h"

int cw_netns_add(struct cw_netns_set *set, uint32_t netns)
{
	int r;

	/* Suspects of one namespace come in runs; the rest is sorted out when the set is sealed. */
	if (set->count && set->items[set->count - 1] == netns)
		return 0;
	r = array_room(&set->items, &set->capacity, set->count, sizeof(*set->items));
	if (r == 0)
		set->items[set->count++] = netns;
	return r;
}

static int netns_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void cw_netns_seal(struct cw_netns_set *set)
{
	size_t kept = 0;

	if (set->count)
		qsort(set->items, set->count, sizeof(*set->items), netns_compare);
	for (size_t i = 0; i < set->count; i++)
		if (kept == 0 || set->items[kept - 1] != set->items[i])
			set->items[kept++] = set->items[i];
	set->count = kept;
}

bool cw_netns_has(const struct cw_netns_set *set, uint32_t netns)
{
	return set->count && bsearch(&netns, set->items, set->count, sizeof(netns), netns_compare);
}

void cw_netns_fini(struct cw_netns_set *set)
{
	free(set->items);
	*set = (struct cw_netns_set){0};
}
