/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the objects are: who made them, who used them last, who may yet; and that it counts when they are dead. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <eghostbuster/plugin.h>

#include "cleanup.h"
#include "lab_check.h"
#include "lab_ipc.h"

static struct lab_ipc ipc;
static struct lab_daemon daemon_;

static void begin(const char *options, const char *guard)
{
	lab_ipc_make(&ipc);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.options = options, .guard = guard, .ipc = &ipc});
}

static void end(void)
{
	lab_daemon_stop(&daemon_);
	lab_ipc_end(&ipc);
}

static const char *evidence_text(const json_t *event, const char *name)
{
	const char *text = json_string_value(json_object_get(json_object_get(event, "evidence"), name));

	return text ? text : "(none)";
}

static json_int_t evidence_number(const json_t *event, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(event, "evidence"), name));
}

static const char *owner_text(const json_t *event, size_t i, const char *name)
{
	const json_t *owner = json_array_get(json_object_get(event, "owners"), i);
	const char *text = json_string_value(json_object_get(owner, name));

	ck_assert(!owner || json_is_true(json_object_get(owner, "ended")));
	return text ? text : "(none)";
}

/* This program, which all actors are; of a dead process it is known since Linux 6.1. */
static const char *program(void)
{
	static char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int major = 0, minor = 0;
	struct utsname name;

	ck_assert_int_gt(length, 0);
	path[length] = 0;
	ck_assert_int_eq(uname(&name), 0);
	ck_assert_int_eq(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 1) ? path : "(none)";
}

static const json_t *made_and_reaped(enum lab_ipc_kind kind, pid_t *ret_pid)
{
	struct lab_actor maker;
	long id;

	lab_ipc_actor(&ipc, &maker, "maker", LAB_IPC_USER);
	*ret_pid = maker.pid;
	id = lab_must(&maker, deed_ipc_get, kind, 0, 3);
	lab_actor_kill(&maker);
	return lab_ipc_expect(&daemon_, "ghost.reaped", NULL, kind, id);
}

/* The kernel keeps no creator of them, and nobody has used them. */
START_TEST(the_creator_is_named)
{
	const json_t *event;
	pid_t pid;

	begin(NULL, NULL);
	event = made_and_reaped((enum lab_ipc_kind)_i, &pid);
	/* Before 6.16 the program is unknown when somebody else held the address space in this moment: a reader of /proc. */
	for (int i = 0; i < 3 && strcmp(evidence_text(event, "creator_exe"), program()) != 0; i++)
		event = made_and_reaped((enum lab_ipc_kind)_i, &pid);
	ck_assert_str_eq(evidence_text(event, "creator_comm"), "maker");
	ck_assert_int_eq(evidence_number(event, "creator_pid"), pid);
	ck_assert_str_eq(evidence_text(event, "creator_exe"), program());
	ck_assert_int_eq(evidence_number(event, "creator_candidates"), _i == LAB_SHM ? 0 : 1);
	ck_assert_str_eq(owner_text(event, 0, "comm"), "maker");
	ck_assert_str_eq(owner_text(event, 0, "exe"), program());
	end();
}
END_TEST

static ino_t namespace_number(void)
{
	struct stat status;

	lab_works(stat(ipc.path, &status) == 0, "%s", ipc.path);
	return status.st_ino;
}

/* A new namespace, if possible with that number, which is free in a moment; else less is asked. */
static void namespace_again(ino_t number)
{
	lab_ipc_make(&ipc);
	for (int i = 0; i < 50 && namespace_number() != number; i++) {
		lab_ipc_end(&ipc);
		lab_sleep_ms(20);
		lab_ipc_make(&ipc);
	}
}

/* To the namespace that is there now. */
static void change_over(void)
{
	lab_ipc_daemon_configure(&daemon_, &(struct lab_ipc_setup){.ipc = &ipc});
	json_array_clear(daemon_.events);
	lab_daemon_reload(&daemon_);
}

/* The numbers of namespaces and the ids in them are used again: what is known of the one is not true of the other. */
START_TEST(a_namespace_with_the_number_of_another)
{
	const json_t *event;
	ino_t number;
	pid_t pid;

	begin(NULL, NULL);
	made_and_reaped(LAB_MSG, &pid);
	number = namespace_number();
	lab_ipc_end(&ipc);
	namespace_again(number);
	change_over();
	event = made_and_reaped(LAB_MSG, &pid);
	ck_assert_str_eq(evidence_text(event, "creator_comm"), "maker");
	ck_assert_int_eq(evidence_number(event, "creator_pid"), pid);
	ck_assert_int_eq(evidence_number(event, "creator_candidates"), 1);
	end();
}
END_TEST

