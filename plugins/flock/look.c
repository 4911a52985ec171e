/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "iterator.h"

#define RECORDS_MAX 4000000 /* of one kind: half a gigabyte would be no look any more */

static int record_add(struct fl_records *records, const struct fl_record *record)
{
	int r;

	if (records->count == RECORDS_MAX)
		return -E2BIG;
	r = array_room(&records->items, &records->capacity, records->count, sizeof(*records->items));
	if (r == 0)
		records->items[records->count++] = *record;
	return r;
}

static int record_take(const void *written, void *arg)
{
	const struct fl_record *record = written;
	struct fl_look *look = arg;

	switch ((enum fl_record_tag)record->tag) {
	case FL_RECORD_HOLDING:
		return record_add(&look->holdings, record);
	case FL_RECORD_LOCK:
		return record_add(&look->locks, record);
	case FL_RECORD_WAITER:
		return record_add(&look->waiters, record);
	case FL_RECORD_MORE:
		return record_add(&look->crowded, record);
	}
	return -EPROTO;
}

int fl_look_begin(struct fl_look *look, const struct fl_kernel *kernel, enum fl_pass pass)
{
	int fd = fl_kernel_pass(kernel, pass);

	if (fd < 0)
		return fd;
	look->fd = fd;
	return 0;
}

int fl_look_read(struct fl_look *look, uint64_t until_ns)
{
	int r = iterator_read(look->fd, sizeof(struct fl_record), until_ns, record_take, look);

	if (r == 1)
		return 1;
	close(look->fd);
	look->fd = -1;
	return r;
}

static int number_compare(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

static int holding_compare(const void *a, const void *b)
{
	const struct fl_record *x = a, *y = b;
	int r = number_compare(x->file, y->file);

	if (r == 0)
		r = (x->tgid > y->tgid) - (x->tgid < y->tgid);
	if (r == 0)
		r = (x->fd > y->fd) - (x->fd < y->fd);
	return r ? r : number_compare((uint64_t)x->start, (uint64_t)y->start);
}

static int lock_compare(const void *a, const void *b)
{
	const struct fl_record *x = a, *y = b;
	int r = number_compare(x->file, y->file);

	if (r == 0)
		r = x->kind - y->kind;
	if (r == 0)
		r = number_compare((uint64_t)x->start, (uint64_t)y->start);
	if (r == 0)
		r = number_compare((uint64_t)x->end, (uint64_t)y->end);
	return r ? r : (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

/* An element that did not fit is shown again: what stands twice is one. */
static void records_unique(struct fl_records *records, int (*compare)(const void *, const void *))
{
	size_t kept = 0;

	if (records->count)
		qsort(records->items, records->count, sizeof(*records->items), compare);
	for (size_t i = 0; i < records->count; i++)
		if (kept == 0 || compare(&records->items[kept - 1], &records->items[i]) != 0)
			records->items[kept++] = records->items[i];
	records->count = kept;
}

/* Where locks cannot be listed, those whose taking was seen stand for them. */
static void locks_from_acquisitions(struct fl_look *look, const struct fl_kernel *kernel)
{
	uint64_t last = 0;

	for (size_t i = 0; i < look->holdings.count; i++) {
		const struct fl_record *holding = &look->holdings.items[i];
		struct fl_slot slot;

		if (holding->file == last)
			continue;
		last = holding->file;
		for (int kind = FL_FLOCK; kind <= FL_OFD; kind++) {
			struct fl_record lock = {.tag = FL_RECORD_LOCK,
						 .inode = holding->inode,
						 .dev = holding->dev,
						 .file = holding->file,
						 .end = FL_END_OF_FILE,
						 .type = FL_WRITE,
						 .kind = (uint8_t)kind};

			if (fl_kernel_acquisition(kernel, holding->inode, holding->dev, holding->file,
						  (enum fl_kind)kind, &slot) < 0)
				continue;
			lock.tgid = slot.taker.tgid;
			if (record_add(&look->locks, &lock) < 0)
				return;
		}
	}
}

void fl_look_settle(struct fl_look *look, const struct fl_kernel *kernel)
{
	records_unique(&look->holdings, holding_compare);
	if (!kernel->walks)
		locks_from_acquisitions(look, kernel);
	records_unique(&look->locks, lock_compare);
	records_unique(&look->waiters, lock_compare);
}

int fl_look_whole(struct fl_look *look, const struct fl_kernel *kernel)
{
	int r = fl_look_begin(look, kernel, FL_PASS_LOOK);

	if (r == 0)
		r = fl_look_read(look, UINT64_MAX);
	if (r == 0 && kernel->maps) {
		r = fl_look_begin(look, kernel, FL_PASS_MAPPINGS);
		if (r == 0)
			r = fl_look_read(look, UINT64_MAX);
	}
	if (r == 0)
		fl_look_settle(look, kernel);
	return r;
}

bool fl_look_is_crowded(const struct fl_look *look, const struct fl_record *lock)
{
	for (size_t i = 0; i < look->crowded.count; i++)
		if (look->crowded.items[i].inode == lock->inode && look->crowded.items[i].dev == lock->dev)
			return true;
	return false;
}

const struct fl_record *fl_look_holdings(const struct fl_look *look, uint64_t file, size_t *ret_count)
{
	const struct fl_records *holdings = &look->holdings;
	size_t low = 0, high = holdings->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holdings->items[middle].file < file)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < holdings->count && holdings->items[high].file == file;)
		high++;
	*ret_count = high - low;
	return holdings->items ? &holdings->items[low] : NULL;
}

void fl_look_clear(struct fl_look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	look->fd = -1;
	look->holdings.count = look->locks.count = look->waiters.count = look->crowded.count = 0;
}

void fl_look_fini(struct fl_look *look)
{
	fl_look_clear(look);
	free(look->holdings.items);
	free(look->locks.items);
	free(look->waiters.items);
	free(look->crowded.items);
	*look = (struct fl_look){.fd = -1};
}
