/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define MS_NS UINT64_C(1000000)

void breaker_init(struct breaker *breaker, uint32_t failures_max, uint64_t window_ns, uint64_t grace_ns)
{
	memset(breaker, 0, sizeof(*breaker));
	for (int i = 0; i < BREAKER_OWNERS_MAX; i++)
		breaker->owners[i].fd = -1;
	breaker_set(breaker, failures_max, window_ns, grace_ns);
}

void breaker_set(struct breaker *breaker, uint32_t failures_max, uint64_t window_ns, uint64_t grace_ns)
{
	breaker->failures_max = failures_max < BREAKER_FAILURES_MAX ? failures_max : BREAKER_FAILURES_MAX;
	breaker->window_ns = window_ns;
	breaker->grace_ns = grace_ns;
}

void breaker_fini(struct breaker *breaker)
{
	if (!breaker)
		return;
	for (int i = 0; i < BREAKER_OWNERS_MAX; i++) {
		if (breaker->owners[i].fd >= 0)
			close(breaker->owners[i].fd);
		breaker->owners[i].fd = -1;
	}
}

bool breaker_failed(struct breaker *breaker, uint64_t now_ns)
{
	uint64_t oldest_ns;

	breaker->failures[breaker->failure_next] = now_ns;
	breaker->failure_next = (breaker->failure_next + 1) % BREAKER_FAILURES_MAX;
	if (breaker->failure_count < BREAKER_FAILURES_MAX)
		breaker->failure_count++;
	if (breaker->tripped || !breaker->failures_max || breaker->failure_count < breaker->failures_max)
		return false;

	oldest_ns = breaker->failures[(breaker->failure_next + BREAKER_FAILURES_MAX - breaker->failures_max) %
				      BREAKER_FAILURES_MAX];
	if (now_ns - oldest_ns > breaker->window_ns)
		return false;
	breaker->tripped = true;
	snprintf(breaker->reason, sizeof(breaker->reason), "%" PRIu32 " reapings failed within %" PRIu64 " s",
		 breaker->failures_max, breaker->window_ns / (1000 * MS_NS));
	return true;
}

static struct breaker_owner *find_owner(const struct breaker *breaker, int32_t pid, uint64_t start_ticks)
{
	for (int i = 0; i < BREAKER_OWNERS_MAX; i++) {
		const struct breaker_owner *owner = &breaker->owners[i];

		if (owner->fd >= 0 && owner->pid == pid && owner->start_ticks == start_ticks)
			return (struct breaker_owner *)owner;
	}
	return NULL;
}

bool breaker_owner_watched(const struct breaker *breaker, int32_t pid, uint64_t start_ticks)
{
	return find_owner(breaker, pid, start_ticks);
}

void breaker_owner_reaped(struct breaker *breaker, int32_t pid, uint64_t start_ticks, uint64_t now_ns)
{
	struct breaker_owner *owner = find_owner(breaker, pid, start_ticks);

	if (owner)
		owner->reaped_ns = now_ns;
}

int breaker_owner_add(struct breaker *breaker, int fd, const struct breaker_owner *owner)
{
	struct breaker_owner *place = &breaker->owners[0];
	int gave_way;

	for (int i = 0; i < BREAKER_OWNERS_MAX && place->fd >= 0; i++)
		if (breaker->owners[i].fd < 0 || breaker->owners[i].reaped_ns < place->reaped_ns)
			place = &breaker->owners[i];
	gave_way = place->fd;
	*place = *owner;
	place->fd = fd;
	return gave_way;
}

static void describe_death(struct breaker *breaker, const struct breaker_owner *owner, struct breaker_end end,
			   uint64_t after_ns)
{
	char how[64] = "died";

	if (end.known && WIFSIGNALED(end.status))
		snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(end.status));
	else if (end.known && WIFEXITED(end.status))
		snprintf(how, sizeof(how), "exited with %d", WEXITSTATUS(end.status));
	snprintf(breaker->reason, sizeof(breaker->reason),
		 "owner %s (pid %" PRId32 ") %s %" PRIu64 " ms after one of its resources was reaped", owner->name,
		 owner->pid, how, after_ns / MS_NS);
}

bool breaker_owner_died(struct breaker *breaker, int fd, struct breaker_end end, uint64_t now_ns)
{
	for (int i = 0; i < BREAKER_OWNERS_MAX; i++) {
		struct breaker_owner *owner = &breaker->owners[i];
		uint64_t after_ns = now_ns - owner->reaped_ns;

		if (fd < 0 || owner->fd != fd)
			continue;
		owner->fd = -1;
		if (breaker->tripped || !owner->reaped_ns || after_ns > breaker->grace_ns ||
		    (end.known && end.status == 0))
			return false;
		breaker->tripped = true;
		describe_death(breaker, owner, end, after_ns);
		return true;
	}
	return false;
}

int breaker_expired(struct breaker *breaker, uint64_t now_ns)
{
	for (int i = 0; i < BREAKER_OWNERS_MAX; i++) {
		struct breaker_owner *owner = &breaker->owners[i];

		if (owner->fd >= 0 && now_ns > owner->reaped_ns && now_ns - owner->reaped_ns > breaker->grace_ns) {
			int fd = owner->fd;

			owner->fd = -1;
			return fd;
		}
	}
	return -1;
}

uint64_t breaker_next(const struct breaker *breaker)
{
	uint64_t next_ns = CLOCK_NEVER;

	for (int i = 0; i < BREAKER_OWNERS_MAX; i++) {
		const struct breaker_owner *owner = &breaker->owners[i];

		if (owner->fd >= 0 && owner->reaped_ns + breaker->grace_ns + 1 < next_ns)
			next_ns = owner->reaped_ns + breaker->grace_ns + 1;
	}
	return next_ns;
}

void breaker_resume(struct breaker *breaker)
{
	breaker->tripped = false;
	breaker->reason[0] = '\0';
	breaker->failure_count = 0;
}
