/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORDS_MAX 4000000 /* of one kind: half a gigabyte would be no look any more */

int fl_grow(void *items_pointer, size_t *capacity, size_t count, size_t item_size)
{
	void **items = items_pointer;
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, item_size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

static int record_add(struct fl_records *records, const struct fl_record *record)
{
	int r;

	if (records->count == RECORDS_MAX)
		return -E2BIG;
	r = fl_grow(&records->items, &records->capacity, records->count, sizeof(*records->items));
	if (r == 0)
		records->items[records->count++] = *record;
	return r;
}

static int record_take(struct fl_look *look, const struct fl_record *record)
{
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

static uint64_t clock_read(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int records_read(struct fl_look *look, uint64_t until_ns)
{
	static struct fl_record buffer[512]; /* one thread, never re-entered */

	for (;;) {
		ssize_t got = read(look->fd, buffer, sizeof(buffer));

		if (got == 0)
			return 0;
		if (got < 0 && errno == EAGAIN) /* it walked a million files without a word, and goes on */
			got = 0;
		if (got < 0)
			return -errno;
		if (got % (ssize_t)sizeof(buffer[0]))
			return -EPROTO;
		for (size_t i = 0; i < (size_t)got / sizeof(buffer[0]); i++) {
			int r = record_take(look, &buffer[i]);

			if (r < 0)
				return r;
		}
		if (clock_read() >= until_ns)
			return 1;
	}
}

int fl_look_read(struct fl_look *look, uint64_t until_ns)
{
	int r = records_read(look, until_ns);

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