static long made_and_gone(const char *comm)
{
	struct lab_actor maker;
	long id;

	lab_ipc_actor(&ipc, &maker, comm, LAB_IPC_USER);
	id = lab_must(&maker, deed_ipc_get, LAB_MSG, 0, 0);
	lab_actor_kill(&maker);
	return id;
}

/* -> the id in the second; negative: somebody else has the number now. */
static long two_with_the_same_number(void)
{
	ino_t number;

	lab_ipc_make(&ipc);
	lab_ipc_daemon_start(&daemon_, &(struct lab_ipc_setup){.timeout = "1h", .ipc = &ipc});
	made_and_gone("former");
	number = namespace_number();
	lab_ipc_end(&ipc);
	namespace_again(number);
	if (namespace_number() == number)
		return made_and_gone("maker");
	end();
	return -1;
}

/* Both are made, and both makers end, between two scans. Objects at the same address are not told apart: spared, and again. */
START_TEST(of_two_namespaces_with_the_same_number)
{
	const json_t *event;
	long id;

	for (int i = 0;; i++) {
		ck_assert_int_lt(i, 8);
		id = two_with_the_same_number();
		if (id < 0)
			continue;
		change_over();
		event = lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, id);
		if (evidence_number(event, "creator_candidates") == 1)
			break;
		ck_assert_str_eq(evidence_text(event, "creator_comm"), "(none)");
		end();
	}
	ck_assert_str_eq(evidence_text(event, "creator_comm"), "maker");
	end();
}
END_TEST

START_TEST(of_several_who_may_have_made_it_none_is_named)
{
	struct lab_actor maker, other, later;
	const json_t *event;
	long id;

	begin(NULL, NULL);
	lab_ipc_actor(&ipc, &maker, "maker", LAB_IPC_USER);
	lab_ipc_actor(&ipc, &other, "other", LAB_IPC_USER);
	id = lab_must(&maker, deed_ipc_get, _i, 0, 3);
	lab_actor_kill(&other);
	lab_actor_kill(&maker);
	lab_ipc_actor(&ipc, &later, "later", LAB_IPC_OTHER); /* of another user, and younger */
	lab_actor_kill(&later);
	event = lab_ipc_expect(&daemon_, "ghost.reaped", NULL, (enum lab_ipc_kind)_i, id);
	ck_assert_int_eq(evidence_number(event, "creator_candidates"), 2);
	ck_assert_str_eq(evidence_text(event, "creator_comm"), "(none)");
	end();
}
END_TEST

/* Nobody lives of whom an exemption could hold; but it is known whose it was. */
START_TEST(an_exemption_holds_for_the_dead)
{
	struct lab_actor maker, other;
	long made, used, orphan;

	begin("rules = ( { owner_uid = 1500; } );", "exempt = ( { comm = \"precious\"; } );");
	lab_ipc_actor(&ipc, &other, "maker", LAB_IPC_OTHER);
	used = lab_must(&other, deed_ipc_get, LAB_SHM, 0, 100);
	orphan = lab_must(&other, deed_ipc_get, _i, 0, 3);
	lab_ipc_actor(&ipc, &maker, "precious", LAB_IPC_USER);
	made = lab_must(&maker, deed_ipc_get, _i, 0, 3);
	lab_must(&maker, deed_shm_attach, used);
	lab_must(&maker, deed_shm_detach, used);
	lab_actor_kill(&other);
	lab_actor_kill(&maker);
	lab_ipc_expect(&daemon_, "ghost.spared", "exempt", (enum lab_ipc_kind)_i, made);
	lab_ipc_expect(&daemon_, "ghost.spared", "exempt", LAB_SHM, used);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, (enum lab_ipc_kind)_i, orphan);
	lab_daemon_pump(&daemon_, 1500);
	ck_assert_int_eq(lab_must(&ipc.keeper, deed_ipc_exists, _i, made), 1);
	ck_assert_int_eq(lab_must(&ipc.keeper, deed_ipc_exists, LAB_SHM, used), 1);
	end();
}
END_TEST

/* The kernel remembers the last user alone; one before holds the semaphore, and lives. */
START_TEST(who_has_something_to_undo_keeps_the_set)
{
	struct lab_actor holder, last;
	const json_t *event;
	long id;

	begin("rules = ( { owner_uid = 1600; } );", NULL); /* not even by rule */
	lab_ipc_actor(&ipc, &last, "last", LAB_IPC_OTHER);
	id = lab_must(&last, deed_ipc_get, LAB_SEM, 0, 1);
	lab_ipc_actor(&ipc, &holder, "holder", LAB_IPC_USER);
	lab_must(&holder, deed_sem_op, id, 0, 1, 0, 1);
	lab_must(&last, deed_sem_op, id, 0, 1, 0, 0);
	lab_actor_kill(&last);
	lab_ipc_expect(&daemon_, "ghost.spared", "user-alive", LAB_SEM, id);
	lab_daemon_pump(&daemon_, 2500);
	ck_assert_int_eq(lab_must(&ipc.keeper, deed_ipc_exists, LAB_SEM, id), 1);
	lab_actor_kill(&holder); /* the undoing makes it the last user, when it is dead already */
	event = lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SEM, id);
	ck_assert_str_eq(evidence_text(event, "user_comm"), "holder");
	end();
}
END_TEST

