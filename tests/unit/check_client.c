/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
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

#define STATUS \
	"{\"version\":\"0.1.0\",\"pid\":812,\"mode\":\"reap\",\"uptime_s\":11520,\"config\":\"/etc/eghostbuster/a.cfg\"," \
	"\"control\":\"/run/c.sock\",\"kernel\":\"Linux 6.18: everything\"," \
	"\"scope\":{\"netns\":[\"a\",\"b\"],\"ipcns\":[],\"paths\":[\"/srv\"]},\"journal_lost\":2,\"plugins\":[" \
	"{\"name\":\"tcp_close_wait\",\"version\":\"1.0\",\"state\":\"running\",\"next_scan_ms\":57000,\"known\":12," \
	"\"queued\":3,\"totals\":{\"found\":100,\"reaped\":80,\"healed\":7,\"spared\":13,\"failed\":0}," \
	"\"classes\":{\"never-looked\":{\"found\":60,\"reaped\":55,\"healed\":2,\"spared\":3,\"failed\":0}," \
	"\"stuck\\u001breader\":{\"found\":40}}," \
	"\"numbers\":{\"tracked\":12,\"map_bytes\":1},\"facts\":{\"method\":\"iterator\"},\"options\":{}}," \
	"{\"name\":\"flock\",\"version\":\"1.0\",\"state\":\"tripped\",\"why\":\"12 of 20 reapings failed\",\"known\":0," \
	"\"queued\":0,\"totals\":{\"found\":0,\"reaped\":0,\"healed\":0,\"spared\":0,\"failed\":12}," \
	"\"numbers\":{},\"facts\":{},\"options\":{}}]}"
#define STATUS_TEXT \
	"ghostbuster 0.1.0 (pid 812) has been running for 3h12m in mode reap.\n" \
	"scope:   netns a, b; paths /srv\n" \
	"kernel:  Linux 6.18: everything\n" \
	"config:  /etc/eghostbuster/a.cfg\n" \
	"control: /run/c.sock\n" \
	"2 lines of the journal were lost: its reader is slow or gone, or the disk is\nfull.\n" \
	"\n" \
	"PLUGIN          VERSION  STATE    KNOWN  QUEUED  FOUND  REAPED  HEALED  SPARED  FAILED  NEXT SCAN\n" \
	"tcp_close_wait  1.0      running     12       3    100      80       7      13       0     in 57s\n" \
	"flock           1.0      tripped      0       0      0       0       0       0      12\n" \
	"\n" \
	"PLUGIN          CLASS            FOUND  REAPED  HEALED  SPARED  FAILED\n" \
	"tcp_close_wait  never-looked        60      55       2       3       0\n" \
	"tcp_close_wait  stuck\\x1breader     40       0       0       0       0\n" \
	"\n" \
	"tcp_close_wait: method iterator, tracked 12, map 1 byte\n" \
	"flock is tripped: 12 of 20 reapings failed\n" \
	"flock reaps nothing until you say: ghostbuster resume flock\n"

#define GHOSTS \
	"{\"ghosts\":[{\"id\":\"tcp-1f\",\"plugin\":\"tcp_close_wait\"," \
	"\"resource\":\"tcp 127.0.0.1:8080 -> 127.0.0.1:51234\",\"state\":\"spared\",\"reason\":\"observe\"," \
	"\"age_ms\":60012,\"action\":\"destroy\",\"owners\":[{\"pid\":123,\"comm\":\"nginx\",\"exe\":\"/usr/sbin/nginx\"," \
	"\"uid\":33,\"unit\":\"nginx.service\"},{\"pid\":124,\"comm\":\"nginx\",\"uid\":33}],\"evidence\":{}}," \
	"{\"id\":\"l-2\",\"plugin\":\"flock\",\"resource\":\"flock /tmp/a\",\"state\":\"suspect\",\"owners\":[]}]," \
	"\"total\":1500}"
#define GHOSTS_TEXT \
	"1500 suspects and ghosts are known, 2 of them shown.\n" \
	"\n" \
	"STATE    PLUGIN           AGE  ACTION   RESOURCE                               OWNER          UNIT           " \
	"REASON   ID\n" \
	"spared   tcp_close_wait  1m0s  destroy  tcp 127.0.0.1:8080 -> 127.0.0.1:51234  nginx[123] +1  nginx.service  " \
	"observe  tcp-1f\n" \
	"suspect  flock                          flock /tmp/a                                                         " \
	"         l-2\n"

