/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a daemon, and what is said when it is none, is gone, or is not to be believed. */
#include "client.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"

#define STATUS "{\"plugins\":[],\"mode\":\"observe\",\"version\":\"1\",\"pid\":1,\"uptime_s\":0}"
#define STATUS_TEXT \
	"ghostbuster 1 (pid 1) has been running for 0ms and only observes: it reaps\nnothing.\nscope:   everything\n" \
	"kernel:  \nconfig:  \ncontrol: \n\nNo plugin is enabled.\n\n"

static char folder[64], path[96];
static char *said, *complained;
static int ends[2]; /* of fork_listener() */

static void setup(void)
{
	strcpy(folder, "/tmp/check_client.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/c.sock", folder);
}

static void teardown(void)
{
	char lock[128];

	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	unlink(path);
	rmdir(folder);
	free(said);
	free(complained);
	said = complained = NULL;
}

static int run(const struct client_request *request)
{
	size_t out_size, err_size;
	FILE *out = open_memstream(&said, &out_size), *err = open_memstream(&complained, &err_size);
	int code = client_run(path, request, out, err);

	fclose(out);
	fclose(err);
	return code;
}

static void expect_complaint(const char *format)
{
	char want[512];

	snprintf(want, sizeof(want), "ghostbuster: %s\n", format);
	ck_assert_str_eq(complained, want);
	ck_assert_str_eq(said, "");
}

static json_t *echo(void *arg, const char *verb, const json_t *request)
{
	(void)arg;
	if (!strcmp(verb, "explain"))
		return json_pack("{ss}", "error", "no ghost has the id \"\x1b[2J\"");
	if (!strcmp(verb, "status"))
		return json_loads(STATUS, 0, NULL);
	return json_pack("{s[]siss#sO}", "ghosts", "total", 0, "del", "\x7f\xc2\x9b", 3, "request", request);
}

