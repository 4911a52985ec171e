/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

static const struct fl_edge *edge_of(const struct fl_edge *edges, size_t count, int32_t waiter)
{
	const struct fl_edge *found = NULL;

	for (size_t i = 0; i < count; i++)
		if (edges[i].waiter == waiter && (!found || edges[i].since_ns < found->since_ns))
			found = &edges[i];
	return found;
}

static bool waits_in(const struct fl_chain *chain, int32_t process)
{
	for (size_t i = 0; i < chain->count; i++)
		if (chain->steps[i]->waiter == process)
			return true;
	return false;
}

void fl_chain_follow(const struct fl_edge *edges, size_t count, const struct fl_edge *first, struct fl_chain *ret_chain)
{
	struct fl_chain chain = {0};

	for (const struct fl_edge *edge = first; edge; edge = edge_of(edges, count, edge->holder)) {
		if (chain.count == FL_CHAIN_MAX) {
			chain.cut = true;
			break;
		}
		chain.steps[chain.count++] = edge;
		if (waits_in(&chain, edge->holder)) {
			chain.cycle = true;
			break;
		}
	}
	*ret_chain = chain;
}
