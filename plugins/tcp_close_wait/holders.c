/* SPDX-License-Identifier: Apache-2.0 */
#include "holders.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cw.h"
#include "look.h"

#define USER_HZ 100 /* of every value in /proc, whatever CONFIG_HZ is */

int cw_holders_begin(struct cw_holders *holders, const struct cw_kernel *kernel)
{
	int fd = cw_kernel_pass(kernel, CW_PASS_HOLDERS);

	if (fd < 0)
		return fd;
	holders->fd = fd;
	holders->count = 0;
	return 0;
}

static int holding_take(const void *record, void *arg)
{
	struct cw_holders *holders = arg;
	int r = array_room(&holders->items, &holders->capacity, holders->count, sizeof(*holders->items));

	if (r < 0)
		return r;
	memcpy(&holders->items[holders->count++], record, sizeof(*holders->items));
	return 0;
}

static int holding_compare(const void *a, const void *b)
{
	const struct cw_holding *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return (x->fd > y->fd) - (x->fd < y->fd);
}

int cw_holders_read(struct cw_holders *holders, uint64_t until_ns)
{
	int r = iterator_read(holders->fd, sizeof(struct cw_holding), until_ns, holding_take, holders);

	if (r == 1)
		return 1;
	close(holders->fd);
	holders->fd = -1;
	if (r == 0 && holders->count)
		qsort(holders->items, holders->count, sizeof(*holders->items), holding_compare);
	return r;
}

const struct cw_holding *cw_holders_of(const struct cw_holders *holders, uint64_t id, size_t *ret_count)
{
	size_t low = 0, high = holders->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holders->items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < holders->count && holders->items[high].id == id;)
		high++;
	*ret_count = high - low;
	return holders->items ? &holders->items[low] : NULL;
}

uint32_t cw_holders_digest(const struct cw_holding *held, size_t count)
{
	uint64_t digest = 14695981039346656037U; /* FNV-1a, by words */

	for (size_t i = 0; i < count; i++) {
		if (i && held[i].tgid == held[i - 1].tgid)
			continue;
		digest = (digest ^ (uint64_t)held[i].tgid) * 1099511628211U;
		digest = (digest ^ held[i].start_ns) * 1099511628211U;
	}
	return (uint32_t)(digest ^ digest >> 32);
}

uint32_t cw_holders_flags(const struct cw_holding *held, size_t count)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < count; i++)
		flags |= held[i].flags;
	return flags;
}

size_t cw_holders_processes(const struct cw_holding *held, size_t count)
{
	size_t processes = 0;

	for (size_t i = 0; i < count; i++)
		processes += i == 0 || held[i].tgid != held[i - 1].tgid;
	return processes;
}

uint64_t cw_holders_continued(const struct cw_holding *held, size_t count)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < count; i++)
		if (held[i].continued_ns > latest)
			latest = held[i].continued_ns;
	return latest;
}

uint64_t cw_holding_start_ticks(const struct cw_holding *holding)
{
	return holding->start_ns / (1000000000U / USER_HZ);
}

void cw_holders_fini(struct cw_holders *holders)
{
	if (holders->fd >= 0)
		close(holders->fd);
	free(holders->items);
	*holders = (struct cw_holders){.fd = -1};
}
