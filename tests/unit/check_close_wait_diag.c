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

#define SOCKET(sequence_) \
	{ \
		.type = SOCK_DIAG_BY_FAMILY, .sequence = (sequence_) \
	}
#define DONE(sequence_) \
	{ \
		.type = NLMSG_DONE, .sequence = (sequence_) \
	}
#define ERROR(sequence_, error_) \
	{ \
		.type = NLMSG_ERROR, .sequence = (sequence_), .error = (error_) \
	}
/* The kernel was interrupted, and says so with a socket or at the end. */
#define TORN(type_, sequence_) \
	{ \
		.type = (type_), .flags = NLM_F_DUMP_INTR, .sequence = (sequence_) \
	}

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

/* What the kernel says to the dumps of IPv4 and IPv6, and what comes of it. */
static const struct {
	struct answer answers[6];
	int result, sockets, asked;
} dumps[] = {
	{{SOCKET(1), SOCKET(1), DONE(1), SOCKET(2), DONE(2)}, 0, 3, 2},
	/* Without an end: it would wait for ever. */
	{{SOCKET(1)}, -ENOBUFS, 1, 1},
	/* An interrupted one is read to its end, and repeated; but not for ever. */
	{{TORN(SOCK_DIAG_BY_FAMILY, 1), SOCKET(1), DONE(1), SOCKET(2), DONE(2), DONE(3)}, 0, 3, 3},
	{{DONE(1), TORN(NLMSG_DONE, 2), TORN(NLMSG_DONE, 3), SOCKET(4), DONE(4)}, 0, 1, 4},
	{{TORN(NLMSG_DONE, 1), TORN(NLMSG_DONE, 2), DONE(3), TORN(NLMSG_DONE, 4), TORN(NLMSG_DONE, 5), DONE(6)},
	 0,
	 0,
	 6},
	{{TORN(NLMSG_DONE, 1), TORN(NLMSG_DONE, 2), TORN(NLMSG_DONE, 3)}, -EINTR, 0, DUMP_TRIES},
	/* What is left of an earlier one does not count. */
	{{SOCKET(77), DONE(77), SOCKET(1), DONE(1), DONE(2)}, 0, 1, 2},
	/* No tcp_diag. */
	{{ERROR(1, -ENOENT)}, -ENOENT, 0, 1},
};

#define DUMPS ((int)(sizeof(dumps) / sizeof(dumps[0])))

static int answers_put(const struct answer *answers)
{
	int count = 0;

	for (; count < 6 && answers[count].type; count++)
		answer_put(&answers[count]);
	return count;
}

START_TEST(a_dump)
{
	int sockets = 0;

	answers_put(dumps[_i].answers);
	ck_assert_int_eq(cw_diag_dump(ends[0], 0, count_up, &sockets), dumps[_i].result);
	ck_assert_int_eq(sockets, dumps[_i].sockets);
	ck_assert_int_eq(asked(), dumps[_i].asked);
}
END_TEST

/* The caller has its turn after each datagram, and nothing is read beyond it. */
START_TEST(a_dump_in_pieces)
{
	/* The end that is missing is a piece as well. */
	int sockets = 0, pieces = answers_put(dumps[_i].answers) + (dumps[_i].result == -ENOBUFS);
	struct cw_dump dump = {.fd = ends[0], .take = count_up, .arg = &sockets};

	for (int i = 1; i < pieces; i++) {
		ck_assert_int_eq(cw_diag_dump_on(&dump), 1);
		ck_assert_int_le(sockets, i);
	}
	ck_assert_int_eq(cw_diag_dump_on(&dump), dumps[_i].result);
	ck_assert_int_eq(recv(ends[0], buffer, sizeof(buffer), MSG_DONTWAIT), -1);
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

	answers_put((const struct answer[6]){SOCKET(1), ERROR(2, -ENOENT)});
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
	tcase_add_loop_test(tests, a_dump, 0, DUMPS);
	tcase_add_loop_test(tests, a_dump_in_pieces, 0, DUMPS);
	tcase_add_test(tests, answers_that_never_come);
	tcase_add_test(tests, each_its_answer);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
