/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define NOBODY 65534

static char folder[64], path[80], lock_path[96];
static struct control *control;
static uint64_t now_ns;
static size_t answer_size;

static json_t *answer(void *arg, const char *verb, const json_t *request)
{
	char *big;
	json_t *json;

	ck_assert_ptr_eq(arg, &answer_size);
	if (!strcmp(verb, "explain"))
		return json_pack("{sO}", "id", json_object_get(request, "id"));
	if (strcmp(verb, "status") != 0)
		return NULL;
	big = calloc(1, answer_size + 1);
	memset(big, 'x', answer_size);
	json = json_pack("{ss}", "big", big);
	free(big);
	return json;
}

static void setup(void)
{
	strcpy(folder, "/tmp/check_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/run/c.sock", folder);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	now_ns = SECOND;
	answer_size = 10;
	ck_assert_int_eq(control_open(path, answer, &answer_size, &control), 0);
}

static void teardown(void)
{
	char run[80];

	control_close(control);
	control = NULL;
	unlink(path);
	unlink(lock_path);
	snprintf(run, sizeof(run), "%s/run", folder);
	rmdir(run);
	rmdir(folder);
}

static int connect_to(const char *to)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, to);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int client(void)
{
	int fd = connect_to(path);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0;
}

/* Turns of the loop while there is something to do; each does something, or the loop would spin. */
static void turn(void)
{
	for (int i = 0; readable(control_fd(control)); i++) {
		ck_assert_int_lt(i, 1000);
		control_dispatch(control, now_ns);
	}
}

