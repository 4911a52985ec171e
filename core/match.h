/* SPDX-License-Identifier: Apache-2.0 */
/* What the words comm, exe, uid, unit, container, cgroup and netns of a rule or an exemption mean. */
#ifndef CORE_MATCH_H
#define CORE_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

/*
 * True when all that is set in `match` holds (nothing set: true). `netns_inode`: the resource's own network namespace; 0:
 * the owner's stands for it. A netns that cannot be resolved now (namespace.h) matches nothing. Wildcards are those of
 * fnmatch(3), and a text equal to the pattern matches in any case: systemd's "\x2d" need not be doubled.
 */
bool owner_matches(const struct gb_owner_match *match, const struct gb_owner *owner, uint64_t netns_inode);

#endif
