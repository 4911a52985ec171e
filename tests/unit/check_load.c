/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the kernel that runs, against libbpf, which understands all of its BTF. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "load.h"

#define EVERY 2999 /* types: a few dozen, all over the names */

START_TEST(what_libbpf_finds_is_found)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint32_t count, named = 0;

	ck_assert_ptr_nonnull(btf);
	count = btf__type_cnt(btf);
	for (uint32_t id = 1; id < count; id += EVERY) {
		const char *name = btf__name_by_offset(btf, btf__type_by_id(btf, id)->name_off);

		if (!name || !*name)
			continue;
		ck_assert_msg(kernel_btf_has(name), "%s is not found", name);
		named++;
	}
	ck_assert_uint_gt(named, 3);
	btf__free(btf);
}
END_TEST

/* They are read in parts of so many bytes. */
START_TEST(a_name_between_two_parts_is_found)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const char *name = btf__name_by_offset(btf, 65536);

	ck_assert_ptr_nonnull(name);
	while (name[-1])
		name--;
	ck_assert_msg(kernel_btf_has(name), "%s is not found", name);
	btf__free(btf);
}
END_TEST

START_TEST(a_part_of_a_name_is_none)
{
	char longer[300];

	ck_assert(kernel_btf_has("task_struct"));
	ck_assert(!kernel_btf_has("task_struc"));
	ck_assert(!kernel_btf_has("ask_struct"));
	ck_assert(!kernel_btf_has("task_struct_of_nobody"));
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	ck_assert(!kernel_btf_has(longer));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("load");
	TCase *tests = tcase_create("load");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, what_libbpf_finds_is_found);
	tcase_add_test(tests, a_name_between_two_parts_is_found);
	tcase_add_test(tests, a_part_of_a_name_is_none);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
