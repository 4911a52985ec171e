/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <fnmatch.h>
#include <string.h>

#include "namespace.h"

#define CONTAINER_PREFIX_MIN 12 /* what `docker ps` prints */

static bool is_equal(const char *wanted, const char *found)
{
	return strcmp(wanted, found) == 0;
}

static bool is_like(const char *pattern, const char *found)
{
	return is_equal(pattern, found) || fnmatch(pattern, found, 0) == 0;
}

static bool is_container(const char *wanted, const char *found)
{
	size_t length = strlen(wanted);

	return is_equal(wanted, found) || (length >= CONTAINER_PREFIX_MIN && strncmp(wanted, found, length) == 0);
}

static bool is_netns(const char *name, uint64_t inode)
{
	uint64_t wanted;

	return inode && namespace_resolve(GB_NS_NET, name, &wanted) == 0 && wanted == inode;
}

bool owner_matches(const struct gb_owner_match *match, const struct gb_owner *owner, uint64_t netns_inode)
{
	return (match->uid == -1 || match->uid == (int64_t)owner->uid) &&
	       (!match->comm || is_equal(match->comm, owner->comm)) &&
	       (!match->container || is_container(match->container, owner->container)) &&
	       (!match->exe || is_like(match->exe, owner->exe)) &&
	       (!match->unit || is_like(match->unit, owner->unit)) &&
	       (!match->cgroup || is_like(match->cgroup, owner->cgroup)) &&
	       /* Last, because it asks the kernel. */
	       (!match->netns || is_netns(match->netns, netns_inode ? netns_inode : owner->netns_inode));
}
