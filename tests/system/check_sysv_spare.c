/* SPDX-License-Identifier: Apache-2.0 */
/* What sysv_ipc removes, and what it must not touch: each with an orphan beside it that goes. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lab_check.h"
#include "lab_ipc.h"

static struct lab_ipc ipc;
static struct lab_daemon daemon_;

static void begin(const char *options)
{
	lab_ipc_make(&ipc);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.options = options, .ipc = &ipc});
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	lab_ipc_end(&ipc);
}

static bool exists(enum lab_ipc_kind kind, long id)
{
	return lab_must(&ipc.keeper, deed_ipc_exists, kind, id);
}

/* Made by a process of its own, which is dead by then. */
static long orphan_as(enum lab_ipc_kind kind, long key, long uid)
{
	struct lab_actor creator;
	long id;

	lab_ipc_actor(&ipc, &creator, "crashed", uid);
	id = lab_must(&creator, deed_ipc_get, kind, key, kind == LAB_SEM ? 3 : 10000);
	lab_actor_kill(&creator);
	return id;
}

static long orphan(enum lab_ipc_kind kind)
{
	return orphan_as(kind, 0, LAB_IPC_USER);
}

/* An orphan comes and is reaped, and everything is looked at once more after that. */
static void wait_for_a_reaping(void)
{
	long id = orphan_as(LAB_SHM, 0, LAB_IPC_OTHER);

	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	ck_assert(!exists(LAB_SHM, id));
	lab_daemon_pump(&daemon_, 2200);
}

static void assert_spared(enum lab_ipc_kind kind, long id, const char *reason)
{
	if (reason)
		lab_ipc_expect(&daemon_, "ghost.spared", reason, kind, id);
	ck_assert(exists(kind, id));
	ck_assert_uint_eq(lab_ipc_count(&daemon_, "ghost.reaped", NULL, kind, id), 0);
	ck_assert_uint_eq(lab_ipc_count(&daemon_, "ghost.failed", NULL, kind, id), 0);
}

static void assert_goes(enum lab_ipc_kind kind, long id)
{
	const json_t *event = lab_ipc_expect(&daemon_, "ghost.reaped", NULL, kind, id);
	const json_t *evidence = json_object_get(event, "evidence");

	ck_assert(!exists(kind, id));
	ck_assert_str_eq(json_string_value(json_object_get(event, "action")), "remove");
	ck_assert_int_ge(json_integer_value(json_object_get(event, "age_ms")), 1000);
	ck_assert_int_eq(json_integer_value(json_object_get(evidence, "creator_uid")), LAB_IPC_USER);
	if (kind == LAB_SHM) {
		ck_assert_int_eq(json_integer_value(json_object_get(evidence, "size_bytes")), 10000);
		ck_assert_str_eq(json_string_value(json_object_get(evidence, "creator_comm")), "crashed");
	}
}

START_TEST(an_orphan_goes)
{
	long id[3];

	lab_ipc_make(&ipc);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.ipc = &ipc, .anew = true}); /* it counts from 0 */
	for (int kind = 0; kind < 3; kind++)
		id[kind] = orphan((enum lab_ipc_kind)kind);
	for (int kind = 0; kind < 3; kind++)
		assert_goes((enum lab_ipc_kind)kind, id[kind]);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "bytes_given_back"), 12288);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "segments_given_back"), 1);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "semaphores_given_back"), 3);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "queues_given_back"), 1);
	end();
}
END_TEST

START_TEST(an_orphan_from_before_the_start_goes)
{
	long id;

	lab_ipc_make(&ipc);
	id = orphan(LAB_SHM);
	lab_sleep_ms(2100);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.ipc = &ipc, .anew = true});
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	end();
}
END_TEST

