/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TIME_NS UINT64_C(1795378841123456789) /* 2026-11-22 20:20:41.123 UTC */
#define HOSTILE "x\n{\"event\":\"forged\"}\x1b[2J\xff\xe2\x80\xae=\" -- \\"

static uint64_t fake_clock(void)
{
	return TIME_NS;
}

static const struct gb_owner nginx = {.pid = 123,
				      .uid = 33,
				      .comm = "nginx",
				      .exe = "/usr/sbin/nginx",
				      .cgroup = "/system.slice/nginx.service",
				      .unit = "nginx.service",
				      .container = "",
				      .pod = ""};
static const struct gb_owner pod = {
	.pid = 7,
	.uid = 0,
	.comm = "my app",
	.exe = "",
	.cgroup = "",
	.unit = "",
	.container = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	.pod = "7a8b9c0d-1111-2222-3333-444455556666",
};
static const struct gb_owner hostile_owner = {.pid = 1,
					      .comm = HOSTILE,
					      .exe = HOSTILE,
					      .cgroup = HOSTILE,
					      .unit = HOSTILE,
					      .container = HOSTILE,
					      .pod = HOSTILE};
static const struct gb_owner crashed = {.pid = 8,
					.uid = 33,
					.flags = GB_OWNER_ENDED,
					.comm = "crashed",
					.exe = "",
					.cgroup = "",
					.unit = "a.service",
					.container = "",
					.pod = ""};
static const struct gb_owner *const former_owners[] = {&crashed};
static const struct gb_owner *const one_owner[] = {&nginx};
static const struct gb_owner *const two_owners[] = {&pod, &nginx};
static const struct gb_owner *const hostile_owners[] = {&hostile_owner};
static const struct gb_field evidence[] = {
	{.name = "silence", .type = GB_FIELD_DURATION, .value = 60012 * (uint64_t)GB_MILLISECOND},
	{.name = "queue", .type = GB_FIELD_BYTES, .value = 1},
	{.name = "class", .type = GB_FIELD_TEXT, .text = "never-looked"},
	{.name = "mapped", .type = GB_FIELD_BOOL, .value = 1},
	{.name = "delta", .type = GB_FIELD_INTEGER, .value = (uint64_t)-3},
};
static const struct gb_field hostile_fields[] = {
	{.name = HOSTILE, .type = GB_FIELD_TEXT, .text = HOSTILE},
	{.name = "none", .type = GB_FIELD_TEXT},
	{.name = "big", .type = GB_FIELD_BYTES, .value = UINT64_MAX},
	{.name = "far", .type = GB_FIELD_DURATION, .value = UINT64_MAX},
	{.name = "strange", .type = 77},
};
static const struct gb_field version[] = {{.name = "version", .type = GB_FIELD_TEXT, .text = "0.1.0"}};
static const struct gb_ns netns = {.kind = GB_NS_NET, .inode = 4026531840};
static const struct gb_ns no_ns = {.kind = GB_NS_NONE};

#define REAPED \
	.name = "ghost.reaped", .plugin = "tcp_close_wait", .id = "tcp-1f", .has_age = true, \
	.age_ns = 60012 * (uint64_t)GB_MILLISECOND, .action = "destroy", \
	.resource = "tcp 127.0.0.1:8080 -> 127.0.0.1:51234"

