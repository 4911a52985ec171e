/* SPDX-License-Identifier: Apache-2.0 */
/* When a look at the dead descriptors is due, what it counts, and what is forgotten: the kernel and the host are played. */
#include <check.h>
#include <stdlib.h>

#include "tcp_close_wait/aftermath.c" /* the very units: a plugin has no library to link */
#include "tcp_close_wait/holders.c"

#define S ((uint64_t)GB_SECOND)

static struct cw cw;
static uint64_t now_ns, woken_ns;
static int32_t ended_pid;
static size_t added, room, removed, tellings;
static struct gb_aftermath told[8];

int cw_kernel_released_add(const struct cw_kernel *kernel, const uint64_t *socks, const uint64_t *cookies,
			   uint32_t *count)
{
	bool fits = *count <= room - added;

	(void)kernel;
	for (uint32_t i = 0; i < *count; i++)
		ck_assert(socks[i] && cookies[i]);
	*count = fits ? *count : (uint32_t)(room - added);
	added += *count;
	return fits ? 0 : -E2BIG;
}

void cw_kernel_released_remove(const struct cw_kernel *kernel, uint64_t sock, uint64_t cookie)
{
	(void)kernel;
	(void)sock;
	(void)cookie;
	removed++;
}

void cw_kernel_tell_released(const struct cw_kernel *kernel, bool holders_of_released)
{
	(void)kernel;
	(void)holders_of_released;
}

void cw_kernel_want_dead_inode(const struct cw_kernel *kernel, uint32_t inode)
{
	(void)kernel;
	(void)inode;
}

void cw_kernel_unwant_inode(const struct cw_kernel *kernel, uint32_t inode)
{
	(void)kernel;
	(void)inode;
}

int cw_kernel_pass(const struct cw_kernel *kernel, enum cw_pass pass)
{
	(void)kernel;
	(void)pass;
	return -1;
}

static uint64_t host_now(const struct gb_host *host)
{
	(void)host;
	return now_ns;
}

static int host_wake(const struct gb_host *host, uint64_t when_ns)
{
	(void)host;
	woken_ns = when_ns;
	return 0;
}

static int host_number(const struct gb_host *host, const char *name, uint64_t value)
{
	(void)host;
	(void)name;
	(void)value;
	return 0;
}

static int host_aftermath(const struct gb_host *host, const struct gb_aftermath *aftermath)
{
	(void)host;
	ck_assert_uint_lt(tellings, GB_COUNT(told));
	told[tellings++] = *aftermath;
	return aftermath->pid == ended_pid ? -ESRCH : 0;
}

static const struct gb_host host = {.struct_size = sizeof(host),
				    .now_ns = host_now,
				    .wake_at = host_wake,
				    .number = host_number,
				    .aftermath = host_aftermath};

static void make(void)
{
	cw = (struct cw){.host = &host, .kernel.looks = true, .sweep.holders.fd = -1};
	now_ns = 1000 * S;
	ended_pid = 0;
	added = removed = tellings = 0;
	room = SIZE_MAX;
}

static void unmake(void)
{
	cw_aftermath_fini(&cw.aftermath);
	free(cw.sweep.holders.items);
}

static void release(uint64_t sock, uint64_t cookie, int32_t pid)
{
	cw_aftermath_note(&cw, &(struct cw_dead){.id = sock, .cookie = cookie, .pid = pid, .start_ticks = 1}, 7);
}

/* Descriptors that the pass finds, in the order of their ids. */
static void holds(uint64_t sock, uint64_t cookie, int32_t pid)
{
	const struct cw_holding holding = {.id = sock,
					   .start_ns = 10000000,
					   .tgid = pid,
					   .flags = CW_HOLDING_DEAD,
					   .cookie_half = (uint32_t)cookie};

	ck_assert_int_eq(holding_take(&holding, &cw.sweep.holders), 0);
}

static void look(void)
{
	tellings = 0;
	cw_aftermath_begin(&cw, now_ns);
	cw_aftermath_end(&cw, true);
	while (cw_aftermath_take(&cw, 0)) /* one slice after another, each with its time over */
		;
	cw.sweep.holders.count = 0;
}

