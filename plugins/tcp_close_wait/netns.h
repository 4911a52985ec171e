/* SPDX-License-Identifier: Apache-2.0 */
/* A set of network namespaces, by inode number. */
#ifndef TCP_CLOSE_WAIT_NETNS_H
#define TCP_CLOSE_WAIT_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_netns_set {
	uint32_t *items;
	size_t count, capacity;
};

/* After the last one was added the set is sealed, before it is looked at. -ENOMEM. */
int cw_netns_add(struct cw_netns_set *set, uint32_t netns);
void cw_netns_seal(struct cw_netns_set *set);
bool cw_netns_has(const struct cw_netns_set *set, uint32_t netns);
void cw_netns_fini(struct cw_netns_set *set);

#endif
