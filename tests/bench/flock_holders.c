/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_flock_holders [FILES [ROUNDS]]: how long it takes to tell who holds what among so many locked files (10,000), of
 * which one keeps somebody out: the plugin's first look, which surveys every lock of the machine, a later one, and lslocks,
 * which reads /proc/locks and for each of its lines the descriptors of the process. And all of them contended at once.
 * lslocks is cut after three minutes: its figure is then the least that it takes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "flock_host.h"

#define FILES 10000
#define ROUNDS 15
#define LSLOCKS "/usr/bin/lslocks"

static void file_name(char *path, size_t size, long i)
{
	snprintf(path, size, FLOCK_FILES "%ld", i);
}

static void files_lock(long files)
{
	struct rlimit limit;
	char path[64];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	lab_require((long)limit.rlim_cur > files + 100, "at most %ld descriptors", (long)limit.rlim_cur);
	for (long i = 0; i < files; i++) {
		int fd;

		file_name(path, sizeof(path), i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		lab_require(fd >= 0 && flock(fd, LOCK_EX) == 0, "%s", path);
	}
}

static void files_remove(long files)
{
	char path[64];

	for (long i = 0; i < files; i++) {
		file_name(path, sizeof(path), i);
		unlink(path);
	}
}

static pid_t wait_for_file(long i)
{
	char path[64];
	pid_t pid = fork();

	file_name(path, sizeof(path), i);
	if (pid == 0)
		_exit(flock(open(path, O_RDWR | O_CLOEXEC), LOCK_EX));
	lab_require(pid > 0, "fork");
	return pid;
}

/* Nobody waits, but each has refused somebody within the timeout. */
static void all_refuse(long files)
{
	char path[64];

	for (long i = 0; i < files; i++) {
		int fd;

		file_name(path, sizeof(path), i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		lab_require(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0, "%s", path);
		close(fd);
	}
}

static double lslocks_measure(void)
{
	double begun = bench_now();

	if (access(LSLOCKS, X_OK) < 0) {
		bench_say("flock_holders: no " LSLOCKS);
		return 0;
	}
	if (system("timeout 180 " LSLOCKS " >/dev/null") != 0)
		bench_say("flock_holders: lslocks was cut");
	return bench_now() - begun;
}

static void row(const char *what, long files, const struct bench_series *series)
{
	char figure[96];

	snprintf(figure, sizeof(figure), "holders among %ld locked files: %s", files, what);
	bench_row(figure, series, 2, " ms", BENCH_NO_AIM, 0);
}

static void ratio_row(long files, double lslocks, const struct bench_series *series)
{
	char figure[96];

	snprintf(figure, sizeof(figure), "holders among %ld locked files: a look, to lslocks", files);
	bench_row_one(figure, lslocks * 1e3 / bench_quantile(series, 0.5), 1, " x", BENCH_AT_LEAST, 10);
}

int main(int argc, char *argv[])
{
	long files = bench_argument(argc, argv, 1, FILES), rounds = bench_argument(argc, argv, 2, ROUNDS);
	struct bench_series first = {0}, later = {0}, all = {0}, others = {0};
	struct flock_host host;
	double lslocks;
	pid_t waiter;

	files_lock(files);
	waiter = wait_for_file(files / 2);
	bench_say("flock_holders: %ld files, %ld rounds", files, rounds);
	for (long i = 0; i < rounds; i++) {
		flock_host_open(&host);
		bench_add(&first, flock_host_scan(&host, GB_SCAN_FIRST) * 1e3);
		lab_sleep_ms(1100);
		flock_host_told = 0;
		bench_add(&later, flock_host_scan(&host, 0) * 1e3);
		lab_require(flock_host_told == 1, "%lu locks were told of, want 1", flock_host_told);
		if (i + 1 < rounds)
			flock_host_close(&host);
	}
	lslocks = lslocks_measure();
	bench_add(&others, lslocks * 1e3);
	for (long i = 0; i < 3; i++) {
		all_refuse(files);
		flock_host_told = 0;
		bench_add(&all, flock_host_scan(&host, 0) * 1e3);
		bench_say("flock_holders: %lu of %ld told of", flock_host_told, files);
	}
	kill(waiter, SIGKILL);
	waitpid(waiter, NULL, 0);
	flock_host_close(&host);
	files_remove(files);
	row("the first look", files, &first);
	row("a later look", files, &later);
	row("lslocks", files, &others);
	if (lslocks > 0)
		ratio_row(files, lslocks, &later);
	row("a look, all contended", files, &all);
	return 0;
}
