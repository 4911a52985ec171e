/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fail_check(const char *text)
{
	ck_abort_msg("%s", text);
}

const char *lab_method(int i)
{
	static const char *const methods[LAB_METHOD_COUNT] = {"iterator", "sock_diag"};

	if (!lab_has_method(methods[i])) {
		printf("not on this kernel: method %s\n", methods[i]);
		fflush(stdout);
		_exit(EXIT_SUCCESS);
	}
	return methods[i];
}

TCase *lab_tcase(Suite *suite, const char *name, int timeout_s)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, timeout_s);
	tcase_add_checked_fixture(tcase, lab_open, NULL);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int lab_main(Suite *suite)
{
	SRunner *runner;
	int failed;

	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 77;
	}
	lab_on_failure = fail_check;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
