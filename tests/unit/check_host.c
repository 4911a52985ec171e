/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin at work, without a shared object: what it is given, what becomes of its ghosts, at a clock of the test's own.
 * Its ghosts are held by this process or by a child of it.
 */
#include "plugin.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define SECOND UINT64_C(1000000000)
#define TIMEOUT (60 * SECOND)
#define GHOSTS_MAX 4096

static struct engine engine;
static struct config_guard settings;
static struct exemption exemption;
static struct plugin *plugin;
static uint64_t now_ns;
static int journal_fd, seen;
static bool real_clock;

/* What the fake plugin does, and what was done to it. */
static struct fake {
	const struct gb_host *host;
	uint32_t count; /* ghosts 1..count are there */
	int32_t holder; /* their holder's pid; 0: none */
	bool gone[GHOSTS_MAX + 1];
	const char *action, *spare_for, *detail;
	uint32_t slice; /* ghosts a slice of a scan or reap; 0: all */
	int open_error, scan_error, reap_error, reconfigure_error, reap_item_error;
	uint32_t outcome; /* of each item */
	bool leave_pending;
	uint64_t next_ns; /* what a scan names; 0: a timeout from now */
	uint32_t at, reap_at;
	const struct gb_reap_item *items;
	uint32_t opens, scans, slices, reaps, reaped, closes, dispatches, flags, largest;
	int nested; /* what a report from the wrong place returned */
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
	const struct gb_ghost ghost = {
		.struct_size = sizeof(ghost),
		.port = 8000,
		.key = key,
		.resource = "thing 1",
		.action = fake.action ? fake.action : "destroy",
		.age_ns = TIMEOUT,
		.holders = &holder,
		.holder_count = fake.holder ? 1 : 0,
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

static void pass(uint64_t ns)
{
	now_ns += ns;
	settle();
}

static void start(uint32_t count)
{
	fake.count = count;
	ck_assert_int_eq(plugin_open(plugin, &callbacks, NULL), 0);
	settle();
}

/* Lines of the journal that have both texts in them. */
static uint32_t lines(const char *one, const char *other)
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

START_TEST(found_and_reaped_once)
{
	char pid[32];

	start(3);
	ck_assert_uint_eq(fake.scans, 1);
	ck_assert_uint_eq(fake.flags, GB_SCAN_FIRST);
	ck_assert_int_eq(seen, 1);
	ck_assert_uint_eq(fake.reaped, 3);
	ck_assert_uint_eq(fake.reaps, 1);
	snprintf(pid, sizeof(pid), "\"pid\":%d", getpid());
	ck_assert_uint_eq(lines("ghost.found", pid), 3);
	ck_assert_uint_eq(lines("ghost.reaped", pid), 3);
	ck_assert_uint_eq(plugin->totals.reaped, 3);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 0);
	ck_assert_int_eq(fake.nested, -EINVAL);
	ck_assert_ptr_nonnull(ghost_ring_find(&engine.finished, plugin->ghosts.plugin, 2));
}
END_TEST

/* One wake-up a timeout, not more. */
START_TEST(sleeps_until_the_scan_says)
{
	start(0);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + TIMEOUT);
	pass(TIMEOUT - 1);
	ck_assert_uint_eq(fake.scans, 1);
	pass(1);
	ck_assert_uint_eq(fake.scans, 2);
	ck_assert_uint_eq(fake.flags, 0);
	ck_assert_int_eq(seen, 1);
	fake.next_ns = 5; /* long ago: no spinning */
	pass(TIMEOUT);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + PLUGIN_SCAN_GAP_NS);
	fake.next_ns = CLOCK_NEVER;
	pass(SECOND);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + PLUGIN_SCAN_REST_NS);
	ck_assert_int_eq(fake.host->wake_at(fake.host, now_ns + SECOND), 0);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + SECOND);
	ck_assert_int_eq(fake.host->wake_at(fake.host, now_ns + 2 * SECOND), 0);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + SECOND);
	plugin_ask(plugin);
	settle();
	ck_assert_uint_eq(fake.flags, GB_SCAN_ASKED);
}
END_TEST

