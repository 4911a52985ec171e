/* SPDX-License-Identifier: Apache-2.0 */
/* A journal whose reader is slow, stuck or gone: no line is torn, and what is lost is counted. */
#include "fake_event.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct event reaped = {
	REAPED,           .evidence = evidence, .evidence_count = GB_COUNT(evidence), .owners = one_owner,
	.owner_count = 1, .ns = &netns};

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
	struct event event = reaped;
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
		ck_assert_int_ge(journal_write(journal, &reaped), -ENOBUFS);
	/* 100 ms of patience once, not for each line. */
	ck_assert_uint_lt(machine_ns(CLOCK_MONOTONIC) - started, UINT64_C(5000000000));
	ck_assert_int_eq(journal_flush(journal), -EAGAIN);

	length = drain(fds[0], text, sizeof(text));
	while ((error = journal_flush(journal)) == -EAGAIN)
		length += drain(fds[0], text + length, sizeof(text) - length);
	ck_assert_int_eq(error, 0);
	length += drain(fds[0], text + length, sizeof(text) - length);
	ck_assert_int_eq(journal_write(journal, &reaped), 0);
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
		ck_assert_int_eq(journal_write(journal, &reaped), 0);
	ck_assert_int_eq(journal_flush(journal), -EAGAIN);
	close(reader);
	ck_assert_int_eq(journal_flush(journal), 0);
	ck_assert_uint_gt(journal_lost(journal), 800);
	ck_assert_int_eq(journal_write(journal, &reaped), 0);
	ck_assert_int_eq(journal_flush(journal), 0);

	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_eq(journal_write(journal, &reaped), 0);
	/* The FIFO kept the beginning of a line, the journal its end. */
	length = drain(reader, text, sizeof(text));
	ck_assert_int_ne(text[length - 1], '\n');
	ck_assert_int_eq(journal_flush(journal), 0);
	length += drain(reader, text + length, sizeof(text) - length);
	lines = count_lines(text, length, &lost);
	ck_assert_uint_eq(lines + lost, 1002);
	ck_assert_uint_eq(lost, journal_lost(journal));
	/* Said once. */
	ck_assert_int_eq(journal_write(journal, &reaped), 0);
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
		ck_assert_int_eq(journal_write(journal, &reaped), 0);
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
	ck_assert_int_eq(journal_write(journal, &reaped), 0);
	journal_free(journal);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal_loss");
	TCase *tests = tcase_create("journal_loss");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_hundred_thousand_lines);
	tcase_add_loop_test(tests, stuck_reader_loses_whole_lines_and_is_told, 0, 2);
	tcase_add_test(tests, gone_reader_is_survived);
	tcase_add_test(tests, full_disk_is_counted);
	tcase_add_test(tests, monstrous_line_is_lost);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
