/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

/* ---- series and rows ---- */

void bench_add(struct bench_series *series, double value)
{
	if (series->count == series->capacity) {
		series->capacity = series->capacity ? series->capacity * 2 : 64;
		series->values = realloc(series->values, series->capacity * sizeof(*series->values));
		lab_require(series->values, "out of memory");
	}
	series->values[series->count++] = value;
}

void bench_free(struct bench_series *series)
{
	free(series->values);
	*series = (struct bench_series){0};
}

static int value_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_quantile(const struct bench_series *series, double part)
{
	size_t size = series->count * sizeof(*series->values), low;
	_cleanup_free_ double *sorted = malloc(size + 1);
	double place, rest;

	lab_require(sorted && series->count, "no values");
	memcpy(sorted, series->values, size);
	qsort(sorted, series->count, sizeof(*sorted), value_compare);
	place = part * (double)(series->count - 1);
	low = (size_t)place;
	rest = place - (double)low;
	return rest > 0 ? sorted[low] + rest * (sorted[low + 1] - sorted[low]) : sorted[low];
}

static bool has_aim(double value, enum bench_aim aim, double bound)
{
	switch (aim) {
	case BENCH_BELOW:
		return value < bound;
	case BENCH_AT_MOST:
		return value <= bound;
	case BENCH_AT_LEAST:
		return value >= bound;
	case BENCH_NO_AIM:
		break;
	}
	return true;
}

void bench_row(const char *figure, const struct bench_series *series, int decimals, const char *unit,
	       enum bench_aim aim, double bound)
{
	static const char *const signs[] = {
		[BENCH_BELOW] = "< ", [BENCH_AT_MOST] = "at most ", [BENCH_AT_LEAST] = "at least "};
	double median = bench_quantile(series, 0.5);
	double scale = pow(10, decimals);

	printf("%s\t%.*f%s\t%.*f - %.*f\t", figure, decimals, median, unit, decimals, bench_quantile(series, 0),
	       decimals, bench_quantile(series, 1));
	if (aim == BENCH_NO_AIM)
		printf("\t\n");
	else /* judged as it is printed */
		printf("%s%g%s\t%s\n", signs[aim], bound, unit,
		       has_aim(round(median * scale) / scale, aim, bound) ? "yes" : "NO");
	fflush(stdout);
}

void bench_row_one(const char *figure, double value, int decimals, const char *unit, enum bench_aim aim, double bound)
{
	struct bench_series series = {.values = &value, .count = 1};

	bench_row(figure, &series, decimals, unit, aim, bound);
}

void bench_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

long bench_argument(int argc, char **argv, int index, long otherwise)
{
	return argc > index ? strtol(argv[index], NULL, 10) : otherwise;
}

double bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_cpu_own(void)
{
	struct timespec used;

	lab_works(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0, "the processor time used");
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* ---- other processes ---- */

double bench_cpu_of(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	lab_require(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0,
		    "the processor time of %d cannot be read", pid);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The number after "FIELD:" in a file such as /proc/PID/status; -1 when it has none. */
static long field_read(const char *path, const char *field)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t length = strlen(field);
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, length) == 0 && line[length] == ':')
			return strtol(line + length + 1, NULL, 10);
	return -1;
}

long bench_status_kb(pid_t pid, const char *field)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return field_read(path, field);
}

/* Calls `fn` with the path of each entry of a folder of this process in /proc. */
static void each_entry(pid_t pid, const char *folder, void (*fn)(const char *path, void *arg), void *arg)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, folder);
	dir = opendir(path);
	lab_works(dir, "%s", path);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/%s/%s", pid, folder, entry->d_name);
		if (entry->d_name[0] != '.')
			fn(path, arg);
	}
	closedir(dir);
}

static void switches_add(const char *task, void *arg)
{
	long *sum = arg, count;
	char path[600];

	snprintf(path, sizeof(path), "%s/status", task);
	count = field_read(path, "voluntary_ctxt_switches");
	*sum += count > 0 ? count : 0;
}