static uint64_t machine_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* As fork(); the parent returns when the child has called listens(): the path alone is there between bind() and listen(). */
static pid_t fork_listener(void)
{
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	close(ends[pid ? 1 : 0]);
	if (!pid)
		return 0;
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void listens(void)
{
	if (write(ends[1], "", 1) != 1)
		_exit(1);
}

/* A daemon in a child, until it is killed. */
static pid_t daemon_start(void)
{
	struct control *control;
	pid_t pid = fork_listener();

	if (pid)
		return pid;
	if (control_open(path, echo, NULL, &control))
		_exit(1);
	listens();
	for (;;) {
		struct pollfd pollfd = {.fd = control_fd(control), .events = POLLIN};

		poll(&pollfd, 1, 1000);
		control_dispatch(control, machine_ns());
	}
}

/* A socket with something else behind it: sends `bytes` to the first who connects, and hangs up. */
static pid_t impostor_start(const char *bytes, uid_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;
	pid_t pid;

	strcpy(address.sun_path, path);
	if (!uid) {
		ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
		ck_assert_int_eq(listen(fd, 4), 0);
	} else {
		ck_assert_int_eq(chmod(folder, 0777), 0);
	}
	pid = fork_listener();
	if (pid) {
		close(fd);
		return pid;
	}
	if (uid && (setgid(uid) || setuid(uid) || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
		    listen(fd, 4)))
		_exit(1);
	listens();
	client = accept(fd, NULL, NULL);
	if (client >= 0 && *bytes && send(client, bytes, strlen(bytes), MSG_NOSIGNAL) < 0)
		_exit(2);
	_exit(0);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(asks_a_daemon)
{
	pid_t pid = daemon_start();
	json_t *answer;

	ck_assert_int_eq(run(&(struct client_request){.verb = "status"}), CLIENT_OK);
	ck_assert_str_eq(said, STATUS_TEXT);
	ck_assert_str_eq(complained, "");
	free(said);
	free(complained);
	/* As it came, and in bytes that are safe on a terminal. */
	ck_assert_int_eq(run(&(struct client_request){.verb = "ghosts", .argument = "flock", .limit = 7, .json = true}),
			 CLIENT_OK);
	ck_assert_str_eq(said, "{\"ghosts\":[],\"total\":0,\"del\":\"\\u007f\\u009B\","
			       "\"request\":{\"verb\":\"ghosts\",\"plugin\":\"flock\",\"limit\":7}}\n");
	answer = json_loads(said, 0, NULL);
	ck_assert_ptr_nonnull(answer);
	json_decref(answer);
	free(said);
	free(complained);
	ck_assert_int_eq(run(&(struct client_request){.verb = "explain", .argument = "x"}), CLIENT_FAILED);
	expect_complaint("no ghost has the id \"\\x1b[2J\"");
	free(said);
	free(complained);
	ck_assert_int_eq(run(&(struct client_request){.verb = "explain", .argument = "x", .json = true}),
			 CLIENT_FAILED);
	ck_assert_str_eq(said, "{\"error\":\"no ghost has the id \\\"\\u001B[2J\\\"\"}\n");
	free(said);
	free(complained);
	ck_assert_int_eq(run(&(struct client_request){.verb = "explain", .argument = "\xff"}), CLIENT_FAILED);
	expect_complaint("the argument is no UTF-8 text: copy it from the output of ghostbuster ghosts");
	end(pid);
}
END_TEST

static const struct {
	const char *bytes, *complaint;
} impostors[] = {
	{"", "the ghostbuster at %s hung up without an answer: it stops, or has too many clients; try again"},
	{"{\"plugins\":",
	 "the ghostbuster at %s hung up without an answer: it stops, or has too many clients; try again"},
	{"hello\n", "what came from %s is no answer of a ghostbuster to \"status\": is it another version?"},
	{"{\"hello\":1}\n", "what came from %s is no answer of a ghostbuster to \"status\": is it another version?"},
};

START_TEST(strange_answers_have_a_sentence)
{
	pid_t pid = impostor_start(impostors[_i].bytes, 0);
	const char *complaint = impostors[_i].complaint, *where = strstr(complaint, "%s");
	char want[256];

	snprintf(want, sizeof(want), "%.*s%s%s", (int)(where - complaint), complaint, path, where + 2);
	ck_assert_int_eq(run(&(struct client_request){.verb = "status"}), CLIENT_FAILED);
	expect_complaint(want);
	end(pid);
}
END_TEST

START_TEST(nobody_answers)
{
	char want[256];
	int fd;

	snprintf(want, sizeof(want), "no ghostbuster answers at %s: is it running? (systemctl status ghostbuster)",
		 path);
	ck_assert_int_eq(run(&(struct client_request){.verb = "status"}), CLIENT_FAILED);
	expect_complaint(want);
	free(said);
	free(complained);
	/* A stale socket, as after SIGKILL. */
	end(impostor_start("", 0));
	fd = open(path, O_PATH | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(run(&(struct client_request){.verb = "status", .json = true}), CLIENT_FAILED);
	expect_complaint(want);
}
END_TEST

START_TEST(who_is_not_root_is_told_so)
{
	char want[256];
	int status;
	pid_t pid, asker;

	if (geteuid() != 0) {
		printf("skipped who_is_not_root_is_told_so: only root can become another user\n");
		return;
	}
	pid = daemon_start();
	ck_assert_int_eq(chmod(folder, 0755), 0);
	snprintf(want, sizeof(want),
		 "only root may ask the ghostbuster at %s: run the command as root (sudo ghostbuster status)", path);
	asker = fork();
	if (!asker) {
		if (setgid(65534) || setuid(65534))
			_exit(100);
		status = run(&(struct client_request){.verb = "status"});
		_exit(strstr(complained, want) && !*said ? status : 101);
	}
	ck_assert_int_eq(waitpid(asker, &status, 0), asker);
	ck_assert_int_eq(WEXITSTATUS(status), CLIENT_FAILED);
	end(pid);

	/* The other way round: root believes nobody else. */
	unlink(path);
	pid = impostor_start(STATUS "\n", 65534);
	snprintf(want, sizeof(want),
		 "what answers at %s does not run as root, so it is not believed: see who made it (ls -l)", path);
	ck_assert_int_eq(run(&(struct client_request){.verb = "status"}), CLIENT_FAILED);
	expect_complaint(want);
	end(pid);
}
END_TEST

static const struct {
	const char *verb, *argument, *complaint;
} wrong[] = {
	{"rebo\x1bot", NULL,
	 "unknown command \"rebo\\x1bot\": there are status, ghosts, leakers, explain ID and resume PLUGIN"},
	{"explain", NULL, "explain needs an ID (ghostbuster ghosts shows them)"},
	{"resume", "", "resume needs a PLUGIN (ghostbuster status shows them)"},
};

START_TEST(wrong_usage)
{
	ck_assert_int_eq(run(&(struct client_request){.verb = wrong[_i].verb, .argument = wrong[_i].argument}),
			 CLIENT_USAGE);
	expect_complaint(wrong[_i].complaint);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_ask");
	TCase *tests = tcase_create("client_ask");
	SRunner *runner = srunner_create(suite);
	int failed;

	setenv("LC_ALL", "C", 1);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, asks_a_daemon);
	tcase_add_loop_test(tests, strange_answers_have_a_sentence, 0, (int)(sizeof(impostors) / sizeof(impostors[0])));
	tcase_add_test(tests, nobody_answers);
	tcase_add_test(tests, who_is_not_root_is_told_so);
	tcase_add_loop_test(tests, wrong_usage, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