/* Used, and its users are dead: semaphores and queues keep their last users, and the report names one. */
START_TEST(the_dead_last_user_is_named)
{
	struct lab_actor user;
	const json_t *evidence;
	long sem, msg;

	begin(NULL);
	lab_ipc_actor(&ipc, &user, "lastuser", LAB_IPC_USER);
	sem = lab_must(&user, deed_ipc_get, LAB_SEM, 0, 2);
	lab_must(&user, deed_sem_set, sem, 0, 1);
	msg = lab_must(&user, deed_ipc_get, LAB_MSG, 0, 0);
	lab_must(&user, deed_msg_send, msg);
	lab_must(&user, deed_msg_fetch, msg, 0);
	lab_actor_kill(&user);
	evidence = json_object_get(lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SEM, sem), "evidence");
	ck_assert_str_eq(json_string_value(json_object_get(evidence, "user_comm")), "lastuser");
	evidence = json_object_get(lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, msg), "evidence");
	ck_assert_str_eq(json_string_value(json_object_get(evidence, "user_comm")), "lastuser");
	end();
}
END_TEST

START_TEST(attached_elsewhere_stays)
{
	struct lab_actor user;
	long id;

	begin("rules = ( { owner_uid = 1500; } );"); /* not even by rule */
	lab_ipc_actor(&ipc, &user, "reader", LAB_IPC_OTHER);
	id = orphan(LAB_SHM);
	lab_must(&user, deed_shm_attach, id);
	wait_for_a_reaping();
	assert_spared(LAB_SHM, id, "attached");
	ck_assert_int_eq(lab_must(&user, deed_shm_read, 0), 42);
	lab_actor_kill(&user);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	end();
}
END_TEST

START_TEST(removed_already_and_attached_stays)
{
	struct lab_actor user;
	long id;

	begin("rules = ( { owner_uid = 1500; } );");
	lab_ipc_actor(&ipc, &user, "reader", LAB_IPC_OTHER);
	id = orphan(LAB_SHM);
	lab_must(&user, deed_shm_attach, id);
	lab_must(&ipc.keeper, deed_ipc_remove, LAB_SHM, id); /* SHM_DEST */
	wait_for_a_reaping();
	assert_spared(LAB_SHM, id, "attached");
	ck_assert_int_eq(lab_must(&user, deed_shm_read, 0), 42);
	lab_actor_kill(&user);
	end();
}
END_TEST

START_TEST(keyed_stays_unless_a_rule_names_it)
{
	long keyed[3], named[3], prefixed[3], aerospike;

	begin("rules = ( { key = \"0x1234\"; }, { key = \"0x77000000/0xff000000\"; }, { owner_uid = 1700; } );");
	for (int i = 0; i < 3; i++) {
		keyed[i] = orphan_as((enum lab_ipc_kind)i, 0x1235, LAB_IPC_USER);
		named[i] = orphan_as((enum lab_ipc_kind)i, 0x1234, LAB_IPC_USER);
		prefixed[i] = orphan_as((enum lab_ipc_kind)i, 0x77000001, LAB_IPC_USER);
	}
	aerospike = orphan_as(LAB_SHM, (int)0xae001001, 1700);
	for (int i = 0; i < 3; i++) {
		lab_ipc_expect(&daemon_, "ghost.reaped", NULL, (enum lab_ipc_kind)i, named[i]);
		lab_ipc_expect(&daemon_, "ghost.reaped", NULL, (enum lab_ipc_kind)i, prefixed[i]);
		assert_spared((enum lab_ipc_kind)i, keyed[i], "keyed");
	}
	assert_spared(LAB_SHM, aerospike, "kept-on-purpose");
	end();
}
END_TEST

START_TEST(of_a_system_user_stays)
{
	long id;

	begin(NULL);
	id = orphan_as(LAB_SHM, 0, 33);
	wait_for_a_reaping();
	assert_spared(LAB_SHM, id, "system-user");
	end();
}
END_TEST

