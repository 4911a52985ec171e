/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the cgroup freezer (docker pause, systemd, CRIU) holds a process still. */
#ifndef CORE_FREEZER_H
#define CORE_FREEZER_H

#include <stdbool.h>

/* Where the cgroup file systems are mounted, and which part of the hierarchy is seen there. NULL: nowhere. */
struct freezer {
	char *v2_mount, *v2_root;
	char *v1_mount, *v1_root;
};

/* Reads self/mountinfo below a descriptor of /proc. What is not there stays NULL. */
void freezer_find(int proc_fd, struct freezer *ret_freezer);
void freezer_fini(struct freezer *freezer);

/*
 * `cgroup_text`: /proc/PID/cgroup. v2: "frozen 1" in cgroup.events, or cgroup.freeze asks for it here or further up (some
 * threads may stand already); v1: FROZEN or FREEZING in freezer.state. False where the cgroup is not visible.
 */
bool freezer_holds(const struct freezer *freezer, const char *cgroup_text);

#endif