static const struct {
	struct event event;
	const char *json, *text;
} cases[] = {
	{{REAPED, .evidence = evidence, .evidence_count = GB_COUNT(evidence), .owners = one_owner, .owner_count = 1,
	  .ns = &netns},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.reaped\",\"plugin\":\"tcp_close_wait\",\"id\":\"tcp-1f\","
	 "\"resource\":\"tcp 127.0.0.1:8080 -> 127.0.0.1:51234\",\"age_ms\":60012,\"action\":\"destroy\","
	 "\"evidence\":{\"silence_ms\":60012,\"queue_bytes\":1,\"class\":\"never-looked\",\"mapped\":true,\"delta\":-3},"
	 "\"owners\":[{\"pid\":123,\"comm\":\"nginx\",\"exe\":\"/usr/sbin/nginx\",\"uid\":33,\"unit\":\"nginx.service\","
	 "\"cgroup\":\"/system.slice/nginx.service\"}],\"namespace\":\"net:[4026531840]\"}\n",
	 "2026-11-22 20:20:41.123 ghost.reaped tcp_close_wait tcp 127.0.0.1:8080 -> 127.0.0.1:51234 age=1m0s "
	 "action=destroy owner=nginx[123] exe=/usr/sbin/nginx unit=nginx.service silence=1m0s queue_bytes=1 "
	 "class=never-looked mapped=true delta=-3 namespace=net:[4026531840] id=tcp-1f\n"},
	/* No owner was found: the list is there and empty. */
	{{.name = "ghost.spared", .plugin = "flock", .resource = "flock /tmp/a b", .reason = "no-holder", .ns = &no_ns},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.spared\",\"plugin\":\"flock\","
	 "\"resource\":\"flock /tmp/a b\",\"owners\":[],\"reason\":\"no-holder\"}\n",
	 "2026-11-22 20:20:41.123 ghost.spared flock flock /tmp/a b reason=no-holder\n"},
	{{.name = "ghost.failed", .plugin = "sysv_ipc", .error = -ESRCH, .owners = two_owners, .owner_count = 2},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.failed\",\"plugin\":\"sysv_ipc\",\"owners\":[{\"pid\":7,"
	 "\"comm\":\"my app\",\"uid\":0,"
	 "\"container\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","
	 "\"pod\":\"7a8b9c0d-1111-2222-3333-444455556666\"},{\"pid\":123,\"comm\":\"nginx\",\"exe\":\"/usr/sbin/nginx\","
	 "\"uid\":33,\"unit\":\"nginx.service\",\"cgroup\":\"/system.slice/nginx.service\"}],"
	 "\"error\":\"No such process\",\"errno\":3}\n",
	 "2026-11-22 20:20:41.123 ghost.failed sysv_ipc error=\"ESRCH: No such process\" owner=\"my app[7]\" "
	 "container=0123456789ab pod=7a8b9c0d-1111-2222-3333-444455556666 owners=2 also=nginx[123]\n"},
	{{.name = "ghost.reaped", .plugin = "sysv_ipc", .owners = former_owners, .owner_count = 1},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.reaped\",\"plugin\":\"sysv_ipc\",\"owners\":[{\"pid\":8,"
	 "\"comm\":\"crashed\",\"uid\":33,\"unit\":\"a.service\",\"ended\":true}]}\n",
	 "2026-11-22 20:20:41.123 ghost.reaped sysv_ipc owner=crashed[8] ended=true unit=a.service\n"},
	{{.name = "daemon.ready", .message = "watching 2 kinds", .fields = version, .field_count = 1},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"daemon.ready\",\"message\":\"watching 2 kinds\","
	 "\"version\":\"0.1.0\"}\n",
	 "2026-11-22 20:20:41.123 daemon.ready version=0.1.0 -- watching 2 kinds\n"},
	/* A path that plays NAME=VALUE. */
	{{.name = "ghost.found", .plugin = "flock", .resource = "flock /a owner=init[1]", .id = "a b"},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.found\",\"plugin\":\"flock\",\"id\":\"a b\","
	 "\"resource\":\"flock /a owner=init[1]\",\"owners\":[]}\n",
	 "2026-11-22 20:20:41.123 ghost.found flock \"flock /a owner=init[1]\" id=\"a b\"\n"},
	{{.name = "ghost.failed", .error = -4000},
	 "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"ghost.failed\",\"owners\":[],\"error\":\"unknown error\","
	 "\"errno\":4000}\n",
	 "2026-11-22 20:20:41.123 ghost.failed error=\"?: unknown error\"\n"},
};

/* What the journal writes for one event; freed by the caller. */
static char *line_of(const struct event *event, enum journal_format format)
{
	struct journal *journal;
	char *line = calloc(1, 1 << 20);
	int fds[2];
	ssize_t length;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	ck_assert_int_eq(journal_new(fds[1], format, fake_clock, &journal), 0);
	ck_assert_int_eq(journal_write(journal, event), 0);
	ck_assert_int_eq(journal_flush(journal), 0);
	journal_free(journal);
	close(fds[1]);
	for (size_t at = 0; (length = read(fds[0], line + at, (1 << 20) - 1 - at)) > 0;)
		at += (size_t)length;
	close(fds[0]);
	return line;
}

