/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That the machine a row of the matrix boots is what the row says it is: a lockdown that was not switched on, or diag
 * modules that were there all the same, would make the other tests' green worthless. `run` passes the row's settings.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cleanup.h"

static const char *row_setting(const char *name)
{
	const char *value = getenv(name);

	ck_assert_msg(value != NULL, "%s is not set: this runs in the machine that tests/vm/run boots", name);
	return value;
}

START_TEST(test_processors)
{
	ck_assert_int_eq(sysconf(_SC_NPROCESSORS_ONLN), atol(row_setting("ROW_CPUS")));
}
END_TEST

START_TEST(test_btf)
{
	ck_assert_int_eq(access("/sys/kernel/btf/vmlinux", R_OK), 0);
}
END_TEST

/* init mounts securityfs for this; a kernel without the lockdown module has no such file. */
START_TEST(test_lockdown)
{
	const char *wanted = strstr(row_setting("ROW_APPEND"), "lockdown=");
	char line[4096] = "";
	_cleanup_close_ int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		ck_assert_int_gt(read(fd, line, sizeof(line) - 1), 0);
	if (!wanted) {
		ck_assert_msg(fd < 0 || strstr(line, "[none]") || strstr(line, "[integrity]"), "%s", line);
		return;
	}
	ck_assert_msg(fd >= 0, "/sys/kernel/security/lockdown: %s", strerror(errno));
	ck_assert_msg(strstr(line, "[confidentiality]") != NULL, "%s", line);
}
END_TEST

/* The first byte of an answer to a dump of TCP sockets: NLMSG_ERROR with ENOENT where nothing handles TCP. */
static int tcp_dump_errno(void)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} question = {
		.header = {.nlmsg_len = sizeof(question),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U},
	};
	char answer[8192];
	const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)answer;
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, &question, sizeof(question), 0), (ssize_t)sizeof(question));
	ck_assert_int_gt(recv(fd, answer, sizeof(answer), 0), (ssize_t)sizeof(*header));
	if (header->nlmsg_type == NLMSG_ERROR)
		return -((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	return 0;
}

START_TEST(test_diag)
{
	if (strcmp(row_setting("ROW_DIAG"), "no") == 0)
		ck_assert_int_eq(tcp_dump_errno(), ENOENT);
	else
		ck_assert_int_eq(tcp_dump_errno(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("row");
	TCase *cases = tcase_create("machine");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(cases, test_processors);
	tcase_add_test(cases, test_btf);
	tcase_add_test(cases, test_lockdown);
	tcase_add_test(cases, test_diag);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