START_TEST(a_living_creator_or_user_keeps_it)
{
	struct lab_actor creator, user;
	long created, used, sem, msg;

	begin("rules = ( { owner_uid = 1500; } );"); /* not even by rule */
	lab_ipc_actor(&ipc, &creator, "creator", LAB_IPC_USER);
	lab_ipc_actor(&ipc, &user, "user", LAB_IPC_OTHER);
	created = lab_must(&creator, deed_ipc_get, LAB_SHM, 0, 100);
	used = orphan(LAB_SHM);
	lab_must(&user, deed_shm_attach, used);
	lab_must(&user, deed_shm_detach, used);
	sem = orphan(LAB_SEM);
	lab_must(&user, deed_sem_op, sem, 0, 1, 0);
	msg = orphan(LAB_MSG);
	lab_must(&user, deed_msg_send, msg);
	lab_must(&user, deed_msg_fetch, msg, 0);
	wait_for_a_reaping();
	assert_spared(LAB_SHM, created, "user-alive");
	assert_spared(LAB_SHM, used, "user-alive");
	assert_spared(LAB_SEM, sem, "user-alive");
	assert_spared(LAB_MSG, msg, "user-alive");
	lab_actor_kill(&creator);
	lab_actor_kill(&user);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, created);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, used);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SEM, sem);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, msg);
	end();
}
END_TEST

/* Nobody knows who made a set or a queue: whoever may have lives. */
START_TEST(an_unused_set_of_a_user_who_lives_stays)
{
	struct lab_actor elder;
	long id;

	begin(NULL);
	lab_ipc_actor(&ipc, &elder, "elder", LAB_IPC_USER);
	id = orphan((enum lab_ipc_kind)_i);
	wait_for_a_reaping();
	assert_spared((enum lab_ipc_kind)_i, id, "creator-unknown");
	lab_actor_kill(&elder);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, (enum lab_ipc_kind)_i, id);
	end();
}
END_TEST

#define IDLE_MS (3000 * (LAB_PATIENCE_MS / 60000)) /* the timeout below */
#define PAUSE_MS (IDLE_MS * 4 / 15)

struct pair {
	long shm, msg;
	uint64_t used_ms; /* not after their last use */
};

/* The kernel tells of whole seconds only: with more than this behind it, the last use may be over the timeout. */
static bool used_in_time(const struct pair *pair)
{
	return lab_now_ms() - pair->used_ms < IDLE_MS - 1000;
}

/* By a process that dies at once. False: it came too late. */
static bool pair_use(struct pair *pair)
{
	uint64_t begun = lab_now_ms();
	struct lab_actor user;
	long r;
	bool in_time;

	lab_ipc_actor(&ipc, &user, "brief", LAB_IPC_OTHER);
	r = lab_do(&user, deed_shm_attach, pair->shm);
	if (r == 0)
		r = lab_do(&user, deed_msg_send, pair->msg);
	if (r == 0)
		r = lab_do(&user, deed_msg_fetch, pair->msg, 0);
	in_time = used_in_time(pair);
	lab_actor_kill(&user);
	ck_assert_msg(r >= 0 || !in_time, "%s, %llu ms after the last use", strerror((int)-r),
		      (unsigned long long)(begun - pair->used_ms));
	pair->used_ms = begun;
	return in_time;
}

/* False: the machine was too slow. */
static bool pair_use_for_long(struct pair *pair)
{
	uint64_t begun = lab_now_ms();

	*pair = (struct pair){.used_ms = begun};
	pair->shm = orphan(LAB_SHM);
	pair->msg = orphan(LAB_MSG);
	for (; lab_now_ms() - begun < IDLE_MS * 8 / 3; lab_daemon_pump(&daemon_, PAUSE_MS))
		if (!pair_use(pair))
			return false;
	return true;
}

/* Used again and again: never unused for the timeout. */
START_TEST(younger_than_the_timeout_or_just_used_stays)
{
	char timeout[32];
	struct pair pair;
	bool stays, in_time = false;

	lab_ipc_make(&ipc);
	snprintf(timeout, sizeof(timeout), "%ums", IDLE_MS);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.timeout = timeout, .ipc = &ipc});
	for (int i = 0; i < 3 && !in_time; i++) {
		in_time = pair_use_for_long(&pair);
		stays = exists(LAB_SHM, pair.shm) && exists(LAB_MSG, pair.msg);
		in_time &= used_in_time(&pair);
	}
	ck_assert_msg(in_time, "this machine is too slow to use anything every %u ms", IDLE_MS);
	ck_assert(stays);
	ck_assert_uint_eq(lab_ipc_count(&daemon_, "ghost.found", NULL, LAB_SHM, pair.shm), 0);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, pair.shm);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, pair.msg);
	ck_assert_uint_ge(lab_now_ms() - pair.used_ms, IDLE_MS - 1100); /* less what a second hides */
	end();
}
END_TEST