static void say(int fd, const char *bytes, size_t length)
{
	ck_assert_int_eq(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* The answer as text; NULL when the daemon has hung up without one. */
static const char *heard(int fd)
{
	static char text[8192];
	size_t at = 0;
	ssize_t length = 0;

	while (at < sizeof(text) - 1 && (length = recv(fd, text + at, sizeof(text) - 1 - at, 0)) > 0)
		at += (size_t)length;
	text[at] = '\0';
	ck_assert_msg(length == 0 || errno == ECONNRESET, "the connection is still open: %s", text);
	return at ? text : NULL;
}

static void ask_and_expect(const char *request, size_t length, const char *want)
{
	int fd = client();

	say(fd, request, length);
	turn();
	ck_assert_str_eq(heard(fd), want);
	close(fd);
}

static const struct {
	const char *request, *answer;
} requests[] = {
	{"{\"verb\":\"status\"}\n", "{\"big\":\"xxxxxxxxxx\"}\n"},
	{"{\"verb\":\"explain\",\"id\":\"\\u001b\\u00e9\"}\n", "{\"id\":\"\\u001B\xc3\xa9\"}\n"},
	{"{\"verb\":\"status\"}\ntrailing", "{\"big\":\"xxxxxxxxxx\"}\n"},
	{"{\"verb\":\"reboot\"}\n", "{\"error\":\"the daemon does not know the verb \\\"reboot\\\"\"}\n"},
	{"{\"verb\":\"123456789012345678901234567890123456789012345678901234567890123\xc3\xbc\"}\n",
	 "{\"error\":\"the daemon does not know this verb\"}\n"},
	{"\n", "{\"error\":\"the request is no JSON object on one line\"}\n"},
	{"status\n", "{\"error\":\"the request is no JSON object on one line\"}\n"},
	{"[]\n", "{\"error\":\"the request is no JSON object on one line\"}\n"},
	{"{\"verb\":\"status\",\"verb\":\"status\"}\n", "{\"error\":\"the request is no JSON object on one line\"}\n"},
	{"{\"verb\":\"\xff\"}\n", "{\"error\":\"the request is no JSON object on one line\"}\n"},
	{"{}\n", "{\"error\":\"the request has no \\\"verb\\\"\"}\n"},
	{"{\"verb\":1}\n", "{\"error\":\"the request has no \\\"verb\\\"\"}\n"},
};

START_TEST(answers)
{
	ask_and_expect(requests[_i].request, strlen(requests[_i].request), requests[_i].answer);
}
END_TEST

START_TEST(request_without_a_newline_ends_with_the_writing)
{
	int fd = client();

	say(fd, "{\"verb\":", 8);
	turn();
	say(fd, "\"status\"}", 9);
	turn();
	ck_assert(!readable(fd));
	shutdown(fd, SHUT_WR);
	turn();
	ck_assert_str_eq(heard(fd), "{\"big\":\"xxxxxxxxxx\"}\n");
	close(fd);
	/* Nothing said at all. */
	fd = client();
	shutdown(fd, SHUT_WR);
	turn();
	ck_assert_ptr_null(heard(fd));
	close(fd);
}
END_TEST

START_TEST(oversized_requests_are_refused)
{
	static char request[3 * CONTROL_REQUEST_MAX];

	memset(request, '[', sizeof(request));
	ask_and_expect(request, sizeof(request), "{\"error\":\"the request is longer than 4096 bytes\"}\n");
	request[CONTROL_REQUEST_MAX - 1] = '\n';
	ask_and_expect(request, CONTROL_REQUEST_MAX, "{\"error\":\"the request is no JSON object on one line\"}\n");
}
END_TEST

START_TEST(oversized_answer_is_replaced)
{
	answer_size = CONTROL_ANSWER_MAX;
	ask_and_expect("{\"verb\":\"status\"}\n", 18,
		       "{\"error\":\"the answer is too long: ask for fewer, with a lower limit or one plugin\"}\n");
}
END_TEST

START_TEST(slow_request_runs_out_of_time)
{
	int fd = client();

	ck_assert_uint_eq(control_deadline_ns(control), UINT64_MAX);
	turn();
	ck_assert_uint_eq(control_deadline_ns(control), 6 * SECOND);
	now_ns = 5 * SECOND;
	say(fd, "{", 1);
	turn();
	/* A byte now and then does not buy time. */
	ck_assert_uint_eq(control_deadline_ns(control), 6 * SECOND);
	now_ns = 6 * SECOND;
	control_dispatch(control, now_ns);
	ck_assert_uint_eq(control_deadline_ns(control), UINT64_MAX);
	ck_assert_ptr_null(heard(fd));
	close(fd);
}
END_TEST

START_TEST(slow_reader_has_ten_seconds_for_each_piece)
{
	static char piece[1 << 20];
	int fd = client();

	answer_size = 8 * 1024 * 1024;
	say(fd, "{\"verb\":\"status\"}\n", 18);
	turn();
	ck_assert_uint_eq(control_deadline_ns(control), 11 * SECOND);
	now_ns = 10 * SECOND;
	while (recv(fd, piece, sizeof(piece), 0) > 0)
		;
	turn();
	ck_assert_uint_eq(control_deadline_ns(control), 20 * SECOND);
	now_ns = 20 * SECOND;
	control_dispatch(control, now_ns);
	ck_assert_uint_eq(control_deadline_ns(control), UINT64_MAX);
	close(fd);
}
END_TEST

START_TEST(reader_that_leaves_is_forgotten)
{
	int fd = client();

	answer_size = 8 * 1024 * 1024;
	say(fd, "{\"verb\":\"status\"}\n", 18);
	turn();
	close(fd);
	turn();
	ck_assert_uint_eq(control_deadline_ns(control), UINT64_MAX);
}
END_TEST

/* A flood: the newest are served, the quietest go, and the daemon holds a bounded number. */
START_TEST(flood_displaces_the_quietest)
{
	int fds[CONTROL_CLIENTS_MAX + 4];

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		now_ns += 1000;
		fds[i] = client();
		turn();
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (i < 4) {
			ck_assert_ptr_null(heard(fds[i]));
		} else {
			say(fds[i], "{\"verb\":\"status\"}\n", 18);
			turn();
			ck_assert_str_eq(heard(fds[i]), "{\"big\":\"xxxxxxxxxx\"}\n");
		}
		close(fds[i]);
	}
	ck_assert_uint_eq(control_deadline_ns(control), UINT64_MAX);
}
END_TEST

/* No free descriptor: the loop does not spin, and a second later the client gets its answer. */
START_TEST(no_free_descriptor_is_waited_out)
{
	struct rlimit limit, before;
	int fd = client();

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)fd + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	turn();
	ck_assert_uint_eq(control_deadline_ns(control), 2 * SECOND);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	say(fd, "{\"verb\":\"status\"}\n", 18);
	now_ns = 2 * SECOND;
	control_dispatch(control, now_ns);
	turn();
	ck_assert_str_eq(heard(fd), "{\"big\":\"xxxxxxxxxx\"}\n");
	close(fd);
}
END_TEST

