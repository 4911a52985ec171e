/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

#define TEST_SECONDS 120 /* of the test cases in here */

/* Of a try to do a test: see end_try_if_left_out(). */
#define ONCE_MORE 75
#define TRIES 4

static char locks[64]; /* LAB_LOCKS of this program */

unsigned int lab_lock_life_s(void)
{
	const char *times = getenv("CK_TIMEOUT_MULTIPLIER");

	return TEST_SECONDS * (times && atoi(times) > 0 ? (unsigned int)atoi(times) : 1);
}

void lab_lock_service(int argc, char *argv[])
{
	if (argc < 2 || strcmp(argv[1], "--service") != 0)
		return;
	prctl(PR_SET_NAME, "service");
	alarm(lab_lock_life_s());
	for (;;)
		pause();
}

static void copy_self(const char *to)
{
	_cleanup_close_ int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char bytes[65536];
	ssize_t n;

	lab_works(in >= 0 && out >= 0, "%s", to);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		lab_works(write(out, bytes, (size_t)n) == n, "%s", to);
	fchmod(out, 0755);
}

/* Until a try has come to an end: its result is the test's. */
static void begin_as_often_as_needed(void)
{
	int status;

	for (int i = 0; i < TRIES; i++) {
		pid_t pid = lab_fork();

		if (pid == 0)
			return;
		lab_works(waitpid(pid, &status, 0) == pid, "waitpid");
		if (WIFSIGNALED(status))
			kill(getpid(), WTERMSIG(status));
		if (!WIFEXITED(status))
			_exit(EXIT_FAILURE);
		if (WEXITSTATUS(status) != ONCE_MORE)
			_exit(WEXITSTATUS(status));
		lab_share_tidy();
	}
	lab_fail(__FILE__, __LINE__, 0, "the kernel left out the programs for locks in each of %d tries", TRIES);
}

/*
 * Where programs of tracepoints are preemptible (7.x) the kernel may leave out one for a lock. Then the daemon is sure of no
 * lock that was there before, which is right, and not what the test asks for.
 */
static void end_try_if_left_out(const struct lab_daemon *daemon, uint64_t begun_ms)
{
	if (lab_now_ms() - begun_ms < LAB_PATIENCE_MS / 8 || !strstr(daemon->said, "left out the programs for locks"))
		return;
	printf("once more: the kernel left out the programs for locks\n");
	fflush(stdout);
	_exit(ONCE_MORE);
}

void lab_lock_open(void)
{
	begin_as_often_as_needed();
	snprintf(locks, sizeof(locks), LAB_DIR "/locks-of-%s", program_invocation_short_name);
	lab_works(mkdir(locks, 0777) == 0, "%s", locks);
	copy_self(LAB_SERVICE);
}

void lab_lock_daemon(struct lab_daemon *daemon, const struct lab_lock_setup *setup)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	lab_require(file, "out of memory");
	lab_daemon_name(daemon, setup->name);
	fprintf(file, "ghostbuster: {\n  journal: { format = \"json\"; };\n  control = \"%s\";\n", daemon->control);
	fprintf(file, "  scope: { paths = (\"%s\"); };\n  guard: { %s };\n  %s\n};\n", locks,
		setup->guard ? setup->guard : LAB_CALM, setup->more ? setup->more : "");
	fprintf(file, "plugins: { flock: { enabled = true; timeout = \"1s\"; action = \"%s\"; %s }; };\n",
		setup->action ? setup->action : "unlock", setup->options ? setup->options : "");
	fclose(file);
	lab_write_file(daemon->config, 0600, text);
	lab_daemon_begin(daemon, setup->anew);
}

/* ---- deeds -------------------------------------------------------------------------------------------------------- */

static long result(long r)
{
	return r < 0 ? -errno : r;
}

long deed_open_lock(const long *args)
{
	return result(open((const char *)(intptr_t)args[0], O_RDWR | O_CREAT, 0666)); /* without O_CLOEXEC */
}

