/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin of plain functions, without a shared object, in an engine at a clock of the test's own. Its ghosts are held by
 * the test's process or by a child of it. For check_plugin.c and check_host.c.
 */
#ifndef TESTS_UNIT_FAKE_PLUGIN_H
#define TESTS_UNIT_FAKE_PLUGIN_H

#include "plugin.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

#define SECOND UINT64_C(1000000000)
#define TIMEOUT (60 * SECOND)
#define GHOSTS_MAX 4096

static struct engine engine;
static struct config_guard settings;
static struct plugin *plugin;
static uint64_t now_ns;
static int journal_fd, seen;
static bool real_clock;

/* What the fake plugin does, and what was done to it. */
static struct fake {
	const struct gb_host *host;
	uint32_t count;     /* ghosts 1..count are there */
	int32_t holder;     /* their holder's pid; 0: none */
	const char *former; /* the command name of who held them before; NULL: not known */
	bool gone[GHOSTS_MAX + 1];
	const char *action, *spare_for, *detail, *class;
	uint32_t slice; /* ghosts a slice of a scan or reap; 0: all */
	int open_error, scan_error, reap_error, reconfigure_error, reap_item_error;
	uint32_t outcome; /* of each item */
	bool leave_pending;
	uint64_t next_ns; /* what a scan names; 0: a timeout from now */
	uint32_t at, reap_at;
	const struct gb_reap_item *items;
	uint32_t opens, scans, slices, reaps, reaped, closes, dispatches, flags, largest;
	int nested; /* what a report from the wrong place returned */
	int end_error, end_status;
	uint32_t ends; /* how often it was asked how a process ended */
} fake;

static int fake_open(const struct gb_host *host, const void *config, void **ret_state)
{
	struct gb_ghost none = {.struct_size = sizeof(none)};

	(void)config;
	fake.host = host;
	fake.opens++;
	fake.nested = host->ghost(host, &none);
	if (fake.open_error)
		return fake.open_error;
	*ret_state = &fake;
	return 0;
}

static void report(uint32_t key)
{
	const struct gb_holder holder = {.pid = fake.holder, .fd = 3};
	const struct gb_owner owner = {.struct_size = sizeof(owner),
				       .pid = 1, /* of whom it no longer is */
				       .comm = fake.former,
				       .exe = "",
				       .cgroup = "",
				       .unit = "",
				       .container = "",
				       .pod = ""};
	const struct gb_owner *const former[] = {&owner};
	const struct gb_field evidence = {.name = "class", .type = GB_FIELD_TEXT, .text = fake.class};
	const struct gb_ghost ghost = {
		.struct_size = sizeof(ghost),
		.former = former,
		.former_count = fake.former ? 1 : 0,
		.port = 8000,
		.key = key,
		.resource = "thing 1",
		.action = fake.action ? fake.action : "destroy",
		.age_ns = TIMEOUT,
		.holders = &holder,
		.holder_count = fake.holder ? 1 : 0,
		.evidence = &evidence,
		.evidence_count = fake.class ? 1 : 0,
		.proof = &key,
		.proof_size = sizeof(key),
	};

	if (fake.spare_for)
		ck_assert_int_eq(fake.host->spare(fake.host, &ghost, fake.spare_for), 0);
	else
		ck_assert_int_eq(fake.host->ghost(fake.host, &ghost), 0);
}

static int fake_scan(void *state, struct gb_scan *scan)
{
	uint32_t end = fake.slice && fake.at + fake.slice < fake.count ? fake.at + fake.slice : fake.count;

	ck_assert_ptr_eq(state, &fake);
	ck_assert_uint_gt(scan->until_ns, scan->now_ns);
	if (!real_clock)
		ck_assert_uint_eq(scan->now_ns, now_ns);
	fake.slices++;
	fake.flags = scan->flags;
	if (fake.scan_error)
		return fake.scan_error;
	while (fake.at < end)
		if (!fake.gone[++fake.at])
			report(fake.at);
	if (fake.at < fake.count)
		return GB_MORE;
	fake.at = 0;
	fake.scans++;
	scan->next_ns = fake.next_ns ? fake.next_ns : scan->now_ns + TIMEOUT;
	return GB_DONE;
}

