/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of /proc/PID/cgroup tells: systemd unit, container and pod. Pure: reads nothing. */
#ifndef CORE_CGROUP_H
#define CORE_CGROUP_H

#include <stdbool.h>

#define CGROUP_PATH_SIZE 4096
#define CGROUP_UNIT_SIZE 256     /* systemd: a unit's name has at most 255 bytes */
#define CGROUP_CONTAINER_SIZE 65 /* 64 hex digits */
#define CGROUP_POD_SIZE 37       /* 36: a UUID with dashes; static pods: 32 hex digits */

/* Each "" when unknown. */
struct cgroup {
	char path[CGROUP_PATH_SIZE];
	char unit[CGROUP_UNIT_SIZE];
	char container[CGROUP_CONTAINER_SIZE];
	char pod[CGROUP_POD_SIZE];
};

/*
 * `text`: the file, NUL-terminated; any bytes are fine. The path is that of cgroup v2 ("0::/..."), unless it is the
 * root; else that of name=systemd, else the first of v1 that is not the root; " (deleted)" is taken off. Unit, container
 * and pod are the innermost ones of that path; where that path has no container, it is searched in the other lines
 * (docker on a hybrid machine: v2 says containerd.service, v1 says /docker/ID). Names are copied as they are: systemd's
 * escapes stay. A path that does not fit is left out.
 */
void cgroup_parse(const char *text, struct cgroup *ret);

/*
 * The path in the hierarchy of one v1 controller ("freezer"), or of v2 (""), root included. False when there is none or
 * it does not fit.
 */
bool cgroup_controller_path(const char *text, const char *controller, char ret_path[CGROUP_PATH_SIZE]);

#endif