START_TEST(seconds_after_the_release)
{
	ck_assert_uint_eq(cw_aftermath_next(&cw), UINT64_MAX);
	release(1, 11, 100);
	ck_assert_uint_eq(woken_ns, now_ns + REACTION_NS + GATHER_NS);
	ck_assert_uint_eq(cw_aftermath_next(&cw), woken_ns);
	ck_assert(!cw_aftermath_due(&cw, woken_ns - 1));
	ck_assert(cw_aftermath_due(&cw, woken_ns));
	look(); /* a scan looks for holders anyway, and too early */
	ck_assert_uint_eq(tellings, 0);
	ck_assert_uint_eq(cw.aftermath.count, 1);
	now_ns = woken_ns;
	look();
	ck_assert_uint_eq(tellings, 1);
	ck_assert_int_eq(told[0].pid, 100);
	ck_assert_uint_eq(told[0].reacted, 1);
	ck_assert_uint_eq(told[0].dead, 0);
	ck_assert_uint_eq(told[0].flags, 0);
	ck_assert_uint_eq(cw.aftermath.reacted, 1);
	ck_assert_uint_eq(removed, 1);
	ck_assert_uint_eq(cw_aftermath_next(&cw), UINT64_MAX);
}
END_TEST

START_TEST(again_with_growing_distance)
{
	static const uint64_t wait_s[] = {60, 600, 3600, 3600};

	release(1, 11, 100);
	now_ns = cw_aftermath_next(&cw);
	for (size_t i = 0; i < GB_COUNT(wait_s); i++) {
		holds(1, 11, 100);
		holds(1, 11, 100); /* a duplicate */
		look();
		ck_assert_uint_eq(tellings, 1);
		ck_assert_uint_eq(told[0].dead, 2);
		ck_assert_uint_eq(cw.aftermath.dead, 2);
		ck_assert_uint_eq(cw_aftermath_next(&cw), now_ns + wait_s[i] * S);
		now_ns = cw_aftermath_next(&cw);
	}
	look();
	ck_assert_uint_eq(told[0].reacted, 1);
	ck_assert_uint_eq(told[0].dead, 0);
	ck_assert_uint_eq(HASH_COUNT(cw.aftermath.carriers), 0);
}
END_TEST

/* While thousands are released, the looks are REACTION_NS apart, and what is new does not count yet. */
START_TEST(while_releases_go_on)
{
	size_t looks = 0;

	for (uint64_t i = 1; i <= 3000; i++) {
		release(i, i, 100);
		now_ns += S / 100;
		if (!cw_aftermath_due(&cw, now_ns))
			continue;
		for (uint64_t held = 1; held <= i; held++)
			holds(held, held, 100);
		look();
		looks++;
		ck_assert_uint_ge(cw.aftermath.dead, 100);
		ck_assert_uint_le(cw.aftermath.dead, i - 499);
		ck_assert_uint_ge(cw_aftermath_next(&cw), now_ns + REACTION_NS);
	}
	ck_assert_uint_ge(looks, 5);
	ck_assert_uint_le(looks, 6);
}
END_TEST

/* Its memory is another socket's by now, which was released as well. */
START_TEST(an_address_that_is_used_again)
{
	release(1, 11, 100);
	release(1, 22, 200);
	now_ns += REACTION_NS + GATHER_NS;
	holds(1, 22, 200);
	look();
	ck_assert_uint_eq(tellings, 2);
	ck_assert_uint_eq(cw.aftermath.count, 1);
	ck_assert_uint_eq(cw.aftermath.items[0].cookie, 22);
	ck_assert_uint_eq(cw.aftermath.reacted, 1);
	ck_assert_uint_eq(cw.aftermath.dead, 1);
}
END_TEST

START_TEST(who_has_ended_has_not_reacted)
{
	release(1, 11, 100);
	release(2, 22, 200);
	now_ns += REACTION_NS + GATHER_NS;
	ended_pid = 100;
	look();
	ck_assert_uint_eq(tellings, 2);
	ck_assert_uint_eq(cw.aftermath.reacted, 1);
}
END_TEST