static int fake_reap(void *state, struct gb_reap *reap)
{
	uint32_t end = fake.slice && fake.reap_at + fake.slice < reap->count ? fake.reap_at + fake.slice : reap->count;

	ck_assert_ptr_eq(state, &fake);
	if (fake.reap_at == 0)
		fake.items = reap->items;
	ck_assert_ptr_eq(reap->items, fake.items);
	fake.reaps++;
	if (reap->count > fake.largest)
		fake.largest = reap->count;
	if (fake.reap_error)
		return fake.reap_error;
	for (; fake.reap_at < end && !fake.leave_pending; fake.reap_at++) {
		struct gb_reap_item *item = &reap->items[fake.reap_at];
		uint32_t key;

		ck_assert_uint_eq(item->proof_size, sizeof(key));
		memcpy(&key, item->proof, sizeof(key));
		ck_assert_uint_eq(key, item->key);
		ck_assert_str_eq(item->action, "destroy");
		item->outcome = fake.outcome;
		item->error = fake.reap_item_error;
		item->detail = fake.detail;
		fake.gone[key] = fake.outcome == GB_REAPED || fake.outcome == GB_HEALED;
		fake.reaped += fake.outcome == GB_REAPED;
	}
	if (fake.reap_at < reap->count && !fake.leave_pending)
		return GB_MORE;
	fake.reap_at = 0;
	return GB_DONE;
}

static int fake_dispatch(void *state, int fd, uint32_t events)
{
	char byte;

	(void)state;
	(void)events;
	fake.dispatches++;
	return read(fd, &byte, 1) == 1 ? 0 : -errno;
}

static int fake_reconfigure(void *state, const void *config)
{
	(void)state;
	(void)config;
	return fake.reconfigure_error;
}

static int fake_ended(void *state, int32_t pid, uint64_t start_ticks, int32_t *ret_status)
{
	ck_assert_ptr_eq(state, &fake);
	ck_assert_int_eq(pid, fake.holder);
	ck_assert_uint_ne(start_ticks, 0);
	fake.ends++;
	if (fake.end_error == 0)
		*ret_status = fake.end_status;
	return fake.end_error;
}

static void fake_close(void *state)
{
	ck_assert_ptr_eq(state, &fake);
	fake.closes++;
}

static const struct gb_plugin callbacks = {
	.name = "fake",
	.version = "1.0",
	.roles = GB_ROLE_DETECTOR | GB_ROLE_REAPER,
	.open = fake_open,
	.scan = fake_scan,
	.reap = fake_reap,
	.dispatch = fake_dispatch,
	.reconfigure = fake_reconfigure,
	.close = fake_close,
	.ended = fake_ended,
};

static void on_seen(void *arg)
{
	(void)arg;
	seen++;
}

static void setup(void)
{
	now_ns = 1000 * SECOND;
	clock_override(&now_ns);
	memset(&fake, 0, sizeof(fake));
	fake.outcome = GB_REAPED;
	fake.holder = getpid();
	seen = 0;
	real_clock = false;
	settings = (struct config_guard){.rate = 100,
					 .burst = 1000,
					 .failures = 5,
					 .failure_window_ns = 60 * SECOND,
					 .owner_grace_ns = 5 * SECOND};
	memset(&engine, 0, sizeof(engine));
	engine.guard = (struct guard){.settings = &settings};
	engine.seen = on_seen;
	journal_fd = memfd_create("journal", MFD_CLOEXEC);
	ck_assert_int_eq(loop_new(&engine.loop), 0);
	ck_assert_int_eq(journal_new(journal_fd, JOURNAL_JSON, NULL, &engine.journal), 0);
	ck_assert_int_eq(owner_source_new("/proc", &engine.owner_source), 0);
	ck_assert_int_eq(owner_cache_new(engine.owner_source, &engine.owners), 0);
	ck_assert_int_eq(scope_new(NULL, NULL, NULL, &engine.scope), 0);
	ck_assert_int_eq(plugin_new(&engine, "fake", &plugin), 0);
}

static void teardown(void)
{
	plugin_close(plugin);
	plugin_free(plugin);
	ghost_ring_fini(&engine.finished);
	leakers_fini(&engine.leakers);
	scope_free(engine.scope);
	owner_cache_free(engine.owners);
	owner_source_free(engine.owner_source);
	journal_free(engine.journal);
	loop_free(engine.loop);
	close(journal_fd);
	clock_override(NULL);
}

/* Rounds until nothing is due. */
static void settle(void)
{
	for (int bound = 0; plugin->step.when_ns <= now_ns; bound++) {
		ck_assert_int_lt(bound, 100000);
		ck_assert_int_eq(loop_round(engine.loop), 0);
	}
}

static inline void pass(uint64_t ns)
{
	now_ns += ns;
	settle();
}

static inline void start(uint32_t count)
{
	fake.count = count;
	ck_assert_int_eq(plugin_open(plugin, &callbacks, NULL), 0);
	settle();
}

/* Lines of the journal that have both texts in them. */
static inline uint32_t lines(const char *one, const char *other)
{
	static char text[8 << 20];
	char *line, *rest = NULL;
	uint32_t count = 0;
	ssize_t length;

	ck_assert_int_eq(journal_flush(engine.journal), 0);
	length = pread(journal_fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(length, 0);
	text[length] = '\0';
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		count += strstr(line, one) && strstr(line, other);
	return count;
}

#endif