#define LEAKERS \
	"{\"leakers\":[{\"plugin\":\"tcp_close_wait\",\"comm\":\"java\",\"exe\":\"/usr/bin/java\",\"uid\":1000," \
	"\"pod\":\"7a8b\",\"container\":\"0123\",\"pids\":[7,8,9],\"ghosts\":1,\"oldest_ms\":60012," \
	"\"found\":10,\"reaped\":9,\"dead\":7,\"spared\":1,\"failed\":0,\"classes\":{\"never-looked\":8,\"stuck\\u001breader\":2}," \
	"\"rate_hour\":120,\"files_pid\":8,\"files_open\":812,\"files_limit\":1024,\"files_percent\":79," \
	"\"runs_out_ms\":7260000," \
	"\"last\":\"2026-11-22T20:20:41.123Z\"}],\"total\":1}"
#define LEAKERS_TEXT \
	"One program has leaked.\n" \
	"\n" \
	"GHOSTS  OLDEST  FOUND  REAPED  DEAD  AN HOUR         FILES  LEFT  COMMAND  PID      UNIT  CLASS                              " \
	"EXECUTABLE     PLUGIN          LAST\n" \
	"     1    1m0s     10       9     7      120  812/1024 79%  2h1m  java     7, 8 +1  7a8b  never-looked 8, stuck\\x1breader 2  " \
	"/usr/bin/java  tcp_close_wait  2026-11-22T20:20:41.123Z\n"

#define EXPLAIN \
	"{\"id\":\"tcp-1f\",\"plugin\":\"tcp_close_wait\",\"resource\":\"tcp 127.0.0.1:8080 -> 127.0.0.1:51234\"," \
	"\"state\":\"spared\",\"reason\":\"holder-stopped\",\"age_ms\":60012,\"action\":\"destroy\"," \
	"\"evidence\":{\"silence_ms\":60000,\"queue_bytes\":1,\"class\":\"never-looked\",\"mapped\":true}," \
	"\"owners\":[{\"pid\":123,\"comm\":\"nginx\",\"exe\":\"/usr/sbin/nginx\",\"uid\":33,\"unit\":\"nginx.service\"}]," \
	"\"namespace\":\"net:[4026531840]\",\"history\":[{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.found\"}," \
	"{\"time\":\"2026-11-22T20:20:42.123Z\",\"event\":\"ghost.spared\",\"reason\":\"holder-stopped\",\"count\":3}]," \
	"\"advice\":\"The process is stopped by a signal. Let it go on (kill -CONT 123), or end it: either way the socket " \
	"goes.\"}"
#define EXPLAIN_TEXT \
	"tcp 127.0.0.1:8080 -> 127.0.0.1:51234 (tcp_close_wait, id tcp-1f)\n" \
	"\n" \
	"It is spared (holder-stopped). Its age is 1m0s. The action for it is destroy. It\n" \
	"lives in net:[4026531840].\n" \
	"\n" \
	"Evidence\n" \
	"  silence  1m0s\n" \
	"  queue    1 byte\n" \
	"  class    never-looked\n" \
	"  mapped   yes\n" \
	"\n" \
	"Owners\n" \
	"  nginx[123]  /usr/sbin/nginx, uid 33, unit nginx.service\n" \
	"\n" \
	"History\n" \
	"  2026-11-22T20:20:41.123Z  ghost.found\n" \
	"  2026-11-22T20:20:42.123Z  ghost.spared  holder-stopped  (3 times)\n" \
	"\n" \
	"Advice\n" \
	"  The process is stopped by a signal. Let it go on (kill -CONT 123), or end it:\n" \
	"  either way the socket goes.\n"

