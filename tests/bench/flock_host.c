/* SPDX-License-Identifier: Apache-2.0 */
#include "flock_host.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "flock/fl.h"

unsigned long flock_host_told;

static uint64_t host_now(const struct gb_host *host)
{
	(void)host;
	return (uint64_t)(bench_now() * 1e9);
}

static void host_log(const struct gb_host *host, enum gb_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void host_log(const struct gb_host *host, enum gb_level level, const char *format, ...)
{
	va_list args;

	(void)host;
	(void)level;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static int host_ghost(const struct gb_host *host, const struct gb_ghost *ghost)
{
	(void)host;
	(void)ghost;
	flock_host_told++;
	return 0;
}

static int host_spare(const struct gb_host *host, const struct gb_ghost *suspect, const char *reason)
{
	(void)reason;
	return host_ghost(host, suspect);
}

static int host_heal(const struct gb_host *host, uint64_t key)
{
	(void)host;
	(void)key;
	return 0;
}

static int host_owner(const struct gb_host *host, int32_t pid, uint64_t start_ticks, struct gb_owner *ret_owner)
{
	(void)host;
	*ret_owner = (struct gb_owner){
		.struct_size = sizeof(*ret_owner), .pid = pid, .start_ticks = start_ticks, .comm = "bench"};
	return 0;
}

static int host_in_scope(const struct gb_host *host, const char *path)
{
	(void)host;
	return strncmp(path, FLOCK_FILES, strlen(FLOCK_FILES)) == 0;
}

static int host_number(const struct gb_host *host, const char *name, uint64_t value)
{
	(void)host;
	(void)name;
	(void)value;
	return 0;
}

static int host_fact(const struct gb_host *host, const char *name, const char *text)
{
	(void)host;
	(void)name;
	(void)text;
	return 0;
}

static const struct gb_host counting_host = {.struct_size = sizeof(counting_host),
					     .log = host_log,
					     .now_ns = host_now,
					     .ghost = host_ghost,
					     .spare = host_spare,
					     .heal = host_heal,
					     .owner = host_owner,
					     .path_in_scope = host_in_scope,
					     .number = host_number,
					     .fact = host_fact};
static const struct fl_config config = {.treatment = {.timeout_ns = GB_SECOND}, .max_tracked = 32768};

void flock_host_open(struct flock_host *host)
{
	void *object = dlopen(LAB_BUILD_PLUGINS "/flock.so", RTLD_NOW | RTLD_LOCAL);

	lab_require(object, "%s", dlerror());
	host->plugin = dlsym(object, "gb_plugin");
	lab_require(host->plugin, "%s", dlerror());
	lab_require(host->plugin->config_size == sizeof(config), "flock.so is of another build");
	lab_require(host->plugin->open(&counting_host, &config, &host->state) == 0, "flock.so does not open");
}

void flock_host_close(struct flock_host *host)
{
	host->plugin->close(host->state);
	host->state = NULL;
}

double flock_host_scan(const struct flock_host *host, uint32_t flags)
{
	struct gb_scan scan = {.struct_size = sizeof(scan), .flags = flags};
	double begun = bench_now();
	int r;

	do {
		scan.now_ns = host_now(NULL);
		scan.until_ns = scan.now_ns + 20 * GB_MILLISECOND;
		r = host->plugin->scan(host->state, &scan);
	} while (r == GB_MORE);
	lab_require(r == GB_DONE, "scan: %s", strerror(-r));
	return bench_now() - begun;
}
