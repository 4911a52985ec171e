/* SPDX-License-Identifier: Apache-2.0 */
/* How answers are shown. */
#include "client.h"

#include <check.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

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
	"\"uid\":33,\"unit\":\"nginx.service\"},{\"pid\":124,\"comm\":\"nginx\",\"uid\":33}]," \
	"\"evidence\":{\"class\":\"never-looked\",\"silence_ms\":60000,\"receive_queue_bytes\":1,\"holders\":2,\"probed\":true," \
	"\"held_by\":\"\\u001bnginx[123] fd 9 (exec'ed, or received); nginx[124] fd 9, 10, mapped (exec'ed, or received)\"," \
	"\"cycle\":false,\"chain\":\"\",\"tag\":null,\"fds\":[7,8]}}," \
	"{\"id\":\"l-2\",\"plugin\":\"flock\",\"resource\":\"flock /tmp/a\",\"state\":\"suspect\",\"owners\":[]}]," \
	"\"total\":1500}"
#define GHOSTS_TEXT \
	"1500 suspects and ghosts are known, 2 of them shown.\n" \
	"\n" \
	"STATE     AGE  ACTION   RESOURCE                               OWNER          UNIT           REASON\n" \
	"spared   1m0s  destroy  tcp 127.0.0.1:8080 -> 127.0.0.1:51234  nginx[123] +1  nginx.service  observe\n" \
	"    tcp-1f, class never-looked, silence 1m0s, receive queue 1 byte, holders 2, probed yes, fds 7, 8\n" \
	"    held by: \\x1bnginx[123] fd 9 (exec'ed, or received); nginx[124] fd 9, 10, mapped (exec'ed, or received)\n" \
	"suspect                 flock /tmp/a\n" \
	"    l-2\n"

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
	char *text = print("ghosts", answer, 80, 0);
	bool cut = false;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		ck_assert_uint_le(strlen(line), 80);
		cut = cut || (strstr(line, "spared") && !strstr(line, "127.0.0.1:51234"));
	}
	ck_assert(cut);
	free(text);
	/* What is below a row is broken, never cut. */
	text = print("ghosts", answer, 60, 0);
	ck_assert_ptr_nonnull(strstr(text, "\n    tcp-1f, class never-looked, silence 1m0s, receive queue\n"
					   "    1 byte, holders 2, probed yes, fds 7, 8\n"
					   "    held by: \\x1bnginx[123] fd 9 (exec'ed, or received);\n"
					   "    nginx[124] fd 9, 10, mapped (exec'ed, or received)\n"));
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
	json_t *answer = json_loads("{\"ghosts\":[{\"id\":\"1\",\"resource\":\"m\xc3\xbcnchen\",\"reason\":\"r\"},"
				    "{\"id\":\"2\",\"resource\":\"\xe6\xbc\xa2\",\"reason\":\"r\"},"
				    "{\"id\":\"3\",\"resource\":\"1234567\",\"reason\":\"r\"}],"
				    "\"total\":3}",
				    0, NULL);
	char *text;

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	text = print("ghosts", answer, 0, 0);
	ck_assert_ptr_nonnull(strstr(text, "m\xc3\xbcnchen          r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\xe6\xbc\xa2               r\n"));
	ck_assert_ptr_nonnull(strstr(text, "1234567          r\n"));
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
	TCase *show = tcase_create("show");
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
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
