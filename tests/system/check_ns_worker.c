/* SPDX-License-Identifier: Apache-2.0 */
/* Entering and opening namespaces: needs root, and makes its own. */
#include "namespace.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capability.h"
#include "cleanup.h"
#include "lab_check.h"
#include "ns_worker.h"
#include "procfs.h"

/* A process in a namespace of its own, until tenant_end(). */
struct tenant {
	pid_t pid;
	int socket_fd; /* its descriptor, of its new network namespace */
	struct gb_ns ns;
};

/* A /run of the test's own. Not the whole laboratory: no daemon is needed here. */
static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m"), 0);
}

static uint64_t inode_of(const char *path)
{
	struct stat status;

	ck_assert_msg(stat(path, &status) == 0, "%s", path);
	return status.st_ino;
}

/* With `leave` it goes home again, and only its socket keeps the namespace. */
static void tenant_run(uint32_t kind, bool leave, int tell_fd)
{
	char path[64];
	int home;
	struct tenant tenant = {.pid = getpid(), .socket_fd = -1};

	snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_kind_name(kind));
	home = open(path, O_RDONLY | O_CLOEXEC);
	if (unshare(namespace_kind_flag(kind)) < 0)
		_exit(EXIT_FAILURE);
	tenant.ns = (struct gb_ns){.kind = kind, .pid = tenant.pid, .inode = inode_of(path), .socket_fd = -1};
	tenant.socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (leave && setns(home, 0) < 0)
		_exit(EXIT_FAILURE);
	if (write(tell_fd, &tenant, sizeof(tenant)) != (ssize_t)sizeof(tenant))
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}

static struct tenant tenant_make(uint32_t kind, bool leave)
{
	struct tenant tenant;
	int pipe_fds[2];

	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	if (lab_fork() == 0)
		tenant_run(kind, leave, pipe_fds[1]);
	ck_assert_int_eq(read(pipe_fds[0], &tenant, sizeof(tenant)), sizeof(tenant));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return tenant;
}

static void tenant_end(const struct tenant *tenant)
{
	kill(tenant->pid, SIGKILL);
	ck_assert_int_eq(waitpid(tenant->pid, NULL, 0), tenant->pid);
}

/* The kernel frees a namespace a moment after its last user has gone: ask again. */
static int open_until_gone(struct namespaces *namespaces, const struct gb_ns *ns)
{
	int result = 0;

	for (int i = 0; i < 100 && result == 0; i++) {
		_cleanup_close_ int fd = -1;

		result = namespace_open(namespaces, ns, &fd);
		lab_sleep_ms(10);
	}
	return result;
}

struct visit {
	struct ns_worker *worker;
	int ns_fd;
	uint32_t kind;
	uint64_t inode;
	int socket_fd, shm_id, nested;
	bool signals_blocked;
};

static int look_around(void *arg)
{
	struct visit *visit = arg;
	char path[64];
	sigset_t mask;

	snprintf(path, sizeof(path), "/proc/thread-self/ns/%s", namespace_kind_name(visit->kind));
	visit->inode = inode_of(path);
	visit->socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	visit->shm_id = visit->kind == GB_NS_IPC ? shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) : -1;
	visit->nested = ns_worker_run(visit->worker, visit->ns_fd, visit->kind, look_around, visit);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	visit->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP) &&
				 sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGINT);
	return 4711;
}

static int count_thread(int32_t thread, void *arg)
{
	(void)thread;
	++*(int *)arg;
	return 0;
}

static int count_threads(void)
{
	int count = 0;

	ck_assert_int_eq(procfs_each_number(AT_FDCWD, "/proc/self/task", count_thread, &count), 0);
	return count;
}

/* A thread that was joined may stay in /proc for a moment. */
static void wait_alone(void)
{
	uint64_t end = lab_now_ms() + 5000;

	while (count_threads() > 1 && lab_now_ms() < end)
		lab_sleep_ms(2);
	ck_assert_int_eq(count_threads(), 1);
}

static struct namespaces *open_namespaces(void)
{
	struct namespaces *namespaces;

	ck_assert_int_eq(namespaces_new("/proc", NAMESPACE_RUN_PATH, &namespaces), 0);
	return namespaces;
}

