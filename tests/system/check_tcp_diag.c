/* SPDX-License-Identifier: Apache-2.0 */
/* sock_diag of this kernel with a socket that has no room: the real ENOBUFS. */
#include <sched.h>
#include <stdio.h>

#include "../../plugins/tcp_close_wait/diag.c" /* the very unit: a plugin has no library to link */
#include "lab_check.h"
#include "lab_peer.h"

enum { PORT = 8080, LEAKS = 300 };

static struct cw_observation seen[2 * LEAKS];
static size_t seen_count;

static int keep(struct cw_observation *one, void *arg)
{
	(void)arg;
	ck_assert_uint_lt(seen_count, sizeof(seen) / sizeof(seen[0]));
	seen[seen_count++] = *one;
	return 0;
}

/* A network namespace of the test's own process, with leaks in it. */
static int begin(void)
{
	lab_works(unshare(CLONE_NEWNET) == 0, "a network namespace");
	ck_assert_int_eq(deed_loopback((const long[LAB_ARGS]){1}), 0);
	ck_assert_int_eq(deed_leak_many((const long[LAB_ARGS]){PORT, LEAKS}), LEAKS);
	return lab_checked(__FILE__, __LINE__, "cw_diag_open", cw_diag_open());
}

/* The least that the kernel allows: room for two or three answers. */
static void shrink(int fd)
{
	int least = 1;

	lab_works(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) == 0, "SO_RCVBUF");
}

/* Whether some answers of one message did find no room: else the test shows nothing. */
static bool loses_answers(int fd, struct cw_diag_ask *asks)
{
	return asks_send(fd, SOCK_DIAG_BY_FAMILY, asks, ASKS_A_MESSAGE) == 0 &&
	       answers_read(fd, 0, asks, ASKS_A_MESSAGE) == -ENOBUFS;
}

START_TEST(what_finds_no_room_is_asked_again)
{
	static struct cw_diag_ask asks[LEAKS];
	int fd;

	if (!lab_has_method("sock_diag")) {
		printf("not on this kernel: tcp_diag\n");
		return;
	}
	fd = begin();
	ck_assert_int_eq(cw_diag_dump(fd, 0, keep, NULL), 0);
	ck_assert_uint_eq(seen_count, LEAKS);
	for (size_t i = 0; i < LEAKS; i++)
		asks[i] = (struct cw_diag_ask){.tuple = &seen[i].tuple, .cookie = seen[i].cookie};
	shrink(fd);
	ck_assert(loses_answers(fd, asks));
	ck_assert_int_eq(cw_diag_get(fd, 0, asks, LEAKS), 0);
	for (size_t i = 0; i < LEAKS; i++) {
		ck_assert_int_eq(asks[i].error, 0);
		ck_assert_uint_eq(asks[i].seen.cookie, seen[i].cookie);
	}
	/* Dumps need room for one datagram only. */
	seen_count = 0;
	ck_assert_int_eq(cw_diag_dump(fd, 0, keep, NULL), 0);
	ck_assert_uint_eq(seen_count, LEAKS);
}
END_TEST

START_TEST(destroyed_all_the_same)
{
	static struct cw_diag_ask asks[LEAKS];
	int fd;

	if (!lab_has_method("sock_diag"))
		return;
	fd = begin();
	ck_assert_int_eq(cw_diag_dump(fd, 0, keep, NULL), 0);
	for (size_t i = 0; i < LEAKS; i++)
		asks[i] = (struct cw_diag_ask){.tuple = &seen[i].tuple, .cookie = seen[i].cookie};
	shrink(fd);
	ck_assert_int_eq(cw_diag_destroy(fd, asks, LEAKS), 0);
	ck_assert_int_eq(cw_diag_destroy(fd, asks, LEAKS), 0); /* an error each, of which most find no room */
	ck_assert_int_eq(cw_diag_get(fd, 0, asks, LEAKS), 0);
	for (size_t i = 0; i < LEAKS; i++)
		ck_assert_int_eq(asks[i].error, -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_diag");
	TCase *tcase = lab_tcase(suite, "room", 60);

	tcase_add_test(tcase, what_finds_no_room_is_asked_again);
	tcase_add_test(tcase, destroyed_all_the_same);
	return lab_main(suite);
}
