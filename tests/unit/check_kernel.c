/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <linux/bpf.h>

#include <eghostbuster/plugin.h>

#include "capability.h"
#include "unit/fake_tree.h"

#define ALL (GB_KERNEL_BTF | GB_KERNEL_BPF_ITER)

/* What the fake bpf(2) answers: 0 or an errno. */
static int map_error, iterator_error;

static long fake_bpf(int command, union bpf_attr *attr, unsigned int size)
{
	ck_assert_uint_eq(size, sizeof(*attr));
	errno = command == BPF_MAP_CREATE ? map_error : iterator_error;
	return errno ? -1 : dup(STDERR_FILENO);
}

/* In `path`, a file with this start; NULL: none. */
static struct kernel_probe make_probe(const char *start, size_t length, char path[PATH_MAX])
{
	FILE *file;

	tree_path("vmlinux", path);
	if (start) {
		file = fopen(path, "we");
		ck_assert_ptr_nonnull(file);
		ck_assert_uint_eq(fwrite(start, 1, length, file), length);
		fclose(file);
	}
	return (struct kernel_probe){.btf_path = path, .bpf = fake_bpf};
}

#define PATH "\001" /* stands for the path of the BTF file */

START_TEST(each_lack)
{
	static const struct {
		uint32_t features;
		const char *btf;
		int map, iterator;
		const char *sentence; /* NULL: nothing lacks */
	} cases[] = {
		{ALL, "\x9f\xeb\x01", 0, EBADF, NULL},
		{0, NULL, ENOSYS, EINVAL, NULL},
		{GB_KERNEL_BPF_ITER, NULL, 0, EBADF, NULL},
		{GB_KERNEL_BTF, "\x9f\xeb\x01", 0, EINVAL, NULL},
		{ALL, NULL, 0, EBADF,
		 "this kernel has no BTF (" PATH " is missing): boot a kernel built with CONFIG_DEBUG_INFO_BTF=y"},
		{ALL, "", 0, EBADF,
		 PATH " is not the kernel's BTF (found 0x0000 at its start, want 0xeb9f): mount sysfs on /sys"},
		{ALL, "ELF", 0, EBADF,
		 PATH " is not the kernel's BTF (found 0x4c45 at its start, want 0xeb9f): mount sysfs on /sys"},
		{ALL, "\x9f\xeb\x01", ENOSYS, EINVAL,
		 "this kernel has no bpf(2): boot a kernel built with CONFIG_BPF_SYSCALL=y"},
		{ALL, "\x9f\xeb\x01", EPERM, EPERM,
		 "the kernel refuses bpf(2) (Operation not permitted): run as root, with CAP_BPF and CAP_PERFMON "
		 "(CAP_SYS_ADMIN before Linux 5.8); in a container also allow bpf in its seccomp profile"},
		{ALL, "\x9f\xeb\x01", ENOMEM, EBADF,
		 "the kernel cannot make a BPF map (Cannot allocate memory): give the daemon more memory (its cgroup's "
		 "memory.max; before Linux 5.11: ulimit -l)"},
		{1 << 7, NULL, 0, EBADF,
		 "a plugin needs kernel features that this daemon does not know (bits 0x80): upgrade eghostbuster"},
	};
	char path[PATH_MAX], wanted[2 * PATH_MAX];

	for (size_t i = 0; i < GB_COUNT(cases); i++) {
		struct problems problems = {0};
		struct kernel_probe probe;
		const char *mark;

		tree_make();
		probe = make_probe(cases[i].btf, cases[i].btf ? strlen(cases[i].btf) : 0, path);
		map_error = cases[i].map;
		iterator_error = cases[i].iterator;
		ck_assert_int_eq(kernel_check(&probe, cases[i].features, &problems),
				 cases[i].sentence ? -EOPNOTSUPP : 0);
		ck_assert_msg(problems.count == (cases[i].sentence != NULL), "case %zu: %zu", i, problems.count);
		if (cases[i].sentence) {
			mark = strchr(cases[i].sentence, PATH[0]);
			snprintf(wanted, sizeof(wanted), "%.*s%s%s",
				 mark ? (int)(mark - cases[i].sentence) : (int)strlen(cases[i].sentence),
				 cases[i].sentence, mark ? path : "", mark ? mark + 1 : "");
			ck_assert_str_eq(problems.items[0], wanted);
		}
		problems_fini(&problems);
		tree_remove();
	}
}
END_TEST

START_TEST(old_kernel)
{
	struct problems problems = {0};
	const struct kernel_probe probe = {.btf_path = "/nonexistent/vmlinux", .bpf = fake_bpf};
	char release[KERNEL_RELEASE_SIZE], wanted[256];

	map_error = 0;
	iterator_error = EINVAL;
	ck_assert_int_eq(kernel_check(&probe, ALL, &problems), -EOPNOTSUPP);
	ck_assert_uint_eq(problems.count, 2);
	kernel_release(release);
	ck_assert_uint_gt(strlen(release), 0);
	snprintf(wanted, sizeof(wanted), "this kernel (%s) has no BPF iterators: boot Linux 5.8 or later", release);
	ck_assert_str_eq(problems.items[1], wanted);
	problems_fini(&problems);
}
END_TEST

START_TEST(privileges)
{
	struct problems problems = {0};

	ck_assert_int_eq(kernel_check_privileges(0, &problems), 0);
	ck_assert_uint_eq(problems.count, 0);
	ck_assert_int_eq(capability_drop_all_but(0, NULL), 0);
	ck_assert_int_eq(kernel_check_privileges(UINT64_C(1) << 12 | UINT64_C(1) << 39, &problems), -EPERM);
	ck_assert_uint_eq(problems.count, 1);
	ck_assert_ptr_nonnull(strstr(problems.items[0], "the daemon lacks CAP_NET_ADMIN, CAP_BPF: run it as root"));
	problems_fini(&problems);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel");
	TCase *tcase = tcase_create("kernel");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, each_lack);
	tcase_add_test(tcase, old_kernel);
	tcase_add_test(tcase, privileges);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
