/* SPDX-License-Identifier: Apache-2.0 */
/* sock_diag when answers are missing: nothing waits for them. The kernel's side is a socket that the test has filled. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tcp_close_wait/diag.c" /* the very unit: a plugin has no library to link */

static int ends[2]; /* ours, and the kernel's */

static void make(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void unmake(void)
{
	close(ends[0]);
	close(ends[1]);
}

struct answer {
	uint16_t type, flags;
	uint32_t sequence;
	int error;
};

/* A datagram that waits to be read. */
static void answer_put(const struct answer *answer)
{
	char text[1024];
	struct nlmsghdr *header = mnl_nlmsg_put_header(text);

	header->nlmsg_type = answer->type;
	header->nlmsg_flags = answer->flags;
	header->nlmsg_seq = answer->sequence;
	if (answer->type == NLMSG_ERROR) {
		struct nlmsgerr *error = mnl_nlmsg_put_extra_header(header, sizeof(*error));

		error->error = answer->error;
	} else if (answer->type == SOCK_DIAG_BY_FAMILY) {
		struct inet_diag_msg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
		struct tcp_info info = {0};

		message->idiag_family = AF_INET;
		message->idiag_state = CW_TCP_CLOSE_WAIT;
		mnl_attr_put(header, INET_DIAG_INFO, sizeof(info), &info);
	}
	ck_assert_int_eq(send(ends[1], header, header->nlmsg_len, 0), (ssize_t)header->nlmsg_len);
}

#define ANSWER(...) answer_put(&(const struct answer){__VA_ARGS__})
#define SOCKET(sequence_) ANSWER(.type = SOCK_DIAG_BY_FAMILY, .sequence = (sequence_))
#define DONE(sequence_) ANSWER(.type = NLMSG_DONE, .sequence = (sequence_))

static int count_up(struct cw_observation *seen, void *arg)
{
	ck_assert_int_eq(seen->state, CW_TCP_CLOSE_WAIT);
	++*(int *)arg;
	return 0;
}

static int asked(void)
{
	char text[8192];
	int count = 0;

	while (recv(ends[1], text, sizeof(text), MSG_DONTWAIT) > 0)
		count++;
	return count;
}

START_TEST(a_whole_dump)
{
	int count = 0;

	SOCKET(1);
	SOCKET(1);
	DONE(1);
	SOCKET(2);
	DONE(2);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, &count), 0);
	ck_assert_int_eq(count, 3);
	ck_assert_int_eq(asked(), 2);
}
END_TEST

/* It would wait for ever for the end. */
START_TEST(a_dump_without_an_end_fails)
{
	int count = 0;

	SOCKET(1);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, &count), -ENOBUFS);
	ck_assert_int_eq(asked(), 1);
}
END_TEST

START_TEST(an_interrupted_dump_is_read_to_its_end_and_repeated)
{
	int count = 0;

	ANSWER(.type = SOCK_DIAG_BY_FAMILY, .flags = NLM_F_DUMP_INTR, .sequence = 1);
	SOCKET(1);
	DONE(1);
	SOCKET(2);
	DONE(2);
	DONE(3);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, &count), 0);
	ck_assert_int_eq(count, 3);
	ck_assert_int_eq(asked(), 3);
}
END_TEST

START_TEST(not_for_ever)
{
	int count = 0;

	for (uint32_t i = 1; i <= DUMP_TRIES; i++)
		ANSWER(.type = NLMSG_DONE, .flags = NLM_F_DUMP_INTR, .sequence = i);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, &count), -EINTR);
	ck_assert_int_eq(asked(), DUMP_TRIES);
}
END_TEST

START_TEST(what_is_left_of_an_earlier_dump_does_not_count)
{
	int count = 0;

	SOCKET(77);
	DONE(77);
	SOCKET(1);
	DONE(1);
	DONE(2);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, &count), 0);
	ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(no_tcp_diag)
{
	ANSWER(.type = NLMSG_ERROR, .sequence = 1, .error = -ENOENT);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, NULL), -ENOENT);
}
END_TEST

START_TEST(answers_that_never_come)
{
	struct cw_tuple tuple = {.family = AF_INET};
	struct cw_diag_ask asks[100];

	for (size_t i = 0; i < 100; i++)
		asks[i] = (struct cw_diag_ask){.tuple = &tuple, .cookie = i};
	ck_assert_int_eq(cw_diag_get(ends[0], 0, asks, 100), -ENOBUFS);
	ck_assert_int_eq(asked(), 3); /* 64, 8, 1 */
	/* To destroy is not asked for twice; who looks afterwards sees what is left. */
	ck_assert_int_eq(cw_diag_destroy(ends[0], asks, 100), 0);
	ck_assert_int_eq(asked(), 2);
	for (size_t i = 0; i < 100; i++)
		ck_assert_int_eq(asks[i].error, 0);
}
END_TEST

START_TEST(each_its_answer)
{
	struct cw_tuple tuple = {.family = AF_INET};
	struct cw_diag_ask asks[2] = {{.tuple = &tuple}, {.tuple = &tuple}};

	SOCKET(1);
	ANSWER(.type = NLMSG_ERROR, .sequence = 2, .error = -ENOENT);
	ck_assert_int_eq(cw_diag_get(ends[0], 0, asks, 2), 0);
	ck_assert_int_eq(asks[0].error, 0);
	ck_assert_int_eq(asks[0].seen.state, CW_TCP_CLOSE_WAIT);
	ck_assert_int_eq(asks[1].error, -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close_wait_diag");
	TCase *tests = tcase_create("diag");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, make, unmake);
	tcase_set_timeout(tests, 5);
	tcase_add_test(tests, a_whole_dump);
	tcase_add_test(tests, a_dump_without_an_end_fails);
	tcase_add_test(tests, an_interrupted_dump_is_read_to_its_end_and_repeated);
	tcase_add_test(tests, not_for_ever);
	tcase_add_test(tests, what_is_left_of_an_earlier_dump_does_not_count);
	tcase_add_test(tests, no_tcp_diag);
	tcase_add_test(tests, answers_that_never_come);
	tcase_add_test(tests, each_its_answer);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
