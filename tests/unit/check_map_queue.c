/* SPDX-License-Identifier: Apache-2.0 */
/* Many elements in one system call: in order, all of them, and around those that fail. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "support/map_queue.c" /* the very unit: a plugin has no library to link */

#define KEYS 10000
#define MAP 7

static int8_t held[KEYS]; /* -1: it is not in the map */
static uint64_t refused;  /* this key fails */
static unsigned int calls;
static struct map_queue queue;

static void make(void)
{
	for (int i = 0; i < KEYS; i++)
		held[i] = -1;
	refused = KEYS;
	calls = 0;
}

/* As the kernel: up to the one that fails. */
static int batch(int map, const uint64_t *keys, const uint8_t *values, uint32_t *count)
{
	uint32_t wanted = *count;

	ck_assert_int_eq(map, MAP);
	calls++;
	for (*count = 0; *count < wanted; ++*count) {
		uint64_t key = keys[*count];

		ck_assert_uint_lt(key, KEYS);
		if (key == refused || (!values && held[key] < 0))
			return values ? -E2BIG : -ENOENT;
		held[key] = values ? (int8_t)values[*count] : -1;
	}
	return 0;
}

int bpf_map_update_batch(int map, const void *keys, const void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	ck_assert_ptr_null(opts);
	return batch(map, keys, values, count);
}

int bpf_map_delete_batch(int map, const void *keys, __u32 *count, const struct bpf_map_batch_opts *opts)
{
	ck_assert_ptr_null(opts);
	return batch(map, keys, NULL, count);
}

START_TEST(all_in_few_calls)
{
	for (uint64_t key = 0; key < KEYS; key++)
		map_queue_put(&queue, MAP, true, key, (uint8_t)(1 + key % 2));
	ck_assert_uint_eq(calls, KEYS / MAP_QUEUE_MAX);
	map_queue_flush(&queue);
	map_queue_flush(&queue);
	ck_assert_uint_eq(calls, KEYS / MAP_QUEUE_MAX + 1);
	for (int i = 0; i < KEYS; i++)
		ck_assert_int_eq(held[i], 1 + i % 2);
}
END_TEST

START_TEST(in_order)
{
	map_queue_put(&queue, MAP, true, 5, 1);
	map_queue_put(&queue, MAP, false, 5, 0);
	map_queue_put(&queue, MAP, true, 6, 2);
	map_queue_put(&queue, MAP, false, 6, 0);
	map_queue_put(&queue, MAP, true, 6, 1);
	map_queue_flush(&queue);
	ck_assert_int_eq(held[5], -1);
	ck_assert_int_eq(held[6], 1);
}
END_TEST

START_TEST(around_what_fails)
{
	refused = 3;
	for (uint64_t key = 0; key < 6; key++)
		map_queue_put(&queue, MAP, true, key, 1);
	map_queue_flush(&queue);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(held[i], i == 3 ? -1 : 1);
	for (uint64_t key = 0; key < 6; key++)
		map_queue_put(&queue, MAP, false, key, 0);
	map_queue_flush(&queue);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(held[i], -1);
	ck_assert_uint_eq(calls, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map_queue");
	TCase *tests = tcase_create("map_queue");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, make, NULL);
	tcase_add_test(tests, all_in_few_calls);
	tcase_add_test(tests, in_order);
	tcase_add_test(tests, around_what_fails);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