long bench_switches(pid_t pid)
{
	long sum = 0;

	each_entry(pid, "task", switches_add, &sum);
	return sum;
}

struct maps {
	long id[256];
	size_t count;
	long bytes;
};

static void map_add(const char *path, void *arg)
{
	struct maps *maps = arg;
	long id = field_read(path, "map_id"), bytes = field_read(path, "memlock");

	for (size_t i = 0; i < maps->count; i++)
		if (maps->id[i] == id)
			return;
	if (id < 0 || maps->count == sizeof(maps->id) / sizeof(maps->id[0]))
		return;
	maps->id[maps->count++] = id;
	maps->bytes += bytes;
}

long bench_map_bytes(pid_t pid)
{
	struct maps maps = {0};

	each_entry(pid, "fdinfo", map_add, &maps);
	return maps.bytes;
}

static void redirect(const char *path, int target)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	lab_works(fd >= 0, "%s", path);
	dup2(fd, target);
}

pid_t bench_spawn(const struct lab_net *net, const char *const *argv, const char *out, const char *err)
{
	pid_t pid = lab_fork();

	if (pid)
		return pid;
	if (net) {
		int fd = open(net->path, O_RDONLY | O_CLOEXEC);

		lab_works(fd >= 0 && setns(fd, CLONE_NEWNET) == 0, "%s", net->path);
	}
	redirect(out, STDOUT_FILENO);
	redirect(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(argv[0], (char **)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(126);
}

void bench_stop(pid_t pid, int signal_number)
{
	kill(pid, signal_number);
	waitpid(pid, NULL, 0);
}

/* A file in the daemon's folder. */
static const char *daemon_file(const struct lab_daemon *daemon, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", daemon->dir, name);
	return path;
}

static bool file_says(const char *path, const char *text, bool aloud)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		if (aloud)
			fputs(line, stderr);
		if (text && strstr(line, text))
			return true;
	}
	return false;
}

void bench_daemon_spawn(struct lab_daemon *daemon, const struct lab_setup *setup)
{
	const char *argv[] = {LAB_PROGRAM, "-c", daemon->config, "--plugin-dir", LAB_PLUGINS, NULL};
	char journal[96], errors[96];

	*daemon = (struct lab_daemon){.out = -1, .err = -1};
	snprintf(daemon->dir, sizeof(daemon->dir), LAB_DIR "/%s", setup->name ? setup->name : "daemon");
	snprintf(daemon->config, sizeof(daemon->config), "%s/eghostbuster.cfg", daemon->dir);
	snprintf(daemon->control, sizeof(daemon->control), "%s/control.sock", daemon->dir);
	lab_works(mkdir(daemon->dir, 0700) == 0 || errno == EEXIST, "%s", daemon->dir);
	lab_daemon_configure(daemon, setup);
	unlink(daemon_file(daemon, "journal", journal, sizeof(journal)));
	daemon->pid = bench_spawn(NULL, argv, journal, daemon_file(daemon, "errors", errors, sizeof(errors)));
}

void bench_daemon_wait_ready(struct lab_daemon *daemon)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	char path[96];

	daemon_file(daemon, "journal", path, sizeof(path));
	while (!file_says(path, "\"daemon.ready\"", false)) {
		if (lab_now_ms() > end || waitpid(daemon->pid, NULL, WNOHANG) != 0) {
			file_says(daemon_file(daemon, "errors", path, sizeof(path)), NULL, true);
			lab_fail(__FILE__, __LINE__, 0, "the daemon does not get ready");
		}
		lab_sleep_ms(5);
	}
}

void bench_daemon_end(struct lab_daemon *daemon)
{
	char journal[96];
	int code;

	kill(daemon->pid, SIGTERM);
	code = lab_wait_exit(daemon->pid);
	lab_require(code == 0, "the daemon ended with %d", code);
	unlink(daemon_file(daemon, "journal", journal, sizeof(journal)));
	daemon->pid = 0;
}
