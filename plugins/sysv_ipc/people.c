/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"

#define TICK_NS 10000000U /* of every value in /proc, whatever CONFIG_HZ is */

/* Names from the innermost upwards become a path from the outermost downwards; "..." stands for what was cut off. */
static void path_join(const char *parts, unsigned int count, unsigned int size, char *text, size_t text_size)
{
	size_t used = 0;
	unsigned int last = 0;

	while (last < count && parts[(size_t)last * size])
		last++;
	text[0] = 0;
	if (last == count)
		used = (size_t)snprintf(text, text_size, "...");
	while (last-- > 0 && used < text_size)
		used += (size_t)snprintf(text + used, text_size - used, "/%s", parts + (size_t)last * size);
}

/* As of a process that lives. What was cut off is not there: of a unit that is further up nothing is known. */
static void cgroup_take(struct sysv_person *person)
{
	static struct cgroup cgroup; /* one thread, never re-entered */
	const char *path = strchr(person->cgroup, '/');
	char text[sizeof(person->cgroup) + 8];

	snprintf(text, sizeof(text), "0::%s\n", path ? path : "/");
	cgroup_parse(text, &cgroup);
	snprintf(person->unit, sizeof(person->unit), "%s", cgroup.unit);
	snprintf(person->container, sizeof(person->container), "%s", cgroup.container);
	snprintf(person->pod, sizeof(person->pod), "%s", cgroup.pod);
}

static void person_from_departed(struct sysv_person *person, const struct sysv_departed *gone)
{
	person->number = gone->tgid;
	person->uid = gone->uid;
	person->start_ticks = gone->start_ns / TICK_NS;
	snprintf(person->comm, sizeof(person->comm), "%.15s", gone->comm);
	path_join(gone->cgroup[0], SYSV_CGROUP_PARTS, SYSV_CGROUP_PART, person->cgroup, sizeof(person->cgroup));
	cgroup_take(person);
	if (gone->exe[0][0])
		path_join(gone->exe[0], SYSV_EXE_PARTS, SYSV_EXE_PART, person->exe, sizeof(person->exe));
	person->described = true;
}

static void person_from_owner(struct sysv_person *person, const struct gb_owner *owner)
{
	person->number = owner->pid;
	person->uid = owner->uid;
	person->start_ticks = owner->start_ticks;
	snprintf(person->comm, sizeof(person->comm), "%.15s", owner->comm);
	snprintf(person->exe, sizeof(person->exe), "%.511s", owner->exe);
	snprintf(person->cgroup, sizeof(person->cgroup), "%s", owner->cgroup);
	snprintf(person->unit, sizeof(person->unit), "%s", owner->unit);
	snprintf(person->container, sizeof(person->container), "%.71s", owner->container);
	snprintf(person->pod, sizeof(person->pod), "%.39s", owner->pod);
	person->described = true;
}

static struct sysv_person *person_of(struct sysv_people *people, uint64_t pid)
{
	struct sysv_person *person;

	HASH_FIND(hh, people->head, &pid, sizeof(pid), person);
	if (person)
		return person;
	if (HASH_COUNT(people->head) >= SYSV_PEOPLE_MAX)
		return NULL;
	person = calloc(1, sizeof(*person));
	if (!person)
		return NULL;
	person->pid = pid;
	HASH_ADD(hh, people->head, pid, sizeof(person->pid), person);
	if (!person->hh.tbl) {
		free(person);
		return NULL;
	}
	return person;
}

/* The address may have come to mean another process since the last scan: nothing of the former is kept. */
static void person_reset(struct sysv_person *person, const struct sysv_user *user)
{
	person->described = person->dead_seen = person->forgotten = false;
	person->number = user->number;
	person->uid = UINT32_MAX;
	person->start_ticks = 0;
	person->comm[0] = person->exe[0] = person->cgroup[0] = person->unit[0] = person->container[0] = person->pod[0] =
		0;
}

struct sysv_person *sysv_people_see(struct sysv_people *people, const struct gb_host *host,
				    const struct sysv_kernel *kernel, const struct sysv_user *user, uint64_t now_ns)
{
	static struct sysv_departed gone; /* one thread, never re-entered */
	struct gb_owner owner = {.struct_size = sizeof(owner)};
	struct sysv_person *person = person_of(people, user->pid);

	if (!person || person->seen_ns == now_ns)
		return person;
	if (!person->seen_ns || person->number != user->number)
		person_reset(person, user);
	person->seen_ns = now_ns;
	person->alive = user->alive;
	if (user->alive && host->owner(host, user->number, user->start_ns / TICK_NS, &owner) == 0)
		person_from_owner(person, &owner);
	/* What was seen of it alive knows more, unless that was another process or another program. */
	else if (!user->alive && sysv_kernel_departed(kernel, user->pid, &gone) == 0 && gone.tgid == user->number &&
		 (!person->described || person->start_ticks != gone.start_ns / TICK_NS ||
		  strncmp(person->comm, gone.comm, sizeof(person->comm)) != 0))
		person_from_departed(person, &gone);
	/* Lost by the first scan that finds it dead, if ever: what is lost after that is not about this one. */
	if (!user->alive && !person->dead_seen) {
		person->dead_seen = true;
		person->forgotten = sysv_kernel_missed(kernel) > 0;
	}
	person->forgotten &= !person->described;
	return person;
}

struct sysv_person *sysv_person_new(const struct sysv_departed *gone)
{
	struct sysv_person *person = calloc(1, sizeof(*person));

	if (person)
		person_from_departed(person, gone);
	return person;
}

bool sysv_person_is(const struct sysv_person *person, const struct sysv_departed *gone)
{
	return person->number == gone->tgid && person->start_ticks == gone->start_ns / TICK_NS;
}

static bool departed_keep(const void *pid, const void *departed, void *arg)
{
	const struct sysv_departed *gone = departed;
	const struct sysv_people *people = arg;
	struct sysv_person *person;

	HASH_FIND(hh, people->head, pid, sizeof(uint64_t), person);
	return (person && !person->described) || gone->ended_ns >= people->last_ns;
}

void sysv_people_sweep(struct sysv_people *people, const struct sysv_kernel *kernel, uint64_t scan_ns)
{
	struct sysv_person *person, *next;

	people->last_ns = scan_ns;
	HASH_ITER (hh, people->head, person, next)
		if (person->seen_ns < scan_ns) {
			HASH_DEL(people->head, person);
			free(person);
		}
	if (kernel->users)
		sysv_kernel_departed_prune(kernel, departed_keep, people);
}

void sysv_people_fini(struct sysv_people *people)
{
	struct sysv_person *person, *next;

	HASH_ITER (hh, people->head, person, next) {
		HASH_DEL(people->head, person);
		free(person);
	}
}

struct gb_owner sysv_person_owner(const struct sysv_person *person)
{
	return (struct gb_owner){.struct_size = sizeof(struct gb_owner),
				 .pid = person->number,
				 .start_ticks = person->start_ticks,
				 .uid = person->uid,
				 .comm = person->comm,
				 .exe = person->exe,
				 .cgroup = person->cgroup,
				 .unit = person->unit,
				 .container = person->container,
				 .pod = person->pod};
}