long deed_flock(const long *args)
{
	return result(flock((int)args[0], (int)args[1]));
}

long deed_flock_by_child(const long *args)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(flock((int)args[0], (int)args[1]) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return -WEXITSTATUS(status);
}

static struct flock range_of(const long *args)
{
	return (struct flock){.l_type = (short)args[1], .l_whence = SEEK_SET, .l_start = args[2], .l_len = args[3]};
}

long deed_ofd(const long *args)
{
	struct flock range = range_of(args);

	return result(fcntl((int)args[0], args[4] ? F_OFD_SETLKW : F_OFD_SETLK, &range));
}

long deed_posix(const long *args)
{
	struct flock range = range_of(args);

	return result(fcntl((int)args[0], args[4] ? F_SETLKW : F_SETLK, &range));
}

long deed_exec_service(const long *args)
{
	(void)args;
	execl(LAB_SERVICE, "service", "--service", NULL);
	return -errno;
}

bool lab_lock_service_runs(pid_t pid)
{
	char link[32], path[256];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return strcmp(path, LAB_SERVICE) == 0;
}

long deed_service(const long *args)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (args[0] && setuid((uid_t)args[0]) < 0)
			_exit(EXIT_FAILURE);
		deed_exec_service(args);
		_exit(EXIT_FAILURE);
	}
	while (pid > 0 && !lab_lock_service_runs(pid))
		lab_sleep_ms(2);
	return result(pid);
}

long deed_background(const long *args)
{
	int pipe_fds[2];
	pid_t pid, last = 0;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		for (long i = 1; i < args[0]; i++)
			if (fork() != 0)
				_exit(EXIT_SUCCESS);
		prctl(PR_SET_PDEATHSIG, 0);
		last = getpid();
		if (write(pipe_fds[1], &last, sizeof(last)) != sizeof(last))
			_exit(EXIT_FAILURE);
		/* By the path that the test itself was started by: the same program once more. */
		if (args[1])
			execl("/proc/self/exe", "again", "--service", NULL);
		alarm(lab_lock_life_s());
		for (;;)
			pause();
	}
	if (read(pipe_fds[0], &last, sizeof(last)) != sizeof(last))
		last = -1;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return last;
}

long deed_map(const long *args)
{
	if (ftruncate((int)args[0], 4096) < 0 || mmap(NULL, 4096, PROT_READ, MAP_SHARED, (int)args[0], 0) == MAP_FAILED)
		return -errno;
	return result(close((int)args[0]));
}

long deed_new_pidns(const long *args)
{
	(void)args;
	return result(unshare(CLONE_NEWPID));
}

/* ---- the truth ---------------------------------------------------------------------------------------------------- */

/* As /proc names it in a line about a lock. */
static void inode_text(const char *path, char text[64])
{
	struct stat status;

	lab_works(stat(path, &status) == 0, "%s", path);
	snprintf(text, 64, " %02x:%02x:%lu ", major(status.st_dev), minor(status.st_dev), (unsigned long)status.st_ino);
}

static unsigned int locks_count_once(const char *path, bool waiting)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/locks", "re");
	char line[512], wanted[64];
	unsigned int count = 0;

	lab_works(file, "/proc/locks");
	setvbuf(file, NULL, _IOFBF, 65536); /* else it is read in pieces that are smaller than the kernel's */
	inode_text(path, wanted);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, wanted) && !!strstr(line, " -> ") == waiting;
	return count;
}

bool lab_lock_has(pid_t pid, const char *path)
{
	char folder[32], name[300], line[512], wanted[64];
	const struct dirent *entry;
	bool has = false;
	DIR *descriptors;

	inode_text(path, wanted);
	snprintf(folder, sizeof(folder), "/proc/%d/fdinfo", pid);
	descriptors = opendir(folder);
	while (descriptors && !has && (entry = readdir(descriptors))) {
		_cleanup_fclose_ FILE *file = NULL;

		snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(name, "re");
		while (file && !has && fgets(line, sizeof(line), file))
			has = strncmp(line, "lock:", 5) == 0 && strstr(line, wanted);
	}
	if (descriptors)
		closedir(descriptors);
	return has;
}