START_TEST(writes_exactly)
{
	char *json = line_of(&cases[_i].event, JOURNAL_JSON), *text = line_of(&cases[_i].event, JOURNAL_TEXT);

	ck_assert_str_eq(json, cases[_i].json);
	ck_assert_str_eq(text, cases[_i].text);
	free(json);
	free(text);
}
END_TEST

/* One line, of safe bytes only, that jansson reads back. */
START_TEST(hostile_bytes_stay_inside)
{
	const struct event event = {.name = "ghost.found",
				    .plugin = HOSTILE,
				    .id = HOSTILE,
				    .resource = HOSTILE,
				    .action = HOSTILE,
				    .reason = HOSTILE,
				    .message = HOSTILE,
				    .evidence = hostile_fields,
				    .evidence_count = GB_COUNT(hostile_fields),
				    .fields = hostile_fields,
				    .field_count = GB_COUNT(hostile_fields),
				    .owners = hostile_owners,
				    .owner_count = 1,
				    .has_age = true,
				    .age_ns = UINT64_MAX,
				    .ns = &netns};
	char *line = line_of(&event, _i ? JOURNAL_JSON : JOURNAL_TEXT);
	size_t length = strlen(line);
	json_t *json;

	for (size_t i = 0; i + 1 < length; i++)
		ck_assert_msg(line[i] >= ' ' && line[i] < 0x7f, "byte %zu is 0x%02x", i, (unsigned char)line[i]);
	ck_assert_int_eq(line[length - 1], '\n');
	if (_i) {
		json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		ck_assert_ptr_nonnull(json);
		ck_assert_str_eq(json_string_value(json_object_get(json, "action")),
				 "x\n{\"event\":\"forged\"}\x1b[2J\\xff\xe2\x80\xae=\" -- \\");
		ck_assert_uint_eq(json_array_size(json_object_get(json, "owners")), 1);
		json_decref(json);
	} else {
		/* Each quote that is not escaped opens or closes: what stands outside is ours. */
		bool quoted = false;

		for (size_t i = 0; i < length; i++) {
			if (line[i] == '\\')
				i++;
			else if (line[i] == '"')
				quoted = !quoted;
			if (!quoted && !strncmp(line + i, " -- ", 4)) {
				ck_assert_str_eq(
					line + i,
					" -- x\\n{\"event\":\"forged\"}\\x1b[2J\\xff\\xe2\\x80\\xae=\" -- \\\\\n");
				break;
			}
		}
	}
	free(line);
}
END_TEST

START_TEST(text_is_in_local_time)
{
	const struct event event = {.name = "daemon.stopped"};
	char *line;

	setenv("TZ", "XST-05:30", 1);
	line = line_of(&event, JOURNAL_TEXT);
	ck_assert_str_eq(line, "2026-11-23 01:50:41.123 daemon.stopped\n");
	free(line);
	line = line_of(&event, JOURNAL_JSON);
	ck_assert_str_eq(line, "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"daemon.stopped\"}\n");
	free(line);
	setenv("TZ", "UTC", 1);
}
END_TEST

START_TEST(pieces_are_those_of_the_journal)
{
	json_t *owners = journal_json_owners(one_owner, 1), *fields = journal_json_fields(evidence, GB_COUNT(evidence));
	json_t *line = json_loads(cases[0].json, 0, NULL), *none = journal_json_ns(&no_ns);
	json_t *ns = journal_json_ns(&netns), *text = journal_json_text("\xff"), *when = journal_json_time(TIME_NS);

	ck_assert(json_equal(owners, json_object_get(line, "owners")));
	ck_assert(json_equal(fields, json_object_get(line, "evidence")));
	ck_assert(json_equal(ns, json_object_get(line, "namespace")));
	ck_assert(json_equal(when, json_object_get(line, "time")));
	ck_assert(json_is_null(none));
	ck_assert_str_eq(json_string_value(text), "\\xff");
	json_decref(owners);
	json_decref(fields);
	json_decref(line);
	json_decref(ns);
	json_decref(text);
	json_decref(when);
}
END_TEST

static uint64_t machine_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#define MANY 100000

