/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define S UINT64_C(1000000000)

struct parse_case {
	const char *text;
	int rc;
	uint64_t value;
};

static const struct parse_case durations[] = {
	{"0", 0, 0},
	{"90", 0, 90 * S},
	{"90s", 0, 90 * S},
	{"1m30s", 0, 90 * S},
	{"1h30m", 0, 5400 * S},
	{"250ms", 0, 250000000},
	{"2d", 0, 172800 * S},
	{"1d2h3m4s5ms6us7ns", 0, (86400 + 7200 + 180 + 4) * S + 5006007},
	{"007s", 0, 7 * S},
	{"18446744073709551615ns", 0, UINT64_MAX},
	{"18446744073709551616ns", -ERANGE, 0},
	{"18446744073s709551616ns", -ERANGE, 0},
	{"213503d", 0, UINT64_C(213503) * 86400 * S},
	{"213504d", -ERANGE, 0},
	{"213503d23h59m", -ERANGE, 0},
	{"99999999999999999999999", -ERANGE, 0},
	{"-3", -ERANGE, 0},
	{"-3s", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"-", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"--3", -EINVAL, 0},
	{"+3", -EINVAL, 0},
	{" 3s", -EINVAL, 0},
	{"3s ", -EINVAL, 0},
	{"3 s", -EINVAL, 0},
	{"3S", -EINVAL, 0},
	{"3w", -EINVAL, 0},
	{"3min", -EINVAL, 0},
	{"1.5h", -EINVAL, 0},
	{"1h30", -EINVAL, 0},
	{"30m1h", -EINVAL, 0},
	{"1h1h", -EINVAL, 0},
	{"1h-3s", -EINVAL, 0},
	{"1e3", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"60s\n", -EINVAL, 0},
};

static const struct parse_case sizes[] = {
	{"0", 0, 0},
	{"4096", 0, 4096},
	{"1k", 0, 1024},
	{"1K", 0, 1024},
	{"64M", 0, 64 << 20},
	{"2g", 0, UINT64_C(2) << 30},
	{"3T", 0, UINT64_C(3) << 40},
	{"16777215T", 0, UINT64_C(16777215) << 40},
	{"16777216T", -ERANGE, 0},
	{"18446744073709551616", -ERANGE, 0},
	{"-1", -ERANGE, 0},
	{"-1k", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"k", -EINVAL, 0},
	{"1kB", -EINVAL, 0},
	{"1P", -EINVAL, 0},
	{"1.5M", -EINVAL, 0},
	{"1 M", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
};

static void check_parse(const struct parse_case *want, int (*parse)(const char *, uint64_t *))
{
	uint64_t value = 4711;

	ck_assert_msg(parse(want->text, &value) == want->rc, "\"%s\" gives %d", want->text, parse(want->text, &value));
	ck_assert_msg(value == (want->rc ? 4711 : want->value), "\"%s\" gives %llu", want->text,
		      (unsigned long long)value);
}

START_TEST(durations_are_read)
{
	check_parse(&durations[_i], duration_parse);
}
END_TEST

START_TEST(sizes_are_read)
{
	check_parse(&sizes[_i], size_parse);
}
END_TEST

static const struct {
	uint64_t ns;
	const char *text;
} duration_texts[] = {
	{0, "0s"},
	{90 * S, "1m30s"},
	{30 * 86400 * S, "30d"},
	{250000000, "250ms"},
	{5400 * S, "1h30m"},
	{1, "1ns"},
	{S + 1, "1s1ns"},
	{60 * S, "1m"},
	{UINT64_MAX, "213503d23h34m33s709ms551us615ns"},
};

START_TEST(durations_are_written)
{
	char buf[UNITS_TEXT_MAX];
	uint64_t back = 1;

	ck_assert_str_eq(duration_format(duration_texts[_i].ns, buf, sizeof(buf)), duration_texts[_i].text);
	ck_assert_int_eq(duration_parse(buf, &back), 0);
	ck_assert_uint_eq(back, duration_texts[_i].ns);
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} size_texts[] = {
	{0, "0"},
	{1000, "1000"},
	{1024, "1k"},
	{1536, "1536"},
	{64 << 20, "64M"},
	{UINT64_C(1) << 40, "1T"},
	{UINT64_C(1) << 50, "1024T"},
	{UINT64_MAX, "18446744073709551615"},
};

START_TEST(sizes_are_written)
{
	char buf[UNITS_TEXT_MAX];
	uint64_t back = 1;

	ck_assert_str_eq(size_format(size_texts[_i].bytes, buf, sizeof(buf)), size_texts[_i].text);
	ck_assert_int_eq(size_parse(buf, &back), 0);
	ck_assert_uint_eq(back, size_texts[_i].bytes);
}
END_TEST

START_TEST(short_buffers_are_not_left)
{
	char buf[8] = "abcdefg";

	duration_format(UINT64_MAX, buf, 4);
	ck_assert_str_eq(buf, "213");
	ck_assert_int_eq(buf[4], 'e');
	size_format(UINT64_MAX, buf, 4);
	ck_assert_str_eq(buf, "184");
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *units = tcase_create("units");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(units, durations_are_read, 0, COUNT(durations));
	tcase_add_loop_test(units, sizes_are_read, 0, COUNT(sizes));
	tcase_add_loop_test(units, durations_are_written, 0, COUNT(duration_texts));
	tcase_add_loop_test(units, sizes_are_written, 0, COUNT(size_texts));
	tcase_add_test(units, short_buffers_are_not_left);
	suite_add_tcase(suite, units);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