static const struct {
	const char *verb, *answer, *text;
} shown[] = {
	{"status", STATUS, STATUS_TEXT},
	{"status", "{\"plugins\":[],\"mode\":\"observe\",\"version\":\"1\",\"pid\":1,\"uptime_s\":0}",
	 "ghostbuster 1 (pid 1) has been running for 0ms and only observes: it reaps\nnothing.\nscope:   everything\n"
	 "kernel:  \nconfig:  \ncontrol: \n\nNo plugin is enabled.\n\n"},
	{"ghosts", GHOSTS, GHOSTS_TEXT},
	{"ghosts", "{\"ghosts\":[],\"total\":0}", "No suspect and no ghost is known.\n"},
	{"leakers", LEAKERS, LEAKERS_TEXT},
	{"leakers", "{\"leakers\":[],\"total\":0}", "Nobody has leaked since the daemon was started.\n"},
	{"explain", EXPLAIN, EXPLAIN_TEXT},
	{"explain", "{\"id\":\"x\",\"plugin\":\"p\",\"resource\":\"r\",\"state\":\"new\"}",
	 "r (p, id x)\n\nIts state is new.\n\nOwners\n  none was found\n"},
	{"explain",
	 "{\"id\":\"x\",\"plugin\":\"p\",\"resource\":\"r\",\"state\":\"failed\",\"reason\":\"still-there\","
	 "\"detail\":\"two words\"}",
	 "r (p, id x)\n\nIts release failed (still-there): two words.\n\nOwners\n  none was found\n"},
	{"explain",
	 "{\"id\":\"x\",\"plugin\":\"p\",\"resource\":\"r\",\"state\":\"suspect\",\"conditions\":["
	 "{\"name\":\"age\",\"holds\":false,\"text\":\"1\\u001bs\"},{\"name\":\"accepted\",\"holds\":true},"
	 "{\"name\":\"repair\",\"holds\":null}],\"advice\":\"Wait.\"}",
	 "r (p, id x)\n\nIt is a suspect, and not condemned.\n\nConditions\n  NO   age       1\\x1bs\n  yes  accepted\n"
	 "  ?    repair\n\nAdvice\n  Wait.\n"},
	{"resume", "{\"plugin\":\"flock\",\"resumed\":true,\"message\":\"12 ghosts wait\"}",
	 "flock reaps again: 12 ghosts wait\n"},
	{"resume", "{\"plugin\":\"flock\",\"resumed\":false,\"message\":\"it was not tripped\"}",
	 "flock was not resumed: it was not tripped\n"},
};

/* freed by the caller */
static char *print(const char *verb, const json_t *answer, unsigned int width, int want)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_int_eq(client_print(out, verb, answer, width), want);
	fclose(out);
	return text;
}

START_TEST(shows_exactly)
{
	json_t *answer = json_loads(shown[_i].answer, 0, NULL);
	char *text;

	ck_assert_ptr_nonnull(answer);
	text = print(shown[_i].verb, answer, 0, 0);
	ck_assert_str_eq(text, shown[_i].text);
	free(text);
	json_decref(answer);
}
END_TEST

START_TEST(fits_the_terminal)
{
	json_t *answer = json_loads(GHOSTS, 0, NULL);
	char *text = print("ghosts", answer, 100, 0);
	bool cut = false;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		ck_assert_uint_le(strlen(line), 100);
		cut = cut || (strstr(line, "spared") && !strstr(line, "127.0.0.1:51234"));
	}
	ck_assert(cut);
	free(text);
	json_decref(answer);
}
END_TEST

/* Replaces every string of `value` by a hostile one. */
static json_t *poison(const json_t *value)
{
	const char *key;
	json_t *member, *poisoned;

	if (json_is_object(value)) {
		poisoned = json_object();
		json_object_foreach((json_t *)value, key, member)
		{
			json_object_set_new(poisoned, key, poison(member));
		}
		json_object_set_new(poisoned, "a\x1b]0;owned\a\n\xe2\x80\xae", json_string("\x1b[2J"));
		return poisoned;
	}
	if (json_is_array(value)) {
		poisoned = json_array();
		for (size_t i = 0; i < json_array_size(value); i++)
			json_array_append_new(poisoned, poison(json_array_get(value, i)));
		return poisoned;
	}
	if (json_is_string(value))
		return json_string("x\ny\x1b[2J\t\x7f\xc2\x9b\xe2\x80\xaez");
	return json_deep_copy(value);
}

/* Numbers where strings should be, and the other way round. */
static json_t *twist(const json_t *value)
{
	const char *key;
	json_t *member, *twisted = json_object();

	json_object_foreach((json_t *)value, key, member)
	{
		json_object_set_new(twisted, key, json_is_string(member) ? json_integer(INT64_MIN) : json_string("x"));
	}
	return twisted;
}

