/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_flock_hot [ROUNDS]: what an uncontended flock() and its unlock cost with the plugin's program at the tracepoint, as
 * a multiple of the same pair with nothing there; and with a program there that returns at once, which is the least that
 * any program costs. In one process on one processor: a round visits the three sides in turn, each with many batches that
 * are too short to be interrupted often; the median batch stands for the side, and the ratio is taken within the round.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench.h"
#include "flock_host.h"

#define ROUNDS 60
#define BATCHES 61
#define PAIRS 100

enum side { NOTHING, EMPTY, PLUGIN, SIDES };

static int programs[SIDES] = {-1, -1, -1};

/* The newest program of this name: the one that the plugin has just loaded. */
static int program_find(const char *name)
{
	uint32_t id = 0;
	int found = -1;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && strcmp(info.name, name) == 0) {
			if (found >= 0)
				close(found);
			found = fd;
		} else {
			close(fd);
		}
	}
	return found;
}

static int program_empty(void)
{
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id("flock_lock_inode", BPF_TRACE_RAW_TP);

	lab_require(id > 0, "no flock_lock_inode in the kernel's BTF");
	options.attach_btf_id = (uint32_t)id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", code, GB_COUNT(code), &options);
}

static double batch(int fd)
{
	double begun = bench_now();

	for (int i = 0; i < PAIRS; i++) {
		flock(fd, LOCK_EX);
		flock(fd, LOCK_UN);
	}
	return (bench_now() - begun) * 1e9 / PAIRS;
}

static double side_measure(enum side side, int fd)
{
	struct bench_series batches = {0};
	int link = -1;
	double median;

	if (programs[side] >= 0) {
		link = bpf_raw_tracepoint_open(NULL, programs[side]);
		lab_require(link >= 0, "the program does not attach");
	}
	batch(fd);
	for (int i = 0; i < BATCHES; i++)
		bench_add(&batches, batch(fd));
	median = bench_quantile(&batches, 0.5);
	bench_free(&batches);
	if (link >= 0)
		close(link);
	return median;
}

static void pin(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	lab_require(sched_setaffinity(0, sizeof(one), &one) == 0, "sched_setaffinity");
}

int main(int argc, char *argv[])
{
	int fd = open(FLOCK_FILES "hot", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long rounds = bench_argument(argc, argv, 1, ROUNDS);
	struct bench_series pairs[SIDES] = {0}, ratios[SIDES] = {0}, own = {0};
	struct flock_host host;

	lab_require(fd >= 0, FLOCK_FILES "hot");
	/* The programs outlive the plugin that loaded them, by these descriptors, so that each side can come and go. */
	flock_host_open(&host);
	programs[PLUGIN] = program_find("flock_track");
	flock_host_close(&host);
	programs[EMPTY] = program_empty();
	lab_require(programs[PLUGIN] >= 0 && programs[EMPTY] >= 0, "programs");
	pin();
	bench_say("flock_hot: %ld rounds of %d batches of %d pairs a side", rounds, BATCHES, PAIRS);
	for (long round = 0; round < rounds; round++) {
		double cost[SIDES];

		for (int i = 0; i < SIDES; i++) {
			enum side side = (enum side)((round + i) % SIDES);

			cost[side] = side_measure(side, fd);
			bench_add(&pairs[side], cost[side]);
		}
		bench_add(&ratios[EMPTY], cost[EMPTY] / cost[NOTHING]);
		bench_add(&ratios[PLUGIN], cost[PLUGIN] / cost[NOTHING]);
		bench_add(&own, cost[PLUGIN] / cost[EMPTY]);
	}
	unlink(FLOCK_FILES "hot");
	bench_row("flock and unlock, uncontended: nothing attached", &pairs[NOTHING], 0, " ns", BENCH_NO_AIM, 0);
	bench_row("flock and unlock: with an empty program, to nothing", &ratios[EMPTY], 3, " x", BENCH_NO_AIM, 0);
	bench_row("flock and unlock: with the plugin", &pairs[PLUGIN], 0, " ns", BENCH_NO_AIM, 0);
	bench_row("flock and unlock: with the plugin, to an empty program", &own, 3, " x", BENCH_AT_MOST, 1.05);
	bench_row("flock and unlock: with the plugin, to nothing", &ratios[PLUGIN], 3, " x", BENCH_AT_MOST, 1.05);
	return 0;
}