/* The list is read in pieces, by position: a lock of somebody else that goes meanwhile may hide one. */
static unsigned int locks_count(const char *path, bool waiting)
{
	unsigned int count = locks_count_once(path, waiting), before = count + 1;

	for (int i = 0; i < 100 && count != before; i++) {
		before = count;
		count = locks_count_once(path, waiting);
	}
	return count;
}

bool lab_lock_may_release(const struct lab_daemon *daemon)
{
	json_t *status = lab_daemon_ask(daemon, "status", NULL);
	_cleanup_free_ char *text = json_dumps(status, 0);
	bool releases = text && strstr(text, "releases what leaked");

	json_decref(status);
	return releases;
}

bool lab_lock_releases(struct lab_daemon *daemon)
{
	bool releases = lab_lock_may_release(daemon);

	if (!releases) {
		printf("not on this kernel: releasing locks\n");
		fflush(stdout);
		lab_daemon_stop(daemon);
	}
	return releases;
}

unsigned int lab_lock_count(const char *path)
{
	return locks_count(path, false);
}

unsigned int lab_lock_waiting(const char *path)
{
	return locks_count(path, true);
}

static void wait_for(const char *path, bool waiting, unsigned int count)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;

	while (locks_count(path, waiting) != count) {
		lab_require(lab_now_ms() < end, "%s: %u %s, waited for %u", path, locks_count(path, waiting),
			    waiting ? "waiters" : "locks", count);
		lab_sleep_ms(5);
	}
}

void lab_lock_wait_count(const char *path, unsigned int count)
{
	wait_for(path, false, count);
}

void lab_lock_wait_waiting(const char *path, unsigned int count)
{
	wait_for(path, true, count);
}

/* ---- the journal -------------------------------------------------------------------------------------------------- */

static bool is(const json_t *event, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(event, name));

	return !wanted || (text && strcmp(text, wanted) == 0);
}

static const json_t *find(const struct lab_daemon *daemon, const char *event, const char *reason, const char *path,
			  unsigned int *ret_count)
{
	const json_t *line, *found = NULL;
	size_t i;

	*ret_count = 0;
	json_array_foreach(daemon->events, i, line)
	{
		const char *resource = json_string_value(json_object_get(line, "resource"));

		if (!is(line, "event", event) || !is(line, "reason", reason) ||
		    (path && !(resource && strstr(resource, path))))
			continue;
		(*ret_count)++;
		found = line;
	}
	return found;
}

unsigned int lab_lock_events(const struct lab_daemon *daemon, const char *event, const char *reason, const char *path)
{
	unsigned int count;

	find(daemon, event, reason, path, &count);
	return count;
}

json_t *lab_lock_expect(struct lab_daemon *daemon, const char *event, const char *reason, const char *path)
{
	uint64_t begun = lab_now_ms(), end = begun + LAB_PATIENCE_MS;
	const json_t *found;
	unsigned int count;

	while (!(found = find(daemon, event, reason, path, &count))) {
		char *events = lab_now_ms() > end ? json_dumps(daemon->events, JSON_COMPACT) : NULL;

		lab_require(!events, "waited in vain for %s %s about %s; it said:\n%s\njournal: %s", event,
			    reason ? reason : "", path, daemon->said, events);
		end_try_if_left_out(daemon, begun);
		lab_daemon_hear(daemon, LAB_HEAR_MS);
	}
	return (json_t *)(uintptr_t)found;
}

const char *lab_lock_evidence(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(json_object_get(event, "evidence"), name));

	return text ? text : "";
}