/* Every line whole and parsed, and the writing of all of them well under a second of CPU. */
START_TEST(a_hundred_thousand_lines)
{
	char path[] = "/tmp/check_journal.XXXXXX", *line = NULL;
	int fd = mkstemp(path);
	struct journal *journal;
	size_t size = 0, count = 0;
	uint64_t started;
	struct event event = cases[0].event;
	char id[32];
	FILE *file;

	unlink(path);
	ck_assert_int_eq(journal_new(fd, JOURNAL_JSON, NULL, &journal), 0);
	started = machine_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "%u\x1b\xff", i);
		event.id = id;
		ck_assert_int_eq(journal_write(journal, &event), 0);
	}
	ck_assert_int_eq(journal_flush(journal), 0);
	started = machine_ns(CLOCK_PROCESS_CPUTIME_ID) - started;
	ck_assert_uint_eq(journal_lost(journal), 0);
	journal_free(journal);

	lseek(fd, 0, SEEK_SET);
	file = fdopen(fd, "r");
	for (; getline(&line, &size, file) > 0; count++) {
		json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		char want[32];

		snprintf(want, sizeof(want), "%zu\x1b\\xff", count);
		ck_assert_str_eq(json_string_value(json_object_get(json, "id")), want);
		json_decref(json);
	}
	ck_assert_uint_eq(count, MANY);
	free(line);
	fclose(file);
	printf("%u lines in %.0f ms of CPU\n", MANY, (double)started / 1e6);
	/* A sanitizer or a busy machine may need several times what is usual (a fifth of a second). */
	ck_assert_uint_lt(started, UINT64_C(3000000000));
}
END_TEST

/* Reads what there is. */
static size_t drain(int fd, char *to, size_t size)
{
	size_t at = 0;
	ssize_t length;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (at < size && (length = read(fd, to + at, size - at)) > 0)
		at += (size_t)length;
	return at;
}

/* Each line parses; returns how many, and how many the notes say are lost. */
static size_t count_lines(char *text, size_t length, uint64_t *lost)
{
	size_t count = 0;

	for (char *at = text, *end; at < text + length; at = end + 1) {
		json_t *json;

		end = memchr(at, '\n', (size_t)(text + length - at));
		ck_assert_ptr_nonnull(end);
		json = json_loadb(at, (size_t)(end - at), 0, NULL);
		ck_assert_msg(json != NULL, "torn: %.*s", (int)(end - at), at);
		if (json_object_get(json, "lost"))
			*lost += (uint64_t)json_integer_value(json_object_get(json, "lost"));
		else
			count++;
		json_decref(json);
	}
	return count;
}