START_TEST(hostile_answers_are_shown_safely)
{
	json_t *answer = json_loads(shown[_i].answer, 0, NULL), *poisoned = poison(answer), *twisted = twist(answer);
	char *text;

	/* What is unsafe is so for a terminal that speaks UTF-8, too. */
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	text = print(shown[_i].verb, poisoned, 0, 0);
	for (const char *at = text; *at; at++)
		ck_assert_msg(*at == '\n' || (*at >= ' ' && *at < 0x7f), "0x%02x in: %s", (unsigned char)*at, text);
	ck_assert_ptr_null(strstr(text, "x\ny"));
	free(text);
	free(print(shown[_i].verb, twisted, 0, 0));
	json_decref(answer);
	json_decref(poisoned);
	json_decref(twisted);
}
END_TEST

/* Columns stand under each other for characters of two bytes and for wide ones; in a plain terminal they are escaped. */
START_TEST(speaks_the_terminals_language)
{
	json_t *answer =
		json_loads("{\"ghosts\":[{\"id\":\"1\",\"resource\":\"m\xc3\xbcnchen\"},"
			   "{\"id\":\"2\",\"resource\":\"\xe6\xbc\xa2\"},{\"id\":\"3\",\"resource\":\"1234567\"}],"
			   "\"total\":3}",
			   0, NULL);
	char *text;

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	text = print("ghosts", answer, 0, 0);
	ck_assert_ptr_nonnull(strstr(text, "m\xc3\xbcnchen                        1\n"));
	ck_assert_ptr_nonnull(strstr(text, "\xe6\xbc\xa2                             2\n"));
	ck_assert_ptr_nonnull(strstr(text, "1234567                        3\n"));
	free(text);
	setlocale(LC_CTYPE, "C");
	text = print("ghosts", answer, 0, 0);
	ck_assert_ptr_nonnull(strstr(text, "m\\xc3\\xbcnchen  "));
	free(text);
	json_decref(answer);
}
END_TEST

START_TEST(foreign_answers_are_refused)
{
	json_t *answer = json_loads("{\"hello\":1}", 0, NULL);

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		free(print(shown[i].verb, answer, 0, -EBADMSG));
	free(print("reboot", answer, 0, -EBADMSG));
	json_decref(answer);
}
END_TEST

static char folder[64], path[96];
static char *said, *complained;

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

/* A daemon in a child, until it is killed. */
static pid_t daemon_start(void)
{
	struct control *control;
	pid_t pid = fork();

	if (pid) {
		for (int i = 0; i < 1000 && access(path, F_OK); i++)
			usleep(1000);
		return pid;
	}
	if (control_open(path, echo, NULL, &control))
		_exit(1);
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
	pid = fork();
	if (pid) {
		close(fd);
		for (int i = 0; i < 1000 && access(path, F_OK); i++)
			usleep(1000);
		usleep(uid ? 50000 : 0); /* between bind() and listen() */
		return pid;
	}
	if (uid && (setgid(uid) || setuid(uid) || bind(fd, (const struct sockaddr *)&address, sizeof(address)) ||
		    listen(fd, 4)))
		_exit(1);
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

START_TEST(knows_its_verbs)
{
	bool needs = true;

	ck_assert(client_verb("status", &needs) && !needs);
	ck_assert(client_verb("explain", &needs) && needs);
	ck_assert(client_verb("ghosts", &needs) && !needs);
	ck_assert(!client_verb("reboot", &needs));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *show = tcase_create("show"), *ask = tcase_create("ask");
	SRunner *runner = srunner_create(suite);
	int count = (int)(sizeof(shown) / sizeof(shown[0])), failed;

	setenv("LC_ALL", "C", 1);
	tcase_add_loop_test(show, shows_exactly, 0, count);
	tcase_add_loop_test(show, hostile_answers_are_shown_safely, 0, count);
	tcase_add_test(show, fits_the_terminal);
	tcase_add_test(show, speaks_the_terminals_language);
	tcase_add_test(show, foreign_answers_are_refused);
	tcase_add_test(show, knows_its_verbs);
	suite_add_tcase(suite, show);
	tcase_add_checked_fixture(ask, setup, teardown);
	tcase_set_timeout(ask, 60);
	tcase_add_test(ask, asks_a_daemon);
	tcase_add_loop_test(ask, strange_answers_have_a_sentence, 0, (int)(sizeof(impostors) / sizeof(impostors[0])));
	tcase_add_test(ask, nobody_answers);
	tcase_add_test(ask, who_is_not_root_is_told_so);
	tcase_add_loop_test(ask, wrong_usage, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	suite_add_tcase(suite, ask);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
