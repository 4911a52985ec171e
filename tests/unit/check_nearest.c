/* SPDX-License-Identifier: Apache-2.0 */
#include "nearest.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#define LONG_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static const struct {
	const char *a, *b;
	size_t distance;
} distances[] = {
	{"", "", 0},
	{"timeout", "timeout", 0},
	{"timeout", "TimeOut", 0},
	{"timout", "timeout", 1},
	{"tiemout", "timeout", 1},
	{"timeouts", "timeout", 1},
	{"tineout", "timeout", 1},
	{"", "abc", 3},
	{"abc", "", 3},
	{"kitten", "sitting", 3},
	{"ba", "ab", 1},
	{"ca", "abc", 3},
	{LONG_63, LONG_63, 0},
	{LONG_63 "h", LONG_63, SIZE_MAX},
	{"a", LONG_63 "h", SIZE_MAX},
};

START_TEST(distance_is_counted)
{
	ck_assert_uint_eq(word_distance(distances[_i].a, distances[_i].b), distances[_i].distance);
}
END_TEST

static const char *const words[] = {"timeout", "action", "method", "enabled", "rate", "mode"};

static const struct {
	const char *word, *nearest;
} typos[] = {
	{"timout", "timeout"}, {"time_out", "timeout"},
	{"acton", "action"},   {"mehtod", "method"},
	{"enable", "enabled"}, {"Rate", "rate"},
	{"raet", "rate"},      {"mod", "mode"},
	{"method", "method"},  {"rtaee", NULL},
	{"colour", NULL},      {"", NULL},
	{"a", NULL},           {"ra", NULL},
	{LONG_63 "h", NULL},
};

START_TEST(nearest_is_found)
{
	const char *nearest = nearest_word(typos[_i].word, words, sizeof(words) / sizeof(words[0]));

	ck_assert_pstr_eq(nearest, typos[_i].nearest);
}
END_TEST

START_TEST(no_words_no_neighbour)
{
	ck_assert_ptr_null(nearest_word("timeout", NULL, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nearest");
	TCase *nearest = tcase_create("nearest");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(nearest, distance_is_counted, 0, sizeof(distances) / sizeof(distances[0]));
	tcase_add_loop_test(nearest, nearest_is_found, 0, sizeof(typos) / sizeof(typos[0]));
	tcase_add_test(nearest, no_words_no_neighbour);
	suite_add_tcase(suite, nearest);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
