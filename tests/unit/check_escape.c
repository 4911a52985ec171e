/* SPDX-License-Identifier: Apache-2.0 */
#include "escape.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *bytes;
	const char *text, *value, *json; /* NULL: as `bytes`; json is without its quotes */
} cases[] = {
	{"nginx", NULL, NULL, NULL},
	{"", NULL, "\"\"", NULL},
	{"a b", NULL, "\"a b\"", NULL},
	{"a=b", NULL, NULL, NULL},
	{"say \"hi\"", NULL, "\"say \\\"hi\\\"\"", "say \\\"hi\\\""},
	{"\"", NULL, "\"\\\"\"", "\\\""},
	{"a\\x41", "a\\\\x41", "a\\\\x41", "a\\\\x41"},
	{"two\nlines", "two\\nlines", "\"two\\nlines\"", "two\\nlines"},
	{"\t\r", "\\t\\r", "\"\\t\\r\"", "\\t\\r"},
	{"\x1b[2J", "\\x1b[2J", "\"\\x1b[2J\"", "\\u001b[2J"},
	{"\a\b\v\f", "\\x07\\x08\\x0b\\x0c", "\"\\x07\\x08\\x0b\\x0c\"", "\\u0007\\u0008\\u000b\\u000c"},
	{"\x7f", "\\x7f", "\"\\x7f\"", "\\u007f"},
	/* C1: CSI as one character is an escape sequence to some terminals. */
	{"\xc2\x9b", "\\xc2\\x9b", "\"\\xc2\\x9b\"", "\\u009b"},
	{"m\xc3\xbcnchen", NULL, "\"m\xc3\xbcnchen\"", NULL},
	{"\xe2\x82\xac \xf0\x9f\x91\xbb", NULL, "\"\xe2\x82\xac \xf0\x9f\x91\xbb\"", NULL},
	/* No UTF-8: a stray continuation, a cut sequence, overlong, a surrogate, beyond the last, 0xff. */
	{"\x80", "\\x80", "\"\\x80\"", "\\\\x80"},
	{"\xe2\x82", "\\xe2\\x82", "\"\\xe2\\x82\"", "\\\\xe2\\\\x82"},
	{"\xe2\x82z", "\\xe2\\x82z", "\"\\xe2\\x82z\"", "\\\\xe2\\\\x82z"},
	{"\xc0\xaf", "\\xc0\\xaf", "\"\\xc0\\xaf\"", "\\\\xc0\\\\xaf"},
	{"\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\"\\xe0\\x80\\xaf\"", "\\\\xe0\\\\x80\\\\xaf"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\xed\\xa0\\x80\"", "\\\\xed\\\\xa0\\\\x80"},
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\"\\xf4\\x90\\x80\\x80\"", "\\\\xf4\\\\x90\\\\x80\\\\x80"},
	{"\xff\xfe", "\\xff\\xfe", "\"\\xff\\xfe\"", "\\\\xff\\\\xfe"},
	/* Right-to-left override, isolate, zero-width space, byte-order mark, separator, tag, soft hyphen, noncharacter. */
	{"\xe2\x80\xae", "\\xe2\\x80\\xae", "\"\\xe2\\x80\\xae\"", "\\u202e"},
	{"\xe2\x81\xa7", "\\xe2\\x81\\xa7", "\"\\xe2\\x81\\xa7\"", "\\u2067"},
	{"\xe2\x80\x8b", "\\xe2\\x80\\x8b", "\"\\xe2\\x80\\x8b\"", "\\u200b"},
	{"\xef\xbb\xbf", "\\xef\\xbb\\xbf", "\"\\xef\\xbb\\xbf\"", "\\ufeff"},
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\"\\xe2\\x80\\xa8\"", "\\u2028"},
	{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81", "\"\\xf3\\xa0\\x81\\x81\"", "\\udb40\\udc41"},
	{"\xc2\xad", "\\xc2\\xad", "\"\\xc2\\xad\"", "\\u00ad"},
	{"\xf0\x9f\xbf\xbe", "\\xf0\\x9f\\xbf\\xbe", "\"\\xf0\\x9f\\xbf\\xbe\"", "\\ud83f\\udffe"},
	{"\xef\xb8\x8f", "\\xef\\xb8\\x8f", "\"\\xef\\xb8\\x8f\"", "\\ufe0f"},
};

START_TEST(escapes_each_case)
{
	struct buffer text = {0}, value = {0}, json = {0}, want = {0};
	const char *bytes = cases[_i].bytes;

	escape_text(&text, bytes, 0);
	ck_assert_str_eq(buffer_text(&text), cases[_i].text ? cases[_i].text : bytes);
	escape_value(&value, bytes);
	ck_assert_str_eq(buffer_text(&value), cases[_i].value ? cases[_i].value : bytes);
	escape_json(&json, bytes);
	buffer_add_format(&want, "\"%s\"", cases[_i].json ? cases[_i].json : bytes);
	ck_assert_str_eq(buffer_text(&json), buffer_text(&want));
	buffer_fini(&text);
	buffer_fini(&value);
	buffer_fini(&json);
	buffer_fini(&want);
}
END_TEST

