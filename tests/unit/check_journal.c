/* SPDX-License-Identifier: Apache-2.0 */
/* What a line looks like. */
#include "fake_event.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTILE "x\n{\"event\":\"forged\"}\x1b[2J\xff\xe2\x80\xae=\" -- \\"

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
static const struct gb_owner *const two_owners[] = {&pod, &nginx};
static const struct gb_owner *const hostile_owners[] = {&hostile_owner};
static const struct gb_field hostile_fields[] = {
	{.name = HOSTILE, .type = GB_FIELD_TEXT, .text = HOSTILE},
	{.name = "none", .type = GB_FIELD_TEXT},
	{.name = "big", .type = GB_FIELD_BYTES, .value = UINT64_MAX},
	{.name = "far", .type = GB_FIELD_DURATION, .value = UINT64_MAX},
	{.name = "strange", .type = 77},
};
static const struct gb_field version[] = {{.name = "version", .type = GB_FIELD_TEXT, .text = "0.1.0"}};
static const struct gb_ns no_ns = {.kind = GB_NS_NONE};

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
	tcase_add_test(tcase, format_changes_with_the_next_line);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