/* A process whose first thread has ended is as good a creator as any. */
START_TEST(a_process_without_its_first_thread_may_be_the_creator)
{
	struct lab_actor parent, maker;
	long id;

	begin(NULL, NULL);
	lab_ipc_actor(&ipc, &parent, "parent", 0);
	lab_must(&parent, deed_fork_headless, LAB_IPC_USER);
	lab_sleep_ms(100);
	lab_ipc_actor(&ipc, &maker, "maker", LAB_IPC_USER);
	id = lab_must(&maker, deed_ipc_get, LAB_MSG, 0, 0);
	lab_actor_kill(&maker);
	lab_ipc_expect(&daemon_, "ghost.spared", "creator-unknown", LAB_MSG, id);
	ck_assert_int_eq(lab_must(&ipc.keeper, deed_ipc_exists, LAB_MSG, id), 1);
	lab_actor_kill(&parent);
	lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_MSG, id);
	end();
}
END_TEST

/* Everything that is pinned here shares one processor. */
static long deed_pin(const long *args)
{
	cpu_set_t set;

	(void)args;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* A child runs every few moments, before anybody else, until this process ends. */
static long deed_interrupt(const long *args)
{
	const struct sched_param first = {.sched_priority = 1};
	const struct timespec moment = {.tv_nsec = 100000};
	pid_t pid;

	if (deed_pin(args) < 0 || sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		return -errno;
	pid = lab_fork();
	while (pid == 0)
		nanosleep(&moment, NULL);
	return pid;
}

/* So much that its end takes a while. */
static long deed_grow(const long *args)
{
	size_t size = (size_t)args[0];
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
	return 0;
}

#define GROWN (8L << 20)

static const json_t *detached_by_dying_and_reaped(void)
{
	struct lab_actor maker, server, client, other;
	long id;

	lab_ipc_actor(&ipc, &maker, "maker", LAB_IPC_USER);
	id = lab_must(&maker, deed_ipc_get, LAB_SHM, 0, 100);
	lab_ipc_actor(&ipc, &server, "server", LAB_IPC_USER);
	lab_ipc_actor(&ipc, &client, "client", LAB_IPC_OTHER);
	lab_must(&server, deed_shm_attach, id);
	lab_actor_kill(&maker);
	lab_must(&server, deed_grow, GROWN);
	lab_must(&server, deed_pin, 0);
	lab_must(&client, deed_shm_attach, id);
	lab_must(&client, deed_shm_detach, id);
	lab_actor_kill(&client);
	lab_actor_start(&other, NULL, "other");
	lab_must(&other, deed_interrupt, 0);
	lab_actor_kill(&server);
	lab_actor_kill(&other);
	return lab_ipc_expect(&daemon_, "ghost.reaped", NULL, LAB_SHM, id);
}

/* Its last detachment is part of its end, in the midst of which others run. */
START_TEST(who_detaches_by_dying_is_named)
{
	const json_t *event;

	begin(NULL, NULL);
	event = detached_by_dying_and_reaped();
	/* As in the_creator_is_named. */
	for (int i = 0; i < 2 && strcmp(evidence_text(event, "user_exe"), program()) != 0; i++)
		event = detached_by_dying_and_reaped();
	ck_assert_str_eq(evidence_text(event, "creator_comm"), "maker");
	ck_assert_str_eq(evidence_text(event, "user_comm"), "server");
	ck_assert_str_eq(evidence_text(event, "user_exe"), program());
	ck_assert_str_eq(owner_text(event, 1, "comm"), "server");
	end();
}
END_TEST

#define SERVICE "eghostbuster-lab.service"

static const struct {
	const char *name, *type, *options;
} hierarchies[] = {
	{"cgroup v2", "cgroup2", NULL},
	{"cgroup v1 as systemd uses it", "cgroup", "none,name=systemd"},
};

static char service[96];

static long deed_enter_service(const long *args)
{
	_cleanup_close_ int fd = -1;
	char path[128];

	(void)args;
	snprintf(path, sizeof(path), "%s/cgroup.procs", service);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, "0", 1) < 0 ? -errno : 0;
}

/* In a mount namespace of its own, which every test has; one left behind by a test that was killed is empty, and is used. */
static bool service_make(int hierarchy)
{
	const char *mount_point = LAB_DIR "/cgroup";

	lab_works(mkdir(mount_point, 0755) == 0, "%s", mount_point);
	if (mount("none", mount_point, hierarchies[hierarchy].type, 0, hierarchies[hierarchy].options) < 0) {
		printf("not on this kernel: %s\n", hierarchies[hierarchy].name);
		return false;
	}
	snprintf(service, sizeof(service), "%s/" SERVICE, mount_point);
	lab_works(mkdir(service, 0755) == 0 || errno == EEXIST, "%s", service);
	return true;
}

static void service_remove(void)
{
	int r = -1;

	for (int i = 0; i < 200 && (r = rmdir(service)) < 0 && errno == EBUSY; i++)
		lab_sleep_ms(10);
	lab_works(r == 0, "removing %s", service);
}

/* systemd removes the cgroup with the last process in it: when the daemon looks, there is none. */
START_TEST(the_unit_is_named_when_its_cgroup_is_gone)
{
	enum lab_ipc_kind kind = _i % 2 ? LAB_MSG : LAB_SHM;
	struct lab_actor maker;
	const json_t *event;
	long id;

	/* A rule by unit opens what is only done by rule; for a queue it is not known for sure who made it. */
	begin("rules = ( { unit = \"eghostbuster-*.service\"; } );", NULL);
	if (!service_make(_i / 2)) {
		end();
		return;
	}
	lab_ipc_actor(&ipc, &maker, "maker", 0);
	lab_must(&maker, deed_enter_service, 0);
	lab_must(&maker, deed_setuid, LAB_IPC_USER);
	id = lab_must(&maker, deed_ipc_get, kind, kind == LAB_SHM ? 0x4242 : 0, 3);
	lab_actor_kill(&maker);
	service_remove();
	event = lab_ipc_expect(&daemon_, "ghost.reaped", NULL, kind, id);
	ck_assert_str_eq(evidence_text(event, "creator_comm"), "maker");
	ck_assert_str_eq(evidence_text(event, "creator_unit"), SERVICE);
	ck_assert_str_eq(owner_text(event, 0, "unit"), SERVICE);
	end();
}
END_TEST

/* How full the namespace is, in `status` and in the evidence. */
START_TEST(pressure_is_told)
{
	static const char *const want[] = {"shmmni 3/8, shmall 9/", "semmni 1/", "semmns 5/", "msgmni 1/"};
	json_t *answer, *event;
	struct lab_actor maker;
	char *status;
	long id;

	begin("action = \"report\";", NULL);
	lab_must(&ipc.keeper, deed_limit, LAB_SHM, 8);
	lab_ipc_actor(&ipc, &maker, "maker", LAB_IPC_USER);
	for (int i = 0; i < 3; i++)
		id = lab_must(&maker, deed_ipc_get, LAB_SHM, 0, 3 * 4096);
	lab_must(&maker, deed_ipc_get, LAB_SEM, 0, 5);
	lab_must(&maker, deed_ipc_get, LAB_MSG, 0, 0);
	lab_actor_kill(&maker);
	event = lab_ipc_expect(&daemon_, "ghost.found", NULL, LAB_SHM, id);
	ck_assert_int_eq(evidence_number(event, "namespace_used_percent"), 37);
	ck_assert_int_eq(lab_daemon_number(&daemon_, "fullest_percent"), 37);
	answer = lab_daemon_ask(&daemon_, "status", NULL);
	status = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	for (size_t i = 0; i < GB_COUNT(want); i++)
		ck_assert_msg(strstr(status, want[i]), "no %s in %s", want[i], status);
	free(status);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sysv_people");
	TCase *tcase = lab_tcase(suite, "people", 120);

	tcase_add_loop_test(tcase, the_creator_is_named, 0, 3);
	tcase_add_test(tcase, a_namespace_with_the_number_of_another);
	tcase_add_test(tcase, of_two_namespaces_with_the_same_number);
	tcase_add_loop_test(tcase, of_several_who_may_have_made_it_none_is_named, 1, 3);
	tcase_add_loop_test(tcase, an_exemption_holds_for_the_dead, 0, 3);
	tcase_add_test(tcase, who_has_something_to_undo_keeps_the_set);
	tcase_add_test(tcase, a_process_without_its_first_thread_may_be_the_creator);
	tcase_add_test(tcase, who_detaches_by_dying_is_named);
	tcase_add_loop_test(tcase, the_unit_is_named_when_its_cgroup_is_gone, 0, 2 * (int)GB_COUNT(hierarchies));
	tcase_add_test(tcase, pressure_is_told);
	return lab_main_shared(suite);
}