/* What JSON escapes comes back as it was, when it was UTF-8. */
START_TEST(json_loses_nothing)
{
	struct buffer json = {0};
	json_t *parsed;

	if (cases[_i].json && strstr(cases[_i].json, "\\\\x"))
		return;
	escape_json(&json, cases[_i].bytes);
	parsed = json_loads(buffer_text(&json), JSON_DECODE_ANY, NULL);
	/* jansson refuses noncharacters in no place, so all must parse. */
	ck_assert_ptr_nonnull(parsed);
	ck_assert_str_eq(json_string_value(parsed), cases[_i].bytes);
	json_decref(parsed);
	buffer_fini(&json);
}
END_TEST

START_TEST(ascii_only_for_a_plain_terminal)
{
	struct buffer text = {0};

	escape_text(&text, "m\xc3\xbc", ESCAPE_ASCII);
	ck_assert_str_eq(buffer_text(&text), "m\\xc3\\xbc");
	buffer_fini(&text);
}
END_TEST

START_TEST(null_is_nothing)
{
	struct buffer buffer = {0};

	escape_text(&buffer, NULL, 0);
	ck_assert_str_eq(buffer_text(&buffer), "");
	escape_value(&buffer, NULL);
	escape_json(&buffer, NULL);
	ck_assert_str_eq(buffer_text(&buffer), "\"\"\"\"");
	buffer_fini(&buffer);
}
END_TEST

/* Cut at ESCAPE_MAX, never inside of a character. */
START_TEST(bounds_the_output)
{
	static char bytes[3 * ESCAPE_MAX];
	struct buffer buffer = {0};

	memset(bytes, 'a', sizeof(bytes) - 1);
	bytes[ESCAPE_MAX] = '\0';
	escape_text(&buffer, bytes, 0);
	ck_assert_uint_eq(buffer.length, ESCAPE_MAX);
	buffer.length = 0;
	memcpy(bytes + ESCAPE_MAX - 1, "\xe2\x82\xac", 4);
	escape_text(&buffer, bytes, 0);
	ck_assert_uint_eq(buffer.length, ESCAPE_MAX - 1 + 3);
	ck_assert_str_eq(buffer_text(&buffer) + ESCAPE_MAX - 2, "a...");
	buffer.length = 0;
	memset(bytes, 0x1b, sizeof(bytes) - 1);
	escape_json(&buffer, bytes);
	ck_assert_uint_eq(buffer.length, 6 * ESCAPE_MAX + 5);
	buffer_fini(&buffer);
}
END_TEST

static const struct {
	uint64_t ns;
	const char *text;
} durations[] = {
	{0, "0ms"},
	{999999, "0ms"},
	{250000000, "250ms"},
	{999999999, "999ms"},
	{1000000000, "1s"},
	{12345000000, "12.345s"},
	{12300000000, "12.3s"},
	{59999999999, "59.999s"},
	{60012000000, "1m0s"},
	{3599000000000, "59m59s"},
	{3600000000000, "1h0m"},
	{90061000000000, "1d1h"},
	{UINT64_MAX, "213503d23h"},
};

START_TEST(durations_for_people)
{
	struct buffer buffer = {0};

	buffer_add_duration(&buffer, durations[_i].ns);
	ck_assert_str_eq(buffer_text(&buffer), durations[_i].text);
	buffer_fini(&buffer);
}
END_TEST

START_TEST(numbers)
{
	struct buffer buffer = {0};
	char *text;

	buffer_add_unsigned(&buffer, UINT64_MAX);
	buffer_add_char(&buffer, ' ');
	buffer_add_integer(&buffer, INT64_MIN);
	buffer_add_char(&buffer, ' ');
	buffer_add_integer(&buffer, 0);
	text = buffer_steal(&buffer);
	ck_assert_str_eq(text, "18446744073709551615 -9223372036854775808 0");
	ck_assert_ptr_null(buffer.data);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("escape");
	TCase *tcase = tcase_create("escape");
	SRunner *runner = srunner_create(suite);
	int count = (int)(sizeof(cases) / sizeof(cases[0])), failed;

	tcase_add_loop_test(tcase, escapes_each_case, 0, count);
	tcase_add_loop_test(tcase, json_loses_nothing, 0, count);
	tcase_add_test(tcase, ascii_only_for_a_plain_terminal);
	tcase_add_test(tcase, null_is_nothing);
	tcase_add_test(tcase, bounds_the_output);
	tcase_add_loop_test(tcase, durations_for_people, 0, (int)(sizeof(durations) / sizeof(durations[0])));
	tcase_add_test(tcase, numbers);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