START_TEST(worker_visits_and_comes_home)
{
	static const uint32_t kinds[] = {GB_NS_NET, GB_NS_IPC};
	struct namespaces *namespaces = open_namespaces();
	struct tenant tenant = tenant_make(kinds[_i], false);
	struct visit visit = {.kind = kinds[_i]};
	char path[64];
	uint64_t home, inode;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_kind_name(visit.kind));
	home = inode_of(path);
	ck_assert_int_eq(ns_worker_new(&visit.worker), 0);
	ck_assert_int_eq(count_threads(), 1);
	ck_assert_int_eq(namespace_open(namespaces, &tenant.ns, &visit.ns_fd), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ns_worker_run(visit.worker, visit.ns_fd, visit.kind, look_around, &visit), 4711);
		ck_assert_uint_eq(visit.inode, tenant.ns.inode);
		ck_assert_uint_ne(visit.inode, home);
		ck_assert_uint_eq(inode_of(path), home);
		ck_assert_int_eq(visit.nested, -EDEADLK);
		ck_assert(visit.signals_blocked);
		ck_assert_int_eq(count_threads(), 2);
		if (visit.kind == GB_NS_NET) { /* what was opened there stays of there */
			fd = ioctl(visit.socket_fd, SIOCGSKNS);
			ck_assert_int_eq(namespace_inode(GB_NS_NET, fd, &inode), 0);
			ck_assert_uint_eq(inode, tenant.ns.inode);
			close(fd);
		} else {
			ck_assert_int_ge(visit.shm_id, 0);
		}
		close(visit.socket_fd);
		/* At home, too. */
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ck_assert_int_eq(ns_worker_run(visit.worker, fd, visit.kind, look_around, &visit), 4711);
		ck_assert_uint_eq(visit.inode, home);
		if (visit.shm_id >= 0)
			shmctl(visit.shm_id, IPC_RMID, NULL);
		close(visit.socket_fd);
		close(fd);
	}
	ns_worker_stop(visit.worker);
	wait_alone();
	ck_assert_int_eq(ns_worker_run(visit.worker, visit.ns_fd, visit.kind, look_around, &visit), 4711);
	close(visit.socket_fd);
	close(visit.ns_fd);
	ns_worker_free(visit.worker);
	wait_alone();
	tenant_end(&tenant);
	namespaces_free(namespaces);
}
END_TEST

START_TEST(worker_refuses)
{
	struct visit visit = {.kind = GB_NS_NET};
	int net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(ns_worker_new(&visit.worker), 0);
	ck_assert_int_eq(ns_worker_run(visit.worker, net_fd, GB_NS_IPC, look_around, &visit), -EINVAL);
	ck_assert_int_eq(ns_worker_run(visit.worker, null_fd, GB_NS_NET, look_around, &visit), -EINVAL);
	ck_assert_int_eq(ns_worker_run(visit.worker, -1, GB_NS_NET, look_around, &visit), -EBADF);
	ck_assert_uint_eq(visit.inode, 0);
	ck_assert_int_eq(count_threads(), 1);
	/* A thread that was started after the drop has lost what the main thread has lost. */
	ck_assert_int_eq(capability_drop_all_but(0, NULL), 0);
	ck_assert_int_eq(ns_worker_run(visit.worker, net_fd, GB_NS_NET, look_around, &visit), -EPERM);
	ck_assert_uint_eq(visit.inode, 0);
	ns_worker_free(visit.worker);
}
END_TEST

/* As a plugin would that closes what is not its own. */
static int close_every_namespace(void *arg)
{
	uint64_t inode;

	(void)arg;
	for (int fd = 3; fd < 256; fd++)
		if (namespace_inode(GB_NS_NET, fd, &inode) == 0)
			close(fd);
	return 0;
}

START_TEST(worker_that_cannot_get_home_aborts)
{
	struct namespaces *namespaces = open_namespaces();
	struct tenant tenant = tenant_make(GB_NS_NET, false);
	struct ns_worker *worker;
	int fd;

	ck_assert_int_eq(ns_worker_new(&worker), 0);
	ck_assert_int_eq(namespace_open(namespaces, &tenant.ns, &fd), 0);
	ns_worker_run(worker, fd, GB_NS_NET, close_every_namespace, NULL);
	ck_abort_msg("went on in the wrong namespace");
}
END_TEST

struct search {
	uint64_t inode;
	int found;
	struct gb_ns ns;
};

static int find(const struct gb_ns *ns, void *arg)
{
	struct search *search = arg;

	if (ns->inode == search->inode) {
		search->found++;
		search->ns = *ns;
	}
	return 0;
}

