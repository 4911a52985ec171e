/* SPDX-License-Identifier: Apache-2.0 */
/* How a process ended, as the kernel's table tells it: of that very process, or not at all. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "support/ends.c" /* the very unit: a plugin has no library to link */

#define PID 70000
#define SECOND UINT64_C(1000000000)

static struct process_end slots[PROCESS_ENDS_MAX];
static bool missing;

int bpf_map_lookup_elem(int map, const void *key, void *value)
{
	ck_assert_int_eq(map, 7);
	ck_assert_uint_lt(*(const uint32_t *)key, PROCESS_ENDS_MAX);
	if (missing)
		return -ENOENT;
	*(struct process_end *)value = slots[*(const uint32_t *)key];
	return 0;
}

static const struct {
	struct process_end noted; /* of whoever has the slot */
	uint64_t start_ticks;     /* asked for, with PID */
	int result;
} asked[] = {
	{{.tgid = PID, .start_ns = 5 * SECOND, .status = 13}, 500, 0},
	{{.tgid = PID, .start_ns = 5 * SECOND + SECOND / 100 - 1, .status = 0}, 500, 0}, /* within the tick */
	{{.tgid = PID, .start_ns = 5 * SECOND + SECOND / 100, .status = 13}, 500, -ENOENT},
	{{.tgid = PID, .start_ns = 5 * SECOND - 1, .status = 13}, 500, -ENOENT}, /* who had the number before */
	{{.tgid = PID + PROCESS_ENDS_MAX, .start_ns = 5 * SECOND, .status = 13}, 500, -ENOENT},
	{{0}, 500, -ENOENT}, /* nobody was noted yet */
};

START_TEST(only_of_that_very_process)
{
	int32_t status = -77;

	slots[PROCESS_END_SLOT(PID)] = asked[_i].noted;
	ck_assert_int_eq(ends_find(7, PID, asked[_i].start_ticks, &status), asked[_i].result);
	ck_assert_int_eq(status, asked[_i].result ? -77 : asked[_i].noted.status);
}
END_TEST

START_TEST(an_error_is_passed_on)
{
	int32_t status = -77;

	missing = true;
	ck_assert_int_eq(ends_find(7, PID, 500, &status), -ENOENT);
	ck_assert_int_eq(status, -77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ends");
	TCase *tests = tcase_create("ends");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, only_of_that_very_process, 0, (int)(sizeof(asked) / sizeof(asked[0])));
	tcase_add_test(tests, an_error_is_passed_on);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