START_TEST(modes)
{
	struct stat st;
	char run[80];

	snprintf(run, sizeof(run), "%s/run", folder);
	ck_assert_int_eq(stat(run, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFSOCK | 0600);
	ck_assert_int_eq(stat(lock_path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
}
END_TEST

START_TEST(second_daemon_is_refused_and_the_first_lives)
{
	struct control *second = NULL;

	ck_assert_int_eq(control_open(path, answer, &answer_size, &second), -EADDRINUSE);
	ck_assert_ptr_null(second);
	ask_and_expect("{\"verb\":\"status\"}\n", 18, "{\"big\":\"xxxxxxxxxx\"}\n");
	control_close(control);
	control = NULL;
	ck_assert_int_eq(connect_to(path), -ENOENT);
	ck_assert_int_eq(control_open(path, answer, &answer_size, &control), 0);
}
END_TEST

START_TEST(start_after_sigkill)
{
	int status, ready[2];
	pid_t pid;
	char c;

	control_close(control);
	control = NULL;
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		if (control_open(path, answer, NULL, &control) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_int_eq(control_open(path, answer, &answer_size, &control), -EADDRINUSE);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(access(path, F_OK), 0); /* the stale socket */
	ck_assert_int_eq(control_open(path, answer, &answer_size, &control), 0);
	ask_and_expect("{\"verb\":\"status\"}\n", 18, "{\"big\":\"xxxxxxxxxx\"}\n");
	close(ready[0]);
	close(ready[1]);
}
END_TEST

START_TEST(bad_places_are_refused)
{
	struct control *other = NULL;
	char where[256];
	struct stat st;
	int fd;

	control_close(control);
	control = NULL;
	/* Something that is no socket stands there, and goes on to. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	ck_assert_int_eq(control_open(path, answer, NULL, &other), -EEXIST);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(unlink(path), 0);
	/* The lock is a link to somewhere. */
	unlink(lock_path);
	ck_assert_int_eq(symlink("/dev/null", lock_path), 0);
	ck_assert_int_eq(control_open(path, answer, NULL, &other), -ELOOP);
	ck_assert_int_eq(unlink(lock_path), 0);
	ck_assert_int_eq(mkfifo(lock_path, 0600), 0);
	ck_assert_int_eq(control_open(path, answer, NULL, &other), -EEXIST);
	ck_assert_int_eq(unlink(lock_path), 0);
	/* A folder that others may write to; with the sticky bit, it is fine. */
	snprintf(where, sizeof(where), "%s/run", folder);
	ck_assert_int_eq(chmod(where, 0777), 0);
	ck_assert_int_eq(control_open(path, answer, NULL, &other), -EPERM);
	ck_assert_int_eq(chmod(where, 01777), 0);
	ck_assert_int_eq(control_open(path, answer, NULL, &other), 0);
	control_close(other);
	snprintf(where, sizeof(where), "%s/%0100d", folder, 0);
	ck_assert_int_eq(control_open(where, answer, NULL, &other), -ENAMETOOLONG);
	strcat(where, ".lock");
	unlink(where);
	snprintf(where, sizeof(where), "%s/none/none/c.sock", folder);
	ck_assert_int_eq(control_open(where, answer, NULL, &other), -ENOENT);
	ck_assert_int_eq(control_open("c.sock", answer, NULL, &other), -EINVAL);
}
END_TEST

/* A child that is nobody connects and copies what it reads to `report`. Exits with the errno of connect(). */
static pid_t ask_as_nobody(int report)
{
	pid_t pid = fork();
	struct pollfd pollfd = {.events = POLLIN};
	char text[256];
	ssize_t length;

	if (pid)
		return pid;
	if (setgid(NOBODY) || setuid(NOBODY))
		_exit(200);
	pollfd.fd = connect_to(path);
	if (pollfd.fd < 0)
		_exit(-pollfd.fd);
	if (poll(&pollfd, 1, 10000) != 1)
		_exit(201);
	length = recv(pollfd.fd, text, sizeof(text), 0);
	_exit(length > 0 && write(report, text, (size_t)length) == length ? 0 : 202);
}

static int serve_until_exit(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 1000 && !waitpid(pid, &status, WNOHANG); i++) {
		struct pollfd pollfd = {.fd = control_fd(control), .events = POLLIN};

		poll(&pollfd, 1, 10);
		turn();
	}
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Another user: stopped by the file's mode; with the mode opened by mistake, by the credentials. */
START_TEST(other_users_are_refused)
{
	char text[256] = "";
	int report[2];

	if (geteuid() != 0) {
		printf("skipped other_users_are_refused: only root can become another user\n");
		return;
	}
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(pipe2(report, O_CLOEXEC), 0);
	ck_assert_int_eq(serve_until_exit(ask_as_nobody(report[1])), EACCES);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(serve_until_exit(ask_as_nobody(report[1])), 0);
	ck_assert_int_gt(read(report[0], text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "{\"error\":\"only root may ask: run the command as root\"}\n");
	close(report[0]);
	close(report[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, answers, 0, (int)(sizeof(requests) / sizeof(requests[0])));
	tcase_add_test(tcase, request_without_a_newline_ends_with_the_writing);
	tcase_add_test(tcase, oversized_requests_are_refused);
	tcase_add_test(tcase, oversized_answer_is_replaced);
	tcase_add_test(tcase, slow_request_runs_out_of_time);
	tcase_add_test(tcase, slow_reader_has_ten_seconds_for_each_piece);
	tcase_add_test(tcase, reader_that_leaves_is_forgotten);
	tcase_add_test(tcase, flood_displaces_the_quietest);
	tcase_add_test(tcase, no_free_descriptor_is_waited_out);
	tcase_add_test(tcase, modes);
	tcase_add_test(tcase, second_daemon_is_refused_and_the_first_lives);
	tcase_add_test(tcase, start_after_sigkill);
	tcase_add_test(tcase, bad_places_are_refused);
	tcase_add_test(tcase, other_users_are_refused);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
