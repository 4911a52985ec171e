/* SPDX-License-Identifier: Apache-2.0 */
#include "capability.h"

#include <check.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <eghostbuster/plugin.h>

#define BIT(number) (UINT64_C(1) << (number))

START_TEST(names)
{
	static const struct {
		const char *name;
		int number; /* -1: no such name */
	} cases[] = {
		{"CAP_NET_ADMIN", CAP_NET_ADMIN},
		{"cap_net_admin", CAP_NET_ADMIN},
		{"net_admin", CAP_NET_ADMIN},
		{"CAP_CHOWN", 0},
		{"CAP_BPF", CAP_BPF},
		{"CAP_SYS_PTRACE", CAP_SYS_PTRACE},
		{"CAP_", -1},
		{"", -1},
		{"CAP_CAP_BPF", -1},
		{"CAP_NONSENSE", -1},
		{"NET", -1},
	};
	char name[CAPABILITY_NAME_SIZE];

	for (size_t i = 0; i < GB_COUNT(cases); i++) {
		unsigned int number = 99;
		int result = capability_number(cases[i].name, &number);

		ck_assert_msg(result == (cases[i].number < 0 ? -ENOENT : 0), "%s: %d", cases[i].name, result);
		ck_assert_uint_eq(number, cases[i].number < 0 ? 99 : (unsigned int)cases[i].number);
	}
	for (unsigned int number = 0; number <= CAP_BPF; number++) {
		unsigned int back;

		ck_assert_int_eq(capability_name(number, name), 0);
		ck_assert(strncmp(name, "CAP_", 4) == 0);
		ck_assert_int_eq(capability_number(name, &back), 0);
		ck_assert_uint_eq(back, number);
	}
	ck_assert_int_eq(capability_name(63, name), -EINVAL);
	ck_assert_int_eq(capability_name(1000000, name), -EINVAL);
}
END_TEST

START_TEST(texts)
{
	char text[CAPABILITY_TEXT_SIZE];

	capability_text(0, text);
	ck_assert_str_eq(text, "none");
	capability_text(BIT(CAP_BPF) | BIT(CAP_NET_ADMIN), text);
	ck_assert_str_eq(text, "CAP_NET_ADMIN, CAP_BPF");
	capability_text(BIT(63), text);
	ck_assert_str_eq(text, "CAP_63");
	capability_text(UINT64_MAX, text);
	ck_assert_ptr_nonnull(strstr(text, ", CAP_63"));
}
END_TEST

/* Without root there is little to drop, but all of it goes. Each test is a process of its own. */
START_TEST(drops_all)
{
	uint64_t missing = 0, left = 0;

	ck_assert_int_eq(capability_have(0, &missing), 0);
	ck_assert_int_eq(capability_drop_all_but(0, &left), 0);
	ck_assert_int_eq(capability_have(BIT(CAP_CHOWN) | BIT(CAP_BPF), &missing), -EPERM);
	ck_assert_uint_eq(missing, BIT(CAP_CHOWN) | BIT(CAP_BPF));
	ck_assert_int_eq(capability_have(BIT(CAP_CHOWN), NULL), -EPERM);
	/* Once more, now without CAP_SETPCAP: nothing left to lose, and it says what the bounding set keeps. */
	ck_assert_int_eq(capability_drop_all_but(BIT(CAP_BPF), &missing), 0);
	ck_assert_uint_eq(missing, left & ~BIT(CAP_BPF));
}
END_TEST

START_TEST(keeps_what_is_asked)
{
	const uint64_t keep = BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_PTRACE);
	uint64_t left = 99;

	if (capability_have(keep | BIT(CAP_SETPCAP), NULL) < 0)
		return; /* without root: drops_all is all there is to see */
	ck_assert_int_eq(capability_drop_all_but(keep, &left), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_int_eq(capability_have(keep, NULL), 0);
	ck_assert_int_eq(capability_have(BIT(CAP_CHOWN), NULL), -EPERM);
	ck_assert_int_eq(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_CAPBSET_READ, CAP_NET_ADMIN, 0, 0, 0), 1);
	ck_assert_int_eq(capability_drop_all_but(BIT(CAP_NET_ADMIN), &left), 0);
	ck_assert_uint_eq(left, BIT(CAP_SYS_PTRACE));
	ck_assert_int_eq(capability_have(BIT(CAP_SYS_PTRACE), NULL), -EPERM);
	ck_assert_int_eq(capability_have(BIT(CAP_NET_ADMIN), NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("capability");
	TCase *tcase = tcase_create("capability");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, names);
	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, drops_all);
	tcase_add_test(tcase, keeps_what_is_asked);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
