/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

static void print_and_exit(const char *text)
{
	fprintf(stderr, "%s\n", text);
	exit(EXIT_FAILURE);
}

void (*lab_on_failure)(const char *text) = print_and_exit;
static pid_t lab_pid; /* the test's own process; in all others a failure ends that process only */

void lab_fail(const char *file, int line, int error, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char text[16384];
	va_list args;
	int length;

	length = snprintf(text, sizeof(text), "%s:%d: ", base ? base + 1 : file, line);
	va_start(args, format);
	length += vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
	va_end(args);
	if (error && (size_t)length < sizeof(text))
		snprintf(text + length, sizeof(text) - (size_t)length, ": %s", strerror(error));
	if (!lab_pid || getpid() == lab_pid)
		lab_on_failure(text);
	dprintf(STDERR_FILENO, "%s\n", text);
	_exit(EXIT_FAILURE);
}

unsigned int lab_patience_ms(void)
{
	const char *times = getenv("EGHOSTBUSTER_TEST_PATIENCE");

	return 60000 * (times && atoi(times) > 0 ? (unsigned int)atoi(times) : 1);
}

uint64_t lab_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void lab_sleep_ms(unsigned int ms)
{
	struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
}

bool lab_open_scope(void)
{
	const char *text = getenv("EGHOSTBUSTER_TEST_OPEN_SCOPE");

	return text && strcmp(text, "1") == 0;
}

bool lab_has_method(const char *method)
{
	const char *text = getenv("EGHOSTBUSTER_TEST_METHODS");

	return !text || strstr(text, method);
}

void lab_write_file(const char *path, mode_t mode, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	size_t size = strlen(text);

	lab_works(fd >= 0, "%s", path);
	lab_works(write(fd, text, size) == (ssize_t)size, "%s", path);
	fchmod(fd, mode);
}

pid_t lab_fork(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	lab_works(pid >= 0, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
	}
	return pid;
}

void lab_append(char **text, size_t *size, const char *bytes, size_t count)
{
	char *grown = realloc(*text, *size + count + 1);

	lab_require(grown, "out of memory");
	memcpy(grown + *size, bytes, count);
	*text = grown;
	*size += count;
	grown[*size] = '\0';
}

int lab_wait_exit(pid_t pid)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		lab_require(lab_now_ms() < end, "process %d does not end", pid);
		lab_sleep_ms(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	lab_works(in >= 0, "%s", from);
	lab_works(out >= 0, "%s", to);
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	lab_works(n == 0, "copying %s", from);
	fchmod(out, 0755);
}

static void copy_plugins(const char *from)
{
	DIR *dir = opendir(from);
	struct dirent *entry;

	lab_works(dir, "%s", from);
	while ((entry = readdir(dir))) {
		const char *suffix = strrchr(entry->d_name, '.');
		char source[1024], target[512];

		if (!suffix || strcmp(suffix, ".so") != 0)
			continue;
		snprintf(source, sizeof(source), "%s/%s", from, entry->d_name);
		snprintf(target, sizeof(target), LAB_PLUGINS "/%s", entry->d_name);
		copy_file(source, target);
	}
	closedir(dir);
}

/* Other mounts of the same file share its pages: an emulator translates code once for each page of memory. */
static void show_in_place(const char *from, const char *to)
{
	lab_works(mount(from, to, NULL, MS_BIND, NULL) == 0, "%s at %s", from, to);
}

void lab_open(void)
{
	const char *program = getenv("GHOSTBUSTER"), *plugins = getenv("GHOSTBUSTER_PLUGINS");
	bool in_place = getenv("EGHOSTBUSTER_TEST_IN_PLACE") != NULL;

	lab_pid = getpid();
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	lab_works(unshare(CLONE_NEWNS) == 0, "a mount namespace");
	lab_works(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "making mounts private");
	if (lab_shares()) {
		lab_share_tidy();
		return;
	}
	mkdir("/run", 0755);
	lab_works(mount("lab", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0, "an own /run");
	lab_works(mkdir(LAB_DIR, 0755) == 0 && mkdir(LAB_PLUGINS, 0755) == 0, LAB_DIR "");
	program = program ? program : LAB_BUILD_PROGRAM;
	plugins = plugins ? plugins : LAB_BUILD_PLUGINS;
	if (in_place) {
		lab_write_file(LAB_PROGRAM, 0755, "");
		show_in_place(program, LAB_PROGRAM);
		show_in_place(plugins, LAB_PLUGINS);
		return;
	}
	copy_file(program, LAB_PROGRAM);
	copy_plugins(plugins);
}
