/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_check.h"

#include <linux/netlink.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

/* For a message of more than 4096 bytes Check ends the test with 2, without showing it. */
static void fail_check(const char *text)
{
	const int most = 1900;
	size_t length = strlen(text);

	if (length <= 2 * (size_t)most)
		ck_abort_msg("%s", text);
	fprintf(stderr, "%s\n", text);
	ck_abort_msg("%.*s [...] %s", most, text, text + length - (size_t)most);
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

/* Of bpf_sock_destroy(): it comes with the kernel, not with a module. */
static bool kernel_has_symbol(const char *name)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], wanted[64];

	snprintf(wanted, sizeof(wanted), " %s\n", name);
	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, wanted))
			return true;
	return false;
}

/* Whether TCP sockets can be dumped: no, where the diag modules are missing. */
static bool kernel_has_tcp_diag(void)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {.header = {.nlmsg_len = sizeof(message),
				.nlmsg_type = SOCK_DIAG_BY_FAMILY,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		     .request = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << 10}};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	union {
		struct nlmsghdr header;
		char bytes[8192];
	} answer;

	return fd >= 0 && send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message) &&
	       recv(fd, &answer, sizeof(answer), 0) > 0 && answer.header.nlmsg_type != NLMSG_ERROR;
}

/* What this kernel must be able to, known without asking the daemon. */
static void find_methods(void)
{
	char methods[64] = "";

	if (getenv("EGHOSTBUSTER_TEST_METHODS"))
		return;
	if (kernel_has_symbol("bpf_sock_destroy"))
		strcat(methods, "iterator,");
	if (kernel_has_tcp_diag())
		strcat(methods, "sock_diag");
	setenv("EGHOSTBUSTER_TEST_METHODS", methods, 1);
}

int lab_main(Suite *suite)
{
	SRunner *runner;
	int failed;

	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return 77;
	}
	find_methods();
	lab_on_failure = fail_check;
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return lab_share_end() && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int lab_main_shared(Suite *suite)
{
	lab_share();
	return lab_main(suite);
}
