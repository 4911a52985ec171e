/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the look that condemned a lock and its release anything may change. The plugin alone, with a host that lets the
 * test change one thing at exactly that moment, or in the middle of the release itself: each must be noticed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "flock/fl.h"
#include "lab_check.h"
#include "lab_lock.h"

#define PATH LAB_LOCKS "/job.lock"
#define OTHER LAB_LOCKS "/other.lock"
#define NOT_OPEN 900
#define ALONE 60 /* a descriptor of this process that shares the open file of the lock */

static struct lab_actor script, waiter;
static pid_t service;
static long locked, unrelated, second; /* descriptors of the service: the lock, another file's, another open one's */
static const struct gb_plugin *plugin;
static void *state;
static struct fl_proof proof;
static uint64_t condemned; /* the key; 0: nothing yet */
static bool out_of_scope, retake_meanwhile;

/* ---- the host ----------------------------------------------------------------------------------------------------- */

static uint64_t host_now(const struct gb_host *host)
{
	struct timespec now;

	(void)host;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * GB_SECOND + (uint64_t)now.tv_nsec;
}

static void host_log(const struct gb_host *host, enum gb_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void host_log(const struct gb_host *host, enum gb_level level, const char *format, ...)
{
	(void)host;
	(void)level;
	(void)format;
}

static int host_ghost(const struct gb_host *host, const struct gb_ghost *ghost)
{
	(void)host;
	lab_require(ghost->proof_size == sizeof(proof), "flock.so is of another build");
	memcpy(&proof, ghost->proof, sizeof(proof));
	condemned = ghost->key;
	return 0;
}

/* The look of another daemon has the open file in its hands for a moment. */
static int host_spare(const struct gb_host *host, const struct gb_ghost *suspect, const char *reason)
{
	(void)host;
	(void)suspect;
	lab_require(strcmp(reason, "held-elsewhere") == 0, "spared before anything was changed: %s", reason);
	return 0;
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
	(void)pid;
	(void)start_ticks;
	(void)ret_owner;
	return -ESRCH;
}

/* Asked after the taking was looked up, and before the unlock. */
static int host_in_scope(const struct gb_host *host, const char *path)
{
	(void)host;
	if (retake_meanwhile)
		lab_works(flock(ALONE, LOCK_EX) == 0, "flock");
	return !out_of_scope && strncmp(path, LAB_LOCKS "/", strlen(LAB_LOCKS "/")) == 0;
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

static const struct gb_host host_ = {.struct_size = sizeof(host_),
				     .log = host_log,
				     .now_ns = host_now,
				     .ghost = host_ghost,
				     .spare = host_spare,
				     .heal = host_heal,
				     .owner = host_owner,
				     .path_in_scope = host_in_scope,
				     .number = host_number,
				     .fact = host_fact};
static const struct fl_config config = {.treatment = {.timeout_ns = GB_SECOND, .action = FL_ACTION_UNLOCK},
					.max_tracked = 32768};

/* Once: each test is a fork, with a state of its own and the kernel's maps in common, as the days of a daemon have. */
static void plugin_open(void)
{
	void *object;

	lab_open();
	object = dlopen(LAB_PLUGINS "/flock.so", RTLD_NOW | RTLD_LOCAL);

	lab_require(object, "%s", dlerror());
	plugin = dlsym(object, "gb_plugin");
	lab_require(plugin && plugin->config_size == sizeof(config), "flock.so is of another build");
	lab_require(plugin->open(&host_, &config, &state) == 0, "flock.so does not open");
}

static void plugin_close(void)
{
	plugin->close(state);
}

static void scan(void)
{
	struct gb_scan scan = {.struct_size = sizeof(scan)};
	int r;

	do {
		scan.now_ns = host_now(NULL);
		scan.until_ns = scan.now_ns + GB_SECOND;
		r = plugin->scan(state, &scan);
	} while (r == GB_MORE);
	ck_assert_int_eq(r, GB_DONE);
}

/* ---- what changes ------------------------------------------------------------------------------------------------- */

static void nothing(void)
{
}

/* As when the holder has put another file at that number, and puts this one back at once. */
static void number_of_another_file(void)
{
	proof.fd = (int32_t)unrelated;
}

static void number_of_another_open_file(void)
{
	proof.fd = (int32_t)second;
}

static void number_of_nothing(void)
{
	proof.fd = NOT_OPEN;
}

/* This process becomes one that has the lock's open file. */
static void share(void)
{
	int process = (int)syscall(SYS_pidfd_open, service, 0), fd;

	lab_works(process >= 0, "pidfd_open");
	fd = (int)syscall(SYS_pidfd_getfd, process, (int)locked, 0);
	lab_works(fd >= 0 && dup3(fd, ALONE, O_CLOEXEC) >= 0, "pidfd_getfd");
	close(fd);
	close(process);
}

static void taken_once_more(void)
{
	share();
	lab_works(flock(ALONE, LOCK_EX) == 0, "flock");
}

static void taken_in_the_last_moment(void)
{
	share();
	retake_meanwhile = true;
}

static void waiter_goes(void)
{
	lab_actor_kill(&waiter);
	waiter.pid = 0;
}

static void event_is_lost(void)
{
	((struct fl *)state)->trusted_since_ns = host_now(NULL);
}

static void scope_shrinks(void)
{
	out_of_scope = true;
}

static void file_becomes_a_database(void)
{
	lab_works(rename(PATH, LAB_LOCKS "/job.sqlite") == 0, "rename");
}

static void holder_stops(void)
{
	kill(service, SIGSTOP);
	lab_sleep_ms(50);
}

static void others_hold_it(void)
{
	proof.holders_digest++;
}

static void taker_was_another(void)
{
	proof.taker_start_ns++;
}

static void holder_goes(void)
{
	kill(service, SIGKILL);
	ck_assert_int_eq(lab_end(&waiter), 0); /* which has the lock now, by an open file of its own */
}

/* The lock of another open file of this inode is not the one that was looked at. */
static void lock_is_of_another_kind(void)
{
	proof.kind = FL_OFD;
}

static const struct {
	const char *name;
	void (*change)(void);
	enum gb_outcome outcome;
	const char *detail;
} changes[] = {
	{"nothing", nothing, GB_REAPED, NULL},
	{"the number is another file's", number_of_another_file, GB_SPARED, "holders-changed"},
	{"the number is another open file's", number_of_another_open_file, GB_SPARED, "holders-changed"},
	{"the number is nobody's", number_of_nothing, GB_SPARED, "holders-changed"},
	{"other holders", others_hold_it, GB_SPARED, "holders-changed"},
	{"taken again: the kernel still names who was first", taken_once_more, GB_SPARED, "acquisition-unknown"},
	{"taken by another", taker_was_another, GB_SPARED, "taken-again"},
	{"taken again in the last moment", taken_in_the_last_moment, GB_SPARED, "taken-again"},
	{"nobody waits any more", waiter_goes, GB_SPARED, "not-contended"},
	{"an event was lost", event_is_lost, GB_SPARED, "acquisition-unknown"},
	{"out of scope", scope_shrinks, GB_SPARED, "out-of-scope"},
	{"a path that is never touched", file_becomes_a_database, GB_SPARED, "protected-path"},
	{"a stopped holder", holder_stops, GB_SPARED, "holder-stopped"},
	{"the holder has gone", holder_goes, GB_HEALED, NULL},
	{"another lock", lock_is_of_another_kind, GB_HEALED, NULL},
};

static void condemn(void)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	long fd;

	lab_actor_start(&script, NULL, "nightly");
	lab_actor_start(&waiter, NULL, "job");
	locked = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	second = lab_must(&script, deed_open_lock, LAB_PATH(PATH));
	unrelated = lab_must(&script, deed_open_lock, LAB_PATH(OTHER));
	lab_must(&script, deed_flock_by_child, locked, LOCK_EX);
	lab_must(&script, deed_flock_by_child, unrelated, LOCK_EX);
	service = (pid_t)lab_must(&script, deed_service, 0);
	lab_actor_end(&script);
	fd = lab_must(&waiter, deed_open_lock, LAB_PATH(PATH));
	lab_start(&waiter, deed_flock, fd, LOCK_EX);
	lab_lock_wait_waiting(PATH, 1);
	while (!condemned) {
		lab_require(lab_now_ms() < end, "it was not condemned");
		lab_sleep_ms(100);
		scan();
	}
	ck_assert_int_eq(proof.fd, locked < second ? locked : second);
}

START_TEST(what_changes_before_the_release_is_noticed)
{
	struct gb_reap_item item = {.proof = &proof, .proof_size = sizeof(proof)};
	struct gb_reap reap = {.struct_size = sizeof(reap), .count = 1, .items = &item};

	if (!((struct fl *)state)->kernel.maps) {
		printf("not on this kernel: releasing locks\n"); /* before 5.13 */
		return;
	}
	condemn();
	changes[_i].change();
	item.key = condemned;
	reap.until_ns = host_now(NULL) + GB_SECOND;
	ck_assert_int_eq(plugin->reap(state, &reap), GB_DONE);
	ck_assert_msg(item.outcome == changes[_i].outcome, "%s: outcome %u (%s), want %d", changes[_i].name,
		      item.outcome, item.detail ? item.detail : "-", (int)changes[_i].outcome);
	ck_assert_msg(!changes[_i].detail || (item.detail && strcmp(item.detail, changes[_i].detail) == 0),
		      "%s: \"%s\", want \"%s\"", changes[_i].name, item.detail ? item.detail : "-", changes[_i].detail);
	if (changes[_i].change != holder_goes) {
		ck_assert(lab_lock_has(service, OTHER));
		ck_assert_int_eq(lab_lock_has(service, changes[_i].change == file_becomes_a_database ? LAB_LOCKS
							       "/job.sqlite"
												     : PATH),
				 changes[_i].change != nothing);
	}
	if (changes[_i].change == nothing)
		ck_assert_int_eq(lab_end(&waiter), 0);
	kill(service, SIGKILL);
	if (waiter.pid)
		lab_actor_kill(&waiter);
}
END_TEST

START_TEST(a_proof_of_another_size_is_refused)
{
	struct gb_reap_item item = {.proof = &proof, .proof_size = sizeof(proof) - 1};
	struct gb_reap reap = {.struct_size = sizeof(reap), .count = 1, .items = &item};

	ck_assert_int_eq(plugin->reap(state, &reap), GB_DONE);
	ck_assert_uint_eq(item.outcome, GB_FAILED);
	ck_assert_int_eq(item.error, -EINVAL);
}
END_TEST

int main(int argc, char *argv[])
{
	Suite *suite = suite_create("flock_reap");
	TCase *tcase;

	lab_lock_service(argc, argv);
	tcase = lab_tcase(suite, "reap", 120);
	tcase_add_unchecked_fixture(tcase, plugin_open, plugin_close);
	tcase_add_checked_fixture(tcase, lab_lock_open, NULL);
	tcase_add_loop_test(tcase, what_changes_before_the_release_is_noticed, 0,
			    (int)(sizeof(changes) / sizeof(changes[0])));
	tcase_add_test(tcase, a_proof_of_another_size_is_refused);
	return lab_main(suite);
}