START_TEST(lived_in_and_gone)
{
	static const uint32_t kinds[] = {GB_NS_NET, GB_NS_IPC};
	static const int32_t hints[] = {0, 1, -1, INT32_MAX};
	struct namespaces *namespaces = open_namespaces();
	struct tenant tenant = tenant_make(kinds[_i], false);
	struct search search = {.inode = tenant.ns.inode};
	int fd;

	for (size_t i = 0; i < GB_COUNT(hints); i++) { /* wrong ones: found by the walk, then by where it was seen */
		struct gb_ns ns = tenant.ns;
		uint64_t inode = 0;

		ns.pid = hints[i];
		ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), 0);
		ck_assert_int_eq(namespace_inode(ns.kind, fd, &inode), 0);
		ck_assert_uint_eq(inode, tenant.ns.inode);
		close(fd);
	}
	ck_assert_int_eq(namespace_each(namespaces, kinds[_i], find, &search), 0);
	ck_assert_int_eq(search.found, 1);
	ck_assert_int_eq(search.ns.pid, tenant.pid);
	tenant_end(&tenant);
	ck_assert_int_eq(open_until_gone(namespaces, &tenant.ns), -ESRCH);
	search.found = 0;
	ck_assert_int_eq(namespace_each(namespaces, kinds[_i], find, &search), 0);
	ck_assert_int_eq(search.found, 0);
	namespaces_free(namespaces);
}
END_TEST

START_TEST(kept_by_a_name)
{
	struct namespaces *namespaces = open_namespaces();
	struct tenant tenant = tenant_make(GB_NS_NET, false);
	struct search search = {.inode = tenant.ns.inode};
	char path[64];
	uint64_t inode = 0;
	int fd;

	ck_assert(mkdir(NAMESPACE_RUN_PATH, 0755) == 0 || errno == EEXIST);
	lab_write_file(NAMESPACE_RUN_PATH "/kept", 0444, "");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", tenant.pid);
	ck_assert_int_eq(namespace_resolve(GB_NS_NET, "kept", &inode), -EINVAL); /* not mounted yet */
	ck_assert_int_eq(mount(path, NAMESPACE_RUN_PATH "/kept", NULL, MS_BIND, NULL), 0);
	tenant_end(&tenant);
	ck_assert_int_eq(namespace_resolve(GB_NS_NET, "kept", &inode), 0);
	ck_assert_uint_eq(inode, tenant.ns.inode);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(namespace_open(namespaces, &tenant.ns, &fd), 0);
		ck_assert_int_eq(namespace_inode(GB_NS_NET, fd, &inode), 0);
		ck_assert_uint_eq(inode, tenant.ns.inode);
		close(fd);
	}
	ck_assert_int_eq(namespace_each(namespaces, GB_NS_NET, find, &search), 0);
	ck_assert_int_eq(search.found, 1);
	ck_assert_int_eq(search.ns.pid, 0);
	ck_assert_int_eq(umount2(NAMESPACE_RUN_PATH "/kept", MNT_DETACH), 0);
	ck_assert_int_eq(open_until_gone(namespaces, &tenant.ns), -ESRCH);
	ck_assert_int_eq(unlink(NAMESPACE_RUN_PATH "/kept"), 0);
	ck_assert_int_eq(namespace_resolve(GB_NS_NET, "kept", &inode), -ENOENT);
	namespaces_free(namespaces);
}
END_TEST

START_TEST(kept_by_a_socket)
{
	struct namespaces *namespaces = open_namespaces();
	struct tenant tenant = tenant_make(GB_NS_NET, true);
	struct gb_ns ns = tenant.ns;
	uint64_t inode = 0;
	int fd = -1;

	ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), -ESRCH);
	ns.socket_fd = STDERR_FILENO; /* no socket */
	ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), -ESRCH);
	ns.socket_fd = 9999;
	ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), -ESRCH);
	ns.socket_fd = tenant.socket_fd;
	ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), 0);
	ck_assert_int_eq(namespace_inode(GB_NS_NET, fd, &inode), 0);
	ck_assert_uint_eq(inode, tenant.ns.inode);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	ns.inode = 1; /* of no namespace: the next number may be somebody's */
	ck_assert_int_eq(namespace_open(namespaces, &ns, &fd), -ESRCH);
	tenant_end(&tenant);
	namespaces_free(namespaces);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ns_worker");
	TCase *tcase = tcase_create("ns_worker");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, worker_visits_and_comes_home, 0, 2);
	tcase_add_test(tcase, worker_refuses);
	tcase_add_test_raise_signal(tcase, worker_that_cannot_get_home_aborts, SIGABRT);
	tcase_add_loop_test(tcase, lived_in_and_gone, 0, 2);
	tcase_add_test(tcase, kept_by_a_name);
	tcase_add_test(tcase, kept_by_a_socket);
	return lab_main(suite);
}
