/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flock_hot PLUGIN.so: what an uncontended flock() and unlock costs, without and with the plugin, in alternating rounds;
 * and how long a complete look takes at the holders of 10,000 locked files of which one is contended, against lslocks.
 * Run by hand, as root, on a quiet machine:
 *     cc -O2 -D_GNU_SOURCE -Iinclude tests/bench/flock_hot.c -o /tmp/flock_hot -ldl
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <eghostbuster/plugin.h>

#define ROUNDS 15
#define PAIRS 5000
#define FILES 10000

/* The head of the plugin's options; rules are none. */
struct config {
	uint64_t timeout_ns;
	int32_t action, signal, signal_to;
	int64_t max_tracked;
	struct gb_groups rules;
};

static uint64_t now(const struct gb_host *host)
{
	struct timespec at;

	(void)host;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static void say(const struct gb_host *host, enum gb_level level, const char *format, ...)
{
	va_list args;

	(void)host;
	(void)level;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

static int ghost(const struct gb_host *host, const struct gb_ghost *found)
{
	(void)host;
	(void)found;
	return 0;
}

static int spare(const struct gb_host *host, const struct gb_ghost *found, const char *reason)
{
	(void)host;
	(void)found;
	(void)reason;
	return 0;
}

static int heal(const struct gb_host *host, uint64_t key)
{
	(void)host;
	(void)key;
	return 0;
}

static int owner(const struct gb_host *host, int32_t pid, uint64_t start, struct gb_owner *ret_owner)
{
	(void)host;
	(void)start;
	*ret_owner = (struct gb_owner){.struct_size = sizeof(*ret_owner), .pid = pid, .comm = "bench"};
	return 0;
}

static int in_scope(const struct gb_host *host, const char *path)
{
	(void)host;
	return strncmp(path, "/tmp/flock_hot.", 15) == 0;
}

static int number(const struct gb_host *host, const char *name, uint64_t value)
{
	(void)host;
	(void)name;
	(void)value;
	return 0;
}

static int fact(const struct gb_host *host, const char *name, const char *text)
{
	(void)host;
	(void)name;
	(void)text;
	return 0;
}

static const struct gb_host host = {.struct_size = sizeof(host),
				    .log = say,
				    .now_ns = now,
				    .ghost = ghost,
				    .spare = spare,
				    .heal = heal,
				    .owner = owner,
				    .path_in_scope = in_scope,
				    .number = number,
				    .fact = fact};
static const struct config config = {.timeout_ns = 1000000000, .max_tracked = 32768};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double pairs(int fd)
{
	uint64_t begun = now(NULL);

	for (int i = 0; i < PAIRS; i++) {
		flock(fd, LOCK_EX);
		flock(fd, LOCK_UN);
	}
	return (double)(now(NULL) - begun) / PAIRS;
}

static void hot_path(const struct gb_plugin *plugin)
{
	static double without[ROUNDS], with[ROUNDS];
	int fd = open("/tmp/flock_hot.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *state;

	for (int i = 0; i < ROUNDS; i++) {
		without[i] = pairs(fd);
		if (plugin->open(&host, &config, &state) < 0)
			exit(EXIT_FAILURE);
		with[i] = pairs(fd);
		plugin->close(state);
	}
	qsort(without, ROUNDS, sizeof(without[0]), compare);
	qsort(with, ROUNDS, sizeof(with[0]), compare);
	printf("an uncontended pair: median %.0f ns without, %.0f ns with: x%.3f (least: %.0f, %.0f: x%.3f)\n",
	       without[ROUNDS / 2], with[ROUNDS / 2], with[ROUNDS / 2] / without[ROUNDS / 2], without[0], with[0],
	       with[0] / without[0]);
	unlink("/tmp/flock_hot.lock");
	close(fd);
}

static double scan_once(const struct gb_plugin *plugin, void *state, uint32_t flags)
{
	struct gb_scan scan = {.struct_size = sizeof(scan), .flags = flags};
	uint64_t begun = now(NULL);

	do {
		scan.now_ns = now(NULL);
		scan.until_ns = scan.now_ns + 20000000;
	} while (plugin->scan(state, &scan) == GB_MORE);
	return (double)(now(NULL) - begun) / 1e6;
}

static void holders(const struct gb_plugin *plugin)
{
	struct rlimit limit = {.rlim_cur = FILES + 100, .rlim_max = 20000};
	uint64_t begun;
	char path[64];
	void *state;
	pid_t waiter;

	setrlimit(RLIMIT_NOFILE, &limit);
	if (plugin->open(&host, &config, &state) < 0)
		exit(EXIT_FAILURE);
	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(path, sizeof(path), "/tmp/flock_hot.%d", i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || flock(fd, LOCK_EX) < 0)
			exit(EXIT_FAILURE);
	}
	waiter = fork();
	if (waiter == 0)
		_exit(flock(open(path, O_RDWR | O_CLOEXEC), LOCK_EX));
	sleep(2);
	printf("holders among %d locked files: first look (a survey of all) %.2f ms", FILES,
	       scan_once(plugin, state, GB_SCAN_FIRST));
	printf(", later %.2f ms", scan_once(plugin, state, 0));
	begun = now(NULL);
	if (system("timeout 60 lslocks >/dev/null") != 0)
		printf(" (no lslocks, or cut after 60 s)");
	printf(", lslocks %.1f ms\n", (double)(now(NULL) - begun) / 1e6);
	kill(waiter, SIGKILL);
	waitpid(waiter, NULL, 0);
	plugin->close(state);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/flock_hot.%d", i);
		unlink(path);
	}
}

int main(int argc, char *argv[])
{
	void *object = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	const struct gb_plugin *plugin = object ? dlsym(object, "gb_plugin") : NULL;

	if (!plugin) {
		fprintf(stderr, "usage: flock_hot PLUGIN.so\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	hot_path(plugin);
	holders(plugin);
	return 0;
}
