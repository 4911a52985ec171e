/* SPDX-License-Identifier: Apache-2.0 */
#include "iterator.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static uint64_t clock_read(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int iterator_open(const struct bpf_link *link)
{
	int fd = bpf_iter_create(bpf_link__fd(link));

	return fd < 0 ? -errno : fd;
}

int iterator_read(int fd, size_t size, uint64_t until_ns, int (*take)(const void *record, void *arg), void *arg)
{
	static _Alignas(8) char buffer[65536]; /* one thread, never re-entered */
	size_t room = sizeof(buffer) / size * size;

	do {
		ssize_t got = read(fd, buffer, room);

		if (got == 0)
			return 0;
		if (got < 0 && errno == EAGAIN) /* it walked a million objects without a word, and goes on */
			got = 0;
		if (got < 0)
			return -errno;
		if (got % (ssize_t)size)
			return -EPROTO;
		for (ssize_t at = 0; at < got; at += (ssize_t)size) {
			int r = take(buffer + at, arg);

			if (r < 0)
				return r;
		}
	} while (clock_read() < until_ns);
	return 1;
}