START_TEST(in_slices)
{
	fake.slice = 10;
	start(100);
	ck_assert_uint_eq(fake.slices, 10);
	ck_assert_uint_eq(fake.scans, 1);
	ck_assert_uint_eq(fake.reaps, 10);
	ck_assert_uint_eq(fake.largest, 100);
	ck_assert_uint_eq(fake.reaped, 100);
}
END_TEST

/* A detail is the plugin's until the next callback, and yet in the journal of each slice. */
START_TEST(details_of_slices)
{
	fake.slice = 1;
	fake.outcome = GB_SPARED;
	fake.detail = "proof-gone";
	start(4);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"proof-gone\""), 4);
	ck_assert_uint_eq(plugin->ghosts.queued, 0);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 4);
}
END_TEST

START_TEST(the_rate_is_kept_and_nothing_lost)
{
	uint32_t reaps;

	start(1500);
	ck_assert_uint_eq(fake.reaped, 1000);
	ck_assert_uint_eq(plugin->ghosts.queued, 500);
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + SECOND / 10);
	reaps = fake.reaps;
	for (int i = 1; i <= 4; i++) {
		for (int j = 0; j < 1000; j++)
			pass(SECOND / 1000);
		ck_assert_uint_eq(fake.reaped, 1000 + 100 * (uint32_t)i);
	}
	ck_assert_uint_eq(fake.reaps, reaps + 40);
	pass(2 * SECOND);
	ck_assert_uint_eq(fake.reaped, 1500);
	ck_assert_uint_eq(plugin->ghosts.queued, 0);
	ck_assert_uint_eq(lines("ghost.reaped", ""), 1500);
	ck_assert_uint_eq(lines("ghost.found", ""), 1500);
}
END_TEST

START_TEST(healed_in_the_queue)
{
	settings.burst = settings.rate = 1;
	plugin_guard_changed(plugin);
	start(3);
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert_int_eq(fake.host->heal(fake.host, 2), 0);
	ck_assert_int_eq(fake.host->heal(fake.host, 77), 0);
	fake.gone[2] = true;
	ck_assert_uint_eq(lines("ghost.healed", "fake-2"), 1);
	pass(10 * SECOND);
	ck_assert_uint_eq(fake.reaped, 2);
	ck_assert_uint_eq(lines("ghost.reaped", "fake-2"), 0);
}
END_TEST

START_TEST(observe_never_reaps)
{
	engine.guard.observe = true;
	start(5);
	pass(TIMEOUT);
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.scans, 3);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.found", ""), 5);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"observe\""), 5);
	ck_assert_str_eq(plugin_state_text(plugin), "observe");
	/* A reload to reap: what was spared is judged again, without a new scan. */
	engine.guard.observe = false;
	plugin_guard_changed(plugin);
	settle();
	ck_assert_uint_eq(fake.reaped, 5);
	ck_assert_uint_eq(lines("ghost.found", ""), 5);
}
END_TEST

START_TEST(observed_while_queued)
{
	settings.burst = settings.rate = 1;
	plugin_guard_changed(plugin);
	start(3);
	engine.guard.observe = true;
	plugin_guard_changed(plugin);
	ck_assert_uint_eq(plugin->ghosts.queued, 0);
	pass(100 * SECOND);
	ck_assert_uint_eq(fake.reaped, 1);
}
END_TEST

START_TEST(exempt_and_report)
{
	exemption = (struct exemption){.port = {8000, 8000}, .owner = {.uid = -1}};
	settings.exempt = (struct gb_groups){&exemption, 1, sizeof(exemption)};
	start(2);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"exempt\""), 2);
	settings.exempt.count = 0;
	fake.action = "report";
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"report\""), 2);
	fake.action = "destroy";
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaped, 2);
}
END_TEST

/* The owner is looked at once more right before: here it became exempt while it waited. */
START_TEST(judged_again_before_the_reaping)
{
	settings.burst = settings.rate = 1;
	plugin_guard_changed(plugin);
	start(3);
	ck_assert_uint_eq(fake.reaped, 1);
	exemption = (struct exemption){.port = {1, 0}, .owner = {.uid = -1, .comm = "check_host"}};
	settings.exempt = (struct gb_groups){&exemption, 1, sizeof(exemption)};
	pass(5 * SECOND);
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert_uint_eq(lines("ghost.spared", "which check_host["), 2);
}
END_TEST

