/* SPDX-License-Identifier: Apache-2.0 */
/* --set PLUGIN.KEY=VALUE, taken apart. */
#include "override.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

START_TEST(overrides_are_split)
{
	static const struct {
		const char *text, *scope, *key, *value;
	} good[] = {
		{"a.b=c", "a", "b", "c"},
		{"tcp_close_wait.timeout=-3", "tcp_close_wait", "timeout", "-3"},
		{"ghostbuster.guard.rate=5", "ghostbuster", "guard.rate", "5"},
		{"a.b=", "a", "b", ""},
		{"a.b=c=d.e", "a", "b", "c=d.e"},
	};
	static const char *const malformed[] = {"",        "a",     "a.b", "a=b", ".b=c", "a.=c",
						"a b.c=d", "A.b=c", "=",   ".",   "a.b.c"};
	struct problems problems = {0};
	struct override override;
	char want[256];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(override_parse(good[i].text, &override, &problems), 0);
		ck_assert_str_eq(override.scope, good[i].scope);
		ck_assert_str_eq(override.key, good[i].key);
		ck_assert_str_eq(override.value, good[i].value);
		snprintf(want, sizeof(want), "--set %s", good[i].text);
		ck_assert_str_eq(override.typed, want);
		override_fini(&override);
	}
	ck_assert_uint_eq(problems.count, 0);
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		ck_assert_int_eq(override_parse(malformed[i], &override, &problems), -EINVAL);
		ck_assert_uint_eq(problems.count, i + 1);
		snprintf(want, sizeof(want),
			 "--set %s: want PLUGIN.KEY=VALUE or ghostbuster.KEY=VALUE, such as --set "
			 "tcp_close_wait.timeout=90s",
			 malformed[i]);
		ck_assert_str_eq(problems.items[i], want);
	}
	problems_fini(&problems);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("override");
	TCase *tests = tcase_create("override");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, overrides_are_split);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