START_TEST(a_receiver_asleep_on_a_never_used_queue_keeps_it)
{
	struct lab_actor server, client;
	long id;

	begin("rules = ( { owner_uid = 1500; } );"); /* not even by rule */
	id = orphan(LAB_MSG);
	lab_ipc_actor(&ipc, &server, "server", LAB_IPC_OTHER);
	lab_start(&server, deed_msg_fetch, id, 1);
	wait_for_a_reaping();
	assert_spared(LAB_MSG, id, "waited-for");
	kill(server.pid, SIGSTOP); /* a stopped sleeper leaves the queue's list, and comes back */
	lab_daemon_pump(&daemon_, 2500);
	assert_spared(LAB_MSG, id, NULL);
	kill(server.pid, SIGCONT);
	lab_ipc_actor(&ipc, &client, "client", LAB_IPC_OTHER);
	lab_must(&client, deed_msg_send, id);
	lab_end(&server);
	lab_actor_kill(&client);
	lab_actor_kill(&server);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, id);
	end();
}
END_TEST

START_TEST(a_semop_sleeper_keeps_the_set)
{
	struct lab_actor server, client;
	long id;

	begin("rules = ( { owner_uid = 1500; } );");
	id = orphan(LAB_SEM);
	lab_ipc_actor(&ipc, &server, "server", LAB_IPC_OTHER);
	lab_start(&server, deed_sem_op, id, 1, -1, 1);
	wait_for_a_reaping();
	assert_spared(LAB_SEM, id, "waited-for");
	lab_ipc_actor(&ipc, &client, "client", LAB_IPC_OTHER);
	lab_must(&client, deed_sem_op, id, 1, 1, 0);
	ck_assert_int_eq(lab_end(&server), 0);
	lab_actor_kill(&client);
	lab_actor_kill(&server);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SEM, id);
	end();
}
END_TEST

START_TEST(a_queue_with_one_message_stays_unless_a_rule_names_it)
{
	struct lab_actor sender;
	long kept, named;

	begin("rules = ( { key = 4711; } );");
	lab_ipc_actor(&ipc, &sender, "sender", LAB_IPC_USER);
	kept = lab_must(&sender, deed_ipc_get, LAB_MSG, 0, 0);
	named = lab_must(&sender, deed_ipc_get, LAB_MSG, 4711, 0);
	lab_must(&sender, deed_msg_send, kept);
	lab_must(&sender, deed_msg_send, named);
	lab_actor_kill(&sender);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, named);
	wait_for_a_reaping();
	assert_spared(LAB_MSG, kept, "has-messages");
	ck_assert_int_eq(lab_must(&ipc.keeper, deed_msg_fetch, kept, 0), 16);
	end();
}
END_TEST

/* The first id of every namespace is 0. */
START_TEST(the_same_id_in_another_namespace_stays)
{
	struct lab_ipc other;
	struct lab_actor creator;
	long id, same;

	lab_ipc_make(&other);
	begin(NULL);
	lab_ipc_actor(&other, &creator, "elsewhere", LAB_IPC_USER);
	same = lab_must(&creator, deed_ipc_get, LAB_SHM, 0, 100);
	lab_actor_kill(&creator);
	id = orphan(LAB_SHM);
	ck_assert_int_eq(id, same);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	ck_assert(!exists(LAB_SHM, id));
	ck_assert_int_eq(lab_must(&other.keeper, deed_ipc_exists, LAB_SHM, same), 1);
	end();
	lab_ipc_end(&other);
}
END_TEST

