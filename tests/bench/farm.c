/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "lab_storm.h"

#define FIRST_PORT 100 /* of the holders */

/* Until nothing is left of the clients. */
static void farm_settle(const struct bench_farm *farm)
{
	long wanted = farm->sockets + farm->holders;
	double end = bench_now() + 10;

	while (bench_sockets(&farm->net) != wanted) {
		lab_require(bench_now() < end, "%ld sockets, wanted %ld", bench_sockets(&farm->net), wanted);
		lab_sleep_ms(5);
	}
}

void bench_farm_make(struct bench_farm *farm)
{
	*farm = (struct bench_farm){0};
	lab_net_make(&farm->net);
}

void bench_farm_grow(struct bench_farm *farm, long sockets)
{
	for (long left = sockets; left > 0;) {
		long count = left < BENCH_HOLDER_MAX ? left : BENCH_HOLDER_MAX;

		lab_require(farm->holders < BENCH_HOLDERS, "a farm has at most %d sockets",
			    BENCH_HOLDERS * BENCH_HOLDER_MAX);
		lab_actor_start(&farm->holder[farm->holders], &farm->net, "lab-holder");
		lab_must(&farm->holder[farm->holders], deed_farm, FIRST_PORT + farm->holders, count);
		farm->holders++;
		left -= count;
	}
	farm->sockets += sockets;
	farm_settle(farm);
}

void bench_farm_end(struct bench_farm *farm)
{
	for (unsigned int i = 0; i < farm->holders; i++)
		lab_actor_end(&farm->holder[i]);
	lab_net_delete(&farm->net);
}

static long inuse_read(int fd)
{
	char text[1024];
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	const char *found;
	long count;

	lab_works(size > 0, "sockstat");
	text[size] = '\0';
	found = strstr(text, "TCP: inuse ");
	lab_require(found && sscanf(found, "TCP: inuse %ld", &count) == 1, "sockstat is not understood: %s", text);
	return count;
}

static int sockstat_open(const struct lab_net *net)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/net/sockstat", net->keeper.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	lab_works(fd >= 0, "%s", path);
	return fd;
}

long bench_sockets(const struct lab_net *net)
{
	_cleanup_close_ int fd = sockstat_open(net);

	return inuse_read(fd);
}

double bench_farm_wait_gone(const struct bench_farm *farm, double seconds, double *ret_first)
{
	_cleanup_close_ int fd = sockstat_open(&farm->net);
	double end = bench_now() + seconds;

	*ret_first = bench_now();
	for (;;) {
		long count = inuse_read(fd);

		if (count >= farm->sockets + (long)farm->holders)
			*ret_first = bench_now();
		if (count <= (long)farm->holders)
			return bench_now();
		lab_require(bench_now() < end, "%ld of %ld sockets are left after %.0f s", count - farm->holders,
			    farm->sockets, seconds);
		lab_sleep_ms(1);
	}
}