START_TEST(a_holder_that_is_gone)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	fake.holder = child;
	start(1);
	ck_assert_uint_eq(fake.reaps, 0);
	ck_assert_uint_eq(lines("ghost.spared", "holder-gone"), 1);
	fake.holder = 0; /* a kind without holders */
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaped, 1);
}
END_TEST

START_TEST(spared_by_policy)
{
	fake.spare_for = "holder-stopped";
	start(2);
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.spared", "holder-stopped"), 2);
	ck_assert_uint_eq(lines("ghost.found", ""), 0);
	fake.spare_for = "peer-alive";
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.spared", "peer-alive"), 2);
	fake.spare_for = NULL;
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.found", ""), 2);
	ck_assert_uint_eq(fake.reaped, 2);
}
END_TEST

START_TEST(failures_trip_the_breaker)
{
	fake.outcome = GB_FAILED;
	fake.reap_item_error = -ENOENT;
	start(3);
	ck_assert_uint_eq(lines("ghost.failed", "\"errno\":2"), 3);
	ck_assert(!plugin->breaker.tripped);
	pass(SECOND); /* not tried again before the next scan */
	ck_assert_uint_eq(fake.reaps, 1);
	settings.failure_window_ns = 1000 * SECOND;
	plugin_guard_changed(plugin);
	pass(TIMEOUT);
	ck_assert(plugin->breaker.tripped);
	ck_assert_str_eq(plugin_state_text(plugin), "tripped");
	ck_assert_uint_eq(lines("guard.tripped", "5 reapings failed"), 1);
	pass(TIMEOUT);
	ck_assert_uint_eq(fake.reaps, 2);
	ck_assert_uint_eq(lines("ghost.spared", "\"reason\":\"breaker\""), 3);
	fake.outcome = GB_REAPED;
	ck_assert(plugin_resume(plugin));
	ck_assert(!plugin_resume(plugin));
	settle();
	ck_assert_uint_eq(fake.reaped, 3);
}
END_TEST

START_TEST(reap_that_errs_fails_what_is_pending)
{
	fake.reap_error = -EPERM;
	start(2);
	ck_assert_uint_eq(lines("ghost.failed", "\"errno\":1"), 2);
	ck_assert_str_eq(plugin_state_text(plugin), "running");
	fake.reap_error = 0;
	fake.leave_pending = true;
	pass(TIMEOUT);
	ck_assert_uint_eq(lines("ghost.failed", "Protocol error"), 2);
}
END_TEST