START_TEST(by_inode_it_may_be_so)
{
	cw.kernel.looks = false;
	release(1, 11, 100);
	ck_assert_uint_eq(cw.aftermath.items[0].id, 7);
	ck_assert_uint_eq(added, 0);
	now_ns += REACTION_NS + GATHER_NS;
	holds(7, 0, 100);
	look();
	ck_assert_uint_eq(told[0].flags, GB_AFTERMATH_UNSURE);
	ck_assert_uint_eq(told[0].dead, 1);
}
END_TEST

START_TEST(no_more_than_there_is_room_for)
{
	for (uint64_t i = 1; i <= CW_RELEASED_MAX + 10; i++)
		release(i, i, 100);
	ck_assert_uint_eq(cw.aftermath.count, CW_RELEASED_MAX);
	ck_assert_uint_eq(cw.aftermath.unfollowed, 10);
	now_ns += REACTION_NS + GATHER_NS;
	cw_aftermath_begin(&cw, now_ns);
	ck_assert_uint_eq(added, CW_RELEASED_MAX);
}
END_TEST

/* What the kernel does not take is not followed, and nobody is said to have let go of it. */
START_TEST(the_kernel_has_no_room)
{
	for (uint64_t i = 1; i <= 10000; i++)
		release(i, i, 100);
	room = 9000;
	now_ns += REACTION_NS + GATHER_NS;
	look();
	ck_assert_uint_eq(cw.aftermath.unfollowed, 1000);
	ck_assert_uint_eq(tellings, 1);
	ck_assert_uint_eq(told[0].reacted, 9000);
	ck_assert_uint_eq(cw.aftermath.count, 0);
}
END_TEST

/* A kernel that was told once is told no more, but for programs that were loaded anew. */
START_TEST(told_once)
{
	release(1, 11, 100);
	now_ns += REACTION_NS + GATHER_NS;
	holds(1, 11, 100);
	look();
	ck_assert_uint_eq(added, 1);
	now_ns = cw_aftermath_next(&cw);
	release(2, 12, 100);
	holds(2, 12, 100);
	look();
	ck_assert_uint_eq(added, 2);
	cw_aftermath_reload(&cw, true);
	release(3, 13, 100);
	now_ns = cw_aftermath_next(&cw);
	look();
	ck_assert_uint_eq(added, 4);
}
END_TEST

/* A pass that failed, or a reload in the middle, loses nothing. */
START_TEST(broken_off)
{
	for (uint64_t i = 1; i <= 1000; i++)
		release(i, i, 100);
	now_ns += REACTION_NS + GATHER_NS;
	for (uint64_t i = 1; i <= 1000; i += 2)
		holds(i, i, 100);
	cw_aftermath_begin(&cw, now_ns);
	cw_aftermath_end(&cw, true);
	ck_assert_int_eq(cw_aftermath_take(&cw, 0), 1);
	ck_assert_uint_lt(cw.aftermath.kept, cw.aftermath.at);
	cw_aftermath_end(&cw, false);
	ck_assert_uint_eq(cw_aftermath_next(&cw), now_ns + REACTION_NS);
	now_ns = cw_aftermath_next(&cw);
	look();
	ck_assert_uint_eq(cw.aftermath.count, 500);
	cw_aftermath_reload(&cw, false);
	ck_assert_uint_eq(cw.aftermath.count, 0);
	ck_assert_uint_eq(cw.aftermath.unfollowed, 500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close_wait_aftermath");
	TCase *tests = tcase_create("aftermath");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, make, unmake);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, seconds_after_the_release);
	tcase_add_test(tests, again_with_growing_distance);
	tcase_add_test(tests, while_releases_go_on);
	tcase_add_test(tests, an_address_that_is_used_again);
	tcase_add_test(tests, who_has_ended_has_not_reacted);
	tcase_add_test(tests, by_inode_it_may_be_so);
	tcase_add_test(tests, no_more_than_there_is_room_for);
	tcase_add_test(tests, the_kernel_has_no_room);
	tcase_add_test(tests, told_once);
	tcase_add_test(tests, broken_off);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