/* Another process has the creator's pid: it neither saves the segment nor is it named. */
START_TEST(a_recycled_pid_is_neither_blamed_nor_trusted)
{
	struct lab_actor creator;
	const json_t *event, *evidence, *owner;
	pid_t pid;
	long id, r;

	begin(NULL);
	lab_ipc_actor(&ipc, &creator, "crashed", LAB_IPC_USER);
	pid = creator.pid;
	id = lab_must(&creator, deed_ipc_get, LAB_SHM, 0, 100);
	lab_actor_kill(&creator);
	r = lab_do(&ipc.keeper, deed_fork_as, pid);
	ck_assert_msg(r == pid, "no process got pid %d: %ld", pid, r);
	event = lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	evidence = json_object_get(event, "evidence");
	ck_assert_str_eq(json_string_value(json_object_get(evidence, "creator_comm")), "crashed");
	owner = json_array_get(json_object_get(event, "owners"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(owner, "comm")), "crashed");
	ck_assert(json_is_true(json_object_get(owner, "ended")));
	ck_assert_uint_eq(json_array_size(json_object_get(event, "owners")), 1);
	ck_assert_int_eq(kill(pid, 0), 0);
	end();
}
END_TEST

START_TEST(a_creator_in_a_child_pid_namespace)
{
	struct lab_actor alive, dead;
	long kept, gone;

	begin(NULL);
	lab_ipc_actor(&ipc, &alive, "container", 0);
	lab_ipc_actor(&ipc, &dead, "container", 0);
	kept = lab_must(&alive, deed_ipc_in_pid_namespace, LAB_SHM, 0, 100, 1);
	gone = lab_must(&dead, deed_ipc_in_pid_namespace, LAB_SHM, 0, 100, 0);
	lab_daemon_pump(&daemon_, 3000);
	assert_spared(LAB_SHM, kept, "user-alive");
	assert_spared(LAB_SHM, gone, "system-user"); /* root's: dead all the same */
	lab_actor_kill(&alive);
	lab_actor_kill(&dead);
	end();
}
END_TEST

START_TEST(pressure_is_waited_for)
{
	long id;

	begin("pressure = 50;");
	lab_must(&ipc.keeper, deed_limit, LAB_SHM, 4);
	id = orphan(LAB_SHM);
	lab_ipc_expect(&daemon_, "ghost.spared", "no-pressure", LAB_SHM, id);
	ck_assert(exists(LAB_SHM, id));
	lab_must(&ipc.keeper, deed_ipc_get, LAB_SHM, 0, 100); /* root's: 2 of 4 */
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_spare");
	TCase *tcase = lab_tcase(suite, "spare", 120);

	tcase_add_test(tcase, an_orphan_goes);
	tcase_add_test(tcase, an_orphan_from_before_the_start_goes);
	tcase_add_test(tcase, the_dead_last_user_is_named);
	tcase_add_test(tcase, attached_elsewhere_stays);
	tcase_add_test(tcase, removed_already_and_attached_stays);
	tcase_add_test(tcase, keyed_stays_unless_a_rule_names_it);
	tcase_add_test(tcase, of_a_system_user_stays);
	tcase_add_test(tcase, a_living_creator_or_user_keeps_it);
	tcase_add_loop_test(tcase, an_unused_set_of_a_user_who_lives_stays, 1, 3);
	tcase_add_test(tcase, younger_than_the_timeout_or_just_used_stays);
	tcase_add_test(tcase, a_receiver_asleep_on_a_never_used_queue_keeps_it);
	tcase_add_test(tcase, a_semop_sleeper_keeps_the_set);
	tcase_add_test(tcase, a_queue_with_one_message_stays_unless_a_rule_names_it);
	tcase_add_test(tcase, the_same_id_in_another_namespace_stays);
	tcase_add_test(tcase, a_recycled_pid_is_neither_blamed_nor_trusted);
	tcase_add_test(tcase, a_creator_in_a_child_pid_namespace);
	tcase_add_test(tcase, pressure_is_waited_for);
	return lab_main_shared(suite);
}