/* A child holds the ghosts; it dies within the grace period after the reaping. */
START_TEST(an_owner_that_dies_trips_the_breaker)
{
	pid_t child = fork();
	int rounds = 0;

	if (child == 0) {
		pause();
		_exit(0);
	}
	fake.holder = child;
	start(1);
	ck_assert_uint_eq(fake.reaped, 1);
	ck_assert(!plugin->breaker.tripped);
	ck_assert_int_eq(kill(child, _i ? SIGPIPE : SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	now_ns += _i == 2 ? 6 * SECOND : SECOND;
	/* The deadline of the watch itself is due in the last case. */
	for (plugin->next_scan_ns = 0; rounds < 3; rounds++) {
		plugin->step.when_ns = 0;
		loop_round(engine.loop);
	}
	ck_assert_int_eq(plugin->breaker.tripped, _i != 2);
	if (_i != 2)
		ck_assert_uint_eq(lines("guard.tripped", _i ? "was killed by signal 13" : "was killed by signal 9"), 1);
	waitpid(child, NULL, 0);
}
END_TEST

START_TEST(scans_that_fail_are_tried_again_later_and_later)
{
	fake.scan_error = -EIO;
	start(1);
	ck_assert_int_eq(seen, 1);
	ck_assert_str_eq(plugin_state_text(plugin), "failed");
	for (uint64_t backoff = 1; backoff <= 512; backoff *= 2) {
		ck_assert_uint_eq(plugin->step.when_ns, now_ns + backoff * SECOND);
		pass(backoff * SECOND);
	}
	ck_assert_uint_eq(plugin->step.when_ns, now_ns + 512 * SECOND);
	fake.scan_error = 0;
	pass(512 * SECOND);
	ck_assert_str_eq(plugin_state_text(plugin), "running");
	ck_assert_uint_eq(fake.reaped, 1);
}
END_TEST

static int heal_all(uint64_t key, void *arg)
{
	++*(int *)arg;
	ck_assert_int_eq(fake.host->heal(fake.host, key), 0);
	ck_assert_int_eq(fake.host->heal(fake.host, key == 1 ? 2 : 1), 0);
	return 0;
}

static int stop_at_once(uint64_t key, void *arg)
{
	(void)key;
	(void)arg;
	return 7;
}

START_TEST(known_ones_may_heal_on_the_way)
{
	int count = 0;

	engine.guard.observe = true;
	start(10);
	ck_assert_int_eq(fake.host->each_known(fake.host, stop_at_once, NULL), 7);
	ck_assert_int_eq(fake.host->each_known(fake.host, heal_all, &count), 0);
	ck_assert_int_eq(count, 9);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 0);
}
END_TEST

START_TEST(opened_again)
{
	engine.guard.observe = true;
	start(3);
	plugin_close(plugin);
	ck_assert_uint_eq(fake.closes, 1);
	fake.gone[2] = true;
	now_ns += SECOND;
	start(3);
	ck_assert_uint_eq(fake.opens, 2);
	ck_assert_uint_eq(lines("ghost.found", ""), 3);
	ck_assert_uint_eq(lines("ghost.spared", "observe"), 3);
	ck_assert_uint_eq(lines("ghost.healed", "fake-2"), 1);
	ck_assert_uint_eq(ghost_count(&plugin->ghosts), 2);
}
END_TEST

START_TEST(refused_at_open)
{
	fake.open_error = -EPERM;
	ck_assert_int_eq(plugin_open(plugin, &callbacks, NULL), -EPERM);
	plugin_refuse(plugin, "for a test");
	ck_assert_str_eq(plugin_state_text(plugin), "refused");
	ck_assert_uint_eq(lines("plugin.refused", "for a test"), 1);
	ck_assert_uint_eq(plugin->step.when_ns, CLOCK_NEVER);
	plugin_close(plugin);
	ck_assert_uint_eq(fake.closes, 0);
}
END_TEST

START_TEST(reconfigured)
{
	start(0);
	fake.reconfigure_error = -EINVAL;
	ck_assert_int_eq(plugin_reconfigure(plugin, NULL), -EINVAL);
	ck_assert_uint_eq(fake.scans, 1);
	fake.reconfigure_error = 0;
	ck_assert_int_eq(plugin_reconfigure(plugin, NULL), 0);
	settle();
	ck_assert_uint_eq(fake.scans, 2);
}
END_TEST

START_TEST(watched_descriptors)
{
	int ends[2];

	start(0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(fake.host->watch(fake.host, ends[0], EPOLLIN), 0);
	ck_assert_int_eq(fake.host->watch(fake.host, ends[0], EPOLLIN), -EEXIST);
	ck_assert_int_eq(fake.host->watch(fake.host, -1, EPOLLIN), -EINVAL);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(loop_round(engine.loop), 0);
	ck_assert_uint_eq(fake.dispatches, 1);
	/* The other end goes, dispatch() errs each time: not for ever. */
	close(ends[1]);
	for (int i = 0; i < 20; i++) {
		plugin->step.when_ns = 0;
		loop_round(engine.loop);
	}
	ck_assert_uint_le(fake.dispatches, 20);
	ck_assert_int_eq(fake.host->unwatch(fake.host, ends[0]), plugin->watch_count ? 0 : -ENOENT);
	ck_assert_int_eq(fake.host->unwatch(fake.host, ends[0]), -ENOENT);
	close(ends[0]);
}
END_TEST

static int report_wrongly(void *arg)
{
	const struct gb_ghost *ghost = arg;
	int r;

	plugin_enter(plugin, PLUGIN_CALL_SCAN);
	r = fake.host->ghost(fake.host, ghost);
	plugin_leave(plugin);
	return r;
}

START_TEST(broken_contracts)
{
	const char *nowhere[] = {"no-such-name"};
	const struct gb_strings names = {nowhere, 1};
	struct gb_ghost ghost = {.struct_size = sizeof(ghost), .key = 1, .resource = "x", .action = "destroy"};
	struct gb_owner owner = {.struct_size = sizeof(owner)};
	char name[8];

	start(0);
	ck_assert_int_eq(fake.host->ghost(fake.host, &ghost), -EINVAL); /* from no callback */
	ck_assert_int_eq(fake.host->owner(fake.host, getpid(), 0, &owner), -EINVAL);
	ck_assert_int_eq(report_wrongly(NULL), -EINVAL);
	ghost.action = "two words";
	ck_assert_int_eq(report_wrongly(&ghost), -EINVAL);
	ghost.action = "destroy";
	ghost.struct_size = 16;
	ck_assert_int_eq(report_wrongly(&ghost), -EINVAL);
	ghost.struct_size = sizeof(ghost);
	scope_free(engine.scope);
	ck_assert_int_eq(scope_new(&names, NULL, NULL, &engine.scope), 0);
	scope_resolve(engine.scope, NULL);
	ghost.ns = (struct gb_ns){.kind = GB_NS_NET, .inode = 5};
	ck_assert_int_eq(report_wrongly(&ghost), -EPERM);
	ck_assert_int_eq(fake.host->ns_in_scope(fake.host, &ghost.ns), 0);
	ck_assert_int_eq(fake.host->ns_scoped(fake.host, GB_NS_NET), 1);
	ck_assert_int_eq(fake.host->ns_scoped(fake.host, GB_NS_IPC), 0);
	ck_assert_int_eq(fake.host->each_known(fake.host, NULL, NULL), -EINVAL);
	ck_assert_int_eq(fake.host->number(fake.host, "Not A Word", 1), -EINVAL);
	ck_assert_int_eq(fake.host->fact(fake.host, "method", NULL), -EINVAL);
	for (int i = 0; i < PLUGIN_SHOWN_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(fake.host->number(fake.host, name, 1), 0);
		ck_assert_int_eq(fake.host->fact(fake.host, name, "x"), 0);
	}
	ck_assert_int_eq(fake.host->number(fake.host, "n0", 2), 0);
	ck_assert_int_eq(fake.host->number(fake.host, "one_more", 1), -ENOSPC);
	ck_assert_int_eq(fake.host->fact(fake.host, "one_more", "x"), -ENOSPC);
}
END_TEST

/* A clock that goes on between two looks: a batch that is due must start, and afterwards all must be still. */
START_TEST(at_the_machines_clock)
{
	real_clock = true;
	clock_override(NULL);
	fake.count = 3;
	ck_assert_int_eq(plugin_open(plugin, &callbacks, NULL), 0);
	for (int i = 0; i < 20 && fake.reaped < 3; i++)
		ck_assert_int_eq(loop_round(engine.loop), 0);
	ck_assert_uint_eq(fake.reaped, 3);
	plugin_arm(plugin);
	ck_assert_uint_gt(plugin->step.when_ns, clock_now_ns() + SECOND);
}
END_TEST

static void add_all(TCase *tests)
{
	tcase_add_test(tests, found_and_reaped_once);
	tcase_add_test(tests, sleeps_until_the_scan_says);
	tcase_add_test(tests, in_slices);
	tcase_add_test(tests, details_of_slices);
	tcase_add_test(tests, the_rate_is_kept_and_nothing_lost);
	tcase_add_test(tests, healed_in_the_queue);
	tcase_add_test(tests, observe_never_reaps);
	tcase_add_test(tests, observed_while_queued);
	tcase_add_test(tests, exempt_and_report);
	tcase_add_test(tests, judged_again_before_the_reaping);
	tcase_add_test(tests, a_holder_that_is_gone);
	tcase_add_test(tests, spared_by_policy);
	tcase_add_test(tests, failures_trip_the_breaker);
	tcase_add_test(tests, reap_that_errs_fails_what_is_pending);
	tcase_add_loop_test(tests, an_owner_that_dies_trips_the_breaker, 0, 3);
	tcase_add_test(tests, scans_that_fail_are_tried_again_later_and_later);
	tcase_add_test(tests, known_ones_may_heal_on_the_way);
	tcase_add_test(tests, opened_again);
	tcase_add_test(tests, refused_at_open);
	tcase_add_test(tests, reconfigured);
	tcase_add_test(tests, watched_descriptors);
	tcase_add_test(tests, broken_contracts);
	tcase_add_test(tests, at_the_machines_clock);
}

int main(void)
{
	Suite *suite = suite_create("host");
	TCase *tests = tcase_create("host");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	add_all(tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
