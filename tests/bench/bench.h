/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks share: series of measured values and the rows they become, clocks, a look at a process's numbers, and
 * a farm of sockets in CLOSE_WAIT. Stands on the laboratory of the system tests: as there, whatever fails ends the program.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lab.h"

/* ---- series and rows (bench.c) ------------------------------------------------------------------------------------ */

struct bench_series {
	double *values;
	size_t count, capacity;
};

void bench_add(struct bench_series *series, double value);
double bench_quantile(const struct bench_series *series, double part); /* 0: least, 0.5: median, 1: most */
void bench_free(struct bench_series *series);

enum bench_aim { BENCH_NO_AIM, BENCH_BELOW, BENCH_AT_MOST, BENCH_AT_LEAST };

/* One row of the table: figure, median, least and most, aim, whether the median has it. Tabs between, to standard output. */
void bench_row(const char *figure, const struct bench_series *series, int decimals, const char *unit,
	       enum bench_aim aim, double bound);
void bench_row_one(const char *figure, double value, int decimals, const char *unit, enum bench_aim aim, double bound);

/* What is being done, to standard error. */
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number on the command line, or `otherwise`. */
long bench_argument(int argc, char **argv, int index, long otherwise);

double bench_now(void);     /* CLOCK_MONOTONIC, seconds */
double bench_cpu_own(void); /* user and system time of the calling process, seconds */

/* ---- other processes (bench.c) ------------------------------------------------------------------------------------ */

double bench_cpu_of(pid_t pid);                     /* user and system time, seconds, with all its threads */
long bench_status_kb(pid_t pid, const char *field); /* of /proc/PID/status: "VmRSS" */
long bench_switches(pid_t pid);                     /* voluntary context switches of all its threads */
long bench_map_bytes(pid_t pid);                    /* memory of all BPF maps that it holds, each counted once */
/* In `net` unless NULL; its output and its errors go to these files. */
pid_t bench_spawn(const struct lab_net *net, const char *const *argv, const char *out, const char *err);
void bench_stop(pid_t pid, int signal_number); /* and waits */

/* A daemon whose journal goes to the file "journal" in its folder: a reader that parses would take a processor from it. */
void bench_daemon_spawn(struct lab_daemon *daemon, const struct lab_setup *setup);
void bench_daemon_wait_ready(struct lab_daemon *daemon);
void bench_daemon_end(struct lab_daemon *daemon);

/* ---- farms (farm.c) ----------------------------------------------------------------------------------------------- */

#define BENCH_HOLDER_MAX 18000 /* sockets of one holder: it has 20,000 descriptors at most */
#define BENCH_HOLDERS 6

/* Processes in one namespace that hold sockets in CLOSE_WAIT. Of their peers nothing is left, as of a ghost's. */
struct bench_farm {
	struct lab_net net;
	struct lab_actor holder[BENCH_HOLDERS];
	unsigned int holders;
	long sockets;
};

void bench_farm_make(struct bench_farm *farm);
void bench_farm_grow(struct bench_farm *farm, long sockets); /* so many more, in holders of their own */
void bench_farm_end(struct bench_farm *farm);

/* TCP sockets of the namespace that are in the kernel's tables, listeners among them: from /proc/net/sockstat. */
long bench_sockets(const struct lab_net *net);

/*
 * Waits until no more than the listeners are left, looking every millisecond: the moment of the last one's end, and in
 * ret_first the last moment at which all were there.
 */
double bench_farm_wait_gone(const struct bench_farm *farm, double seconds, double *ret_first);

#endif