/* A reader that is stuck: the daemon goes on, and once the reader does, it learns how many lines are missing. */
START_TEST(stuck_reader_loses_whole_lines_and_is_told)
{
	static char text[2 * JOURNAL_PENDING_MAX];
	struct journal *journal;
	uint64_t started, lost = 0, written = 0;
	size_t length, lines;
	int fds[2], error;

	if (_i)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	else
		ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(journal_new(fds[1], JOURNAL_JSON, fake_clock, &journal), 0);
	started = machine_ns(CLOCK_MONOTONIC);
	for (; journal_lost(journal) < 100; written++)
		ck_assert_int_ge(journal_write(journal, &cases[0].event), -ENOBUFS);
	/* 100 ms of patience once, not for each line. */
	ck_assert_uint_lt(machine_ns(CLOCK_MONOTONIC) - started, UINT64_C(5000000000));
	ck_assert_int_eq(journal_flush(journal), -EAGAIN);

	length = drain(fds[0], text, sizeof(text));
	while ((error = journal_flush(journal)) == -EAGAIN)
		length += drain(fds[0], text + length, sizeof(text) - length);
	ck_assert_int_eq(error, 0);
	length += drain(fds[0], text + length, sizeof(text) - length);
	ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
	ck_assert_int_eq(journal_flush(journal), 0);
	length += drain(fds[0], text + length, sizeof(text) - length);
	lines = count_lines(text, length, &lost);
	ck_assert_uint_eq(lost, 100);
	ck_assert_uint_eq(lines, written - 100 + 1);
	journal_free(journal);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* The reader goes away in the middle of a line, and another one comes (a FIFO). */
START_TEST(gone_reader_is_survived)
{
	static char text[1 << 20];
	char path[] = "/tmp/check_journal.XXXXXX", fifo[64];
	struct journal *journal;
	int reader, writer;
	uint64_t lost = 0;
	size_t length, lines;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer = open(fifo, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(journal_new(writer, JOURNAL_JSON, fake_clock, &journal), 0);
	for (int i = 0; i < 1000; i++) /* more than the pipe takes */
		ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
	ck_assert_int_eq(journal_flush(journal), -EAGAIN);
	close(reader);
	ck_assert_int_eq(journal_flush(journal), 0);
	ck_assert_uint_gt(journal_lost(journal), 800);
	ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
	ck_assert_int_eq(journal_flush(journal), 0);

	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
	/* The FIFO kept the beginning of a line, the journal its end. */
	length = drain(reader, text, sizeof(text));
	ck_assert_int_ne(text[length - 1], '\n');
	ck_assert_int_eq(journal_flush(journal), 0);
	length += drain(reader, text + length, sizeof(text) - length);
	lines = count_lines(text, length, &lost);
	ck_assert_uint_eq(lines + lost, 1002);
	ck_assert_uint_eq(lost, journal_lost(journal));
	/* Said once. */
	ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
	ck_assert_int_eq(journal_flush(journal), 0);
	length = drain(reader, text, sizeof(text));
	ck_assert_uint_eq(count_lines(text, length, &lost), 1);
	ck_assert_uint_eq(lost, journal_lost(journal));
	journal_free(journal);
	close(reader);
	close(writer);
	unlink(fifo);
	rmdir(path);
}
END_TEST

START_TEST(full_disk_is_counted)
{
	struct journal *journal;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(journal_new(fd, JOURNAL_JSON, fake_clock, &journal), 0);
	for (uint64_t i = 1; i < 4; i++) {
		ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
		ck_assert_int_eq(journal_flush(journal), 0);
		ck_assert_uint_eq(journal_lost(journal), i);
	}
	journal_free(journal);
	close(fd);
}
END_TEST

/* Longer than all that may wait: lost, without waiting for anybody. */
START_TEST(monstrous_line_is_lost)
{
	static char huge[5000];
	static struct gb_field fields[1000];
	const struct event event = {.name = "ghost.found", .evidence = fields, .evidence_count = GB_COUNT(fields)};
	struct journal *journal;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	memset(huge, 1, sizeof(huge) - 1);
	for (size_t i = 0; i < GB_COUNT(fields); i++)
		fields[i] = (struct gb_field){.name = "a", .type = GB_FIELD_TEXT, .text = huge};
	ck_assert_int_eq(journal_new(fd, JOURNAL_JSON, fake_clock, &journal), 0);
	ck_assert_int_eq(journal_write(journal, &event), -ENOBUFS);
	ck_assert_uint_eq(journal_lost(journal), 1);
	ck_assert_int_eq(journal_write(journal, &cases[0].event), 0);
	journal_free(journal);
	close(fd);
}
END_TEST

START_TEST(format_changes_with_the_next_line)
{
	const struct event event = {.name = "config.reloaded"};
	struct journal *journal;
	char text[256];
	int fds[2];
	size_t length;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(journal_new(fds[1], JOURNAL_TEXT, fake_clock, &journal), 0);
	ck_assert_int_eq(journal_write(journal, &event), 0);
	journal_set_format(journal, JOURNAL_JSON);
	ck_assert_int_eq(journal_write(journal, &event), 0);
	journal_free(journal); /* writes what waits */
	length = drain(fds[0], text, sizeof(text) - 1);
	text[length] = '\0';
	ck_assert_str_eq(text, "2026-11-22 20:20:41.123 config.reloaded\n"
			       "{\"time\":\"2026-11-22T20:20:41.123Z\",\"event\":\"config.reloaded\"}\n");
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tcase = tcase_create("journal");
	SRunner *runner = srunner_create(suite);
	int failed;

	setenv("TZ", "UTC", 1);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, writes_exactly, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tcase, hostile_bytes_stay_inside, 0, 2);
	tcase_add_test(tcase, text_is_in_local_time);
	tcase_add_test(tcase, pieces_are_those_of_the_journal);
	tcase_add_test(tcase, a_hundred_thousand_lines);
	tcase_add_loop_test(tcase, stuck_reader_loses_whole_lines_and_is_told, 0, 2);
	tcase_add_test(tcase, gone_reader_is_survived);
	tcase_add_test(tcase, full_disk_is_counted);
	tcase_add_test(tcase, monstrous_line_is_lost);
	tcase_add_test(tcase, format_changes_with_the_next_line);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
