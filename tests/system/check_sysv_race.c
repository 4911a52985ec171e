/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody attaches a segment at the moment of its removal, over and over: whoever got it keeps its memory whole, and whoever
 * did not is told so by the kernel. Nothing else can happen, and nothing else is promised.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "lab_check.h"
#include "lab_ipc.h"

#define SEGMENTS 400
#define SEGMENT_SIZE 8192

static struct lab_ipc ipc;
static struct lab_daemon daemon_;

struct round {
	unsigned int attached, refused, gone;
	int broken; /* an attached segment that was not whole, or another error than "it is gone" */
};

/* Attaches one segment, and looks whether it is whole and stays. */
static void chase_one(struct round *round, int id, int number)
{
	struct shmid_ds seen;
	unsigned char *memory = shmat(id, NULL, 0);

	if (memory == (void *)-1) {
		if (errno == EINVAL || errno == EIDRM)
			round->refused++;
		else
			round->broken = errno;
		return;
	}
	round->attached++;
	usleep(200);
	for (int at = 0; at < SEGMENT_SIZE; at++)
		if (memory[at] != (unsigned char)(number + at))
			round->broken = -1;
	memset(memory, 1, SEGMENT_SIZE);
	if (shmctl(id, IPC_STAT, &seen) < 0)
		round->broken = -2; /* it must be there for as long as it is attached */
	else if (seen.shm_perm.mode & SHM_DEST)
		round->gone++;
	shmdt(memory);
}

static bool is_there(int id)
{
	struct shmid_ds seen;

	return shmctl(id, IPC_STAT, &seen) == 0;
}

/* The daemon goes through them from one end; each time one vanishes the next is attached, after a short while or none. */
static long deed_chase(const long *args)
{
	struct round *round = (struct round *)args[0];
	const int *ids = (const int *)args[1];
	uint64_t end = lab_now_ms() + 30000;
	bool forwards;

	while (is_there(ids[0]) && is_there(ids[SEGMENTS - 1]) && lab_now_ms() < end)
		;
	forwards = !is_there(ids[0]);
	for (int i = 1; i < SEGMENTS; i++) {
		int at = forwards ? i : SEGMENTS - 1 - i, before = forwards ? at - 1 : at + 1;

		/* One that was attached stays; the daemon is at work behind it. */
		for (int tries = 0; is_there(ids[before]) && is_there(ids[at]) && tries < 500; tries++)
			;
		for (volatile int spin = 0; spin < i % 16 * 1000; spin++)
			;
		chase_one(round, ids[at], at);
	}
	return 0;
}

static long deed_fill_segments(const long *args)
{
	int *ids = (int *)args[0];

	for (int i = 0; i < SEGMENTS; i++) {
		unsigned char *memory;

		ids[i] = shmget(IPC_PRIVATE, SEGMENT_SIZE, IPC_CREAT | 0666);
		memory = shmat(ids[i], NULL, 0);
		if (memory == (void *)-1)
			return -errno;
		for (int at = 0; at < SEGMENT_SIZE; at++)
			memory[at] = (unsigned char)(i + at);
		shmdt(memory);
	}
	return 0;
}

START_TEST(who_attaches_in_time_keeps_the_memory)
{
	struct lab_actor creator, chaser;
	struct round *round;
	int *ids;

	/* Shared with the actors, which are forks. */
	ids = mmap(NULL, SEGMENTS * sizeof(*ids), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	round = mmap(NULL, sizeof(*round), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	lab_ipc_make(&ipc);
	lab_ipc_actor(&ipc, &creator, "crashed", LAB_IPC_USER);
	lab_ipc_actor(&ipc, &chaser, "chaser", LAB_IPC_OTHER);
	lab_must(&creator, deed_fill_segments, (long)ids);
	lab_actor_kill(&creator);
	lab_ipc_daemon_start(
		&daemon_,
		&(struct lab_ipc_setup){.ipc = &ipc, .guard = "rate = 100000; burst = 100000; failures = 1000;"});
	lab_start(&chaser, deed_chase, (long)round, (long)ids);
	lab_daemon_pump(&daemon_, 3000);
	ck_assert_int_eq(lab_end(&chaser), 0);
	lab_actor_kill(&chaser);
	printf("attached %u (of these removed under it %u), came too late %u\n", round->attached, round->gone,
	       round->refused);
	ck_assert_int_eq(round->broken, 0);
	ck_assert_uint_eq(round->attached + round->refused, SEGMENTS - 1);
	/* When the chaser is dead, all that it kept goes, too. */
	for (int i = 0; i < SEGMENTS; i++)
		for (uint64_t end = lab_now_ms() + 20000; lab_must(&ipc.keeper, deed_ipc_exists, LAB_SHM, ids[i]);) {
			ck_assert_msg(lab_now_ms() < end, "segment %d is left", i);
			lab_daemon_pump(&daemon_, 100);
		}
	lab_daemon_stop(&daemon_);
	lab_ipc_end(&ipc);
}
END_TEST

/* A namespace dies while it is looked at: skipped, and nobody is the worse for it. */
START_TEST(a_namespace_that_vanishes_is_skipped)
{
	struct lab_actor creator;
	long id;

	lab_ipc_make(&ipc);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.ipc = &ipc});
	for (int i = 0; i < 8; i++) {
		struct lab_ipc brief;

		lab_ipc_make(&brief);
		lab_must(&brief.keeper, deed_ipc_get, LAB_SHM, 0, 100);
		lab_daemon_pump(&daemon_, 100);
		lab_ipc_end(&brief);
	}
	lab_ipc_actor(&ipc, &creator, "crashed", LAB_IPC_USER);
	id = lab_must(&creator, deed_ipc_get, LAB_SHM, 0, 100);
	lab_actor_kill(&creator);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	lab_daemon_stop(&daemon_);
	lab_ipc_end(&ipc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_race");
	TCase *tcase = lab_tcase(suite, "race", 120);

	tcase_add_test(tcase, who_attaches_in_time_keeps_the_memory);
	tcase_add_test(tcase, a_namespace_that_vanishes_is_skipped);
	return lab_main(suite);
}
