/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who created or used objects: as the host sees them while they live, as the kernel saw them end, and remembered for as long
 * as an object refers to them.
 */
#ifndef SYSV_IPC_PEOPLE_H
#define SYSV_IPC_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>
#include <uthash.h>

#include "kernel.h"

struct sysv_person {
	UT_hash_handle hh;
	uint64_t pid; /* address of the struct pid: no other process is ever the same while an object refers to it */
	uint64_t seen_ns;
	uint64_t start_ticks;
	int32_t number; /* its pid; 0 when not known */
	uint32_t uid;
	bool alive, described;
	bool dead_seen; /* a scan has found it dead */
	bool forgotten; /* it ended when there was no room to note who that was */
	char comm[16], unit[256], container[72], pod[40], exe[1024], cgroup[1024];
};

struct sysv_people {
	struct sysv_person *head;
	uint64_t last_ns;
};

#define SYSV_PEOPLE_MAX 65536

/* Looks at one user of an object; NULL when there is no room. Lives until the next sysv_people_sweep(). */
struct sysv_person *sysv_people_see(struct sysv_people *people, const struct gb_host *host,
				    const struct sysv_kernel *kernel, const struct sysv_user *user, uint64_t now_ns);

/* Forgets who was not seen since `scan_ns`, and those that ended before it without having used anything that is left. */
void sysv_people_sweep(struct sysv_people *people, const struct sysv_kernel *kernel, uint64_t scan_ns);
void sysv_people_fini(struct sysv_people *people);

/* One of its own, to be freed with free(); NULL: no memory. */
struct sysv_person *sysv_person_new(const struct sysv_departed *gone);
bool sysv_person_is(const struct sysv_person *person, const struct sysv_departed *gone);

/* As rules want it. The strings are the person's. */
struct gb_owner sysv_person_owner(const struct sysv_person *person);

#endif
