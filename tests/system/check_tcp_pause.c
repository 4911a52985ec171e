/* SPDX-License-Identifier: Apache-2.0 */
/* Hazard 9: the owner is in a paused cgroup, of version 1 or 2, as `docker pause` and checkpoints make one. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab_check.h"

#define PORT 8080
#define TIMEOUT_MS 2000

static const struct {
	const char *name, *type, *options, *file, *freeze, *thaw;
} versions[] = {
	{"cgroup v1", "cgroup", "freezer", "freezer.state", "FROZEN", "THAWED"},
	{"cgroup v2", "cgroup2", NULL, "cgroup.freeze", "1", "0"},
};

static char folder[96], state[128];

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -errno : 0;
}

/* Whatever becomes of the test, nobody stays frozen and no cgroup is left behind. */
static void guard_folder(const char *thaw)
{
	int ends[2];
	char byte;

	lab_works(pipe(ends) == 0, "pipe");
	if (fork() == 0) {
		close(ends[1]);
		signal(SIGTERM, SIG_IGN);
		setsid();
		while (read(ends[0], &byte, 1) < 0)
			;
		put(state, thaw);
		for (int i = 0; i < 500 && rmdir(folder) < 0 && errno != ENOENT; i++)
			lab_sleep_ms(10);
		_exit(0);
	}
	close(ends[0]);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

/* A cgroup of the test's own, seen in its own mount namespace alone. False when this kernel has no such freezer. */
static bool make_cgroup(int version)
{
	const char *mount_point = LAB_DIR "/cgroup";

	lab_works(mkdir(mount_point, 0755) == 0, "%s", mount_point);
	if (mount("none", mount_point, versions[version].type, 0, versions[version].options) < 0)
		return false;
	snprintf(folder, sizeof(folder), "%s/ghostbuster-test-%d", mount_point, (int)getpid());
	snprintf(state, sizeof(state), "%s/%s", folder, versions[version].file);
	lab_works(mkdir(folder, 0755) == 0, "%s", folder);
	if (access(state, W_OK) < 0) {
		rmdir(folder);
		return false;
	}
	return true;
}

static void move_in(pid_t pid)
{
	char path[160], text[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	snprintf(text, sizeof(text), "%d", (int)pid);
	ck_assert_int_eq(put(path, text), 0);
}

START_TEST(a_paused_owner_keeps_its_sockets)
{
	const char *method = lab_method(_i % LAB_METHOD_COUNT);
	int version = _i / LAB_METHOD_COUNT;
	struct lab_connection held, leak;
	struct lab_scene scene, other;
	struct lab_daemon daemon;
	uint64_t thawed;

	if (!make_cgroup(version)) {
		printf("not on this kernel: the freezer of %s\n", versions[version].name);
		return;
	}
	lab_scene_make(&scene, LAB_IPV4, PORT);
	other = (struct lab_scene){.net = scene.net};
	lab_scene_in(&other, LAB_IPV4, PORT + 1);
	guard_folder(versions[version].thaw);
	move_in(scene.server.pid);
	lab_daemon_start(&daemon, &(struct lab_setup){.method = method, .timeout = "2s", .net = {&scene.net}});
	lab_scene_leak(&scene, &held);
	ck_assert_int_eq(put(state, versions[version].freeze), 0);
	lab_scene_leak(&other, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	lab_daemon_expect(&daemon,
			  LAB_MATCH(.event = "ghost.spared", .reason = "holder-frozen", .remote = held.remote));
	lab_daemon_pump(&daemon, 2 * TIMEOUT_MS);
	ck_assert_int_eq(lab_scene_state(&scene, &held), LAB_CLOSE_WAIT);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = held.remote)), 0);
	thawed = lab_now_ms();
	ck_assert_int_eq(put(state, versions[version].thaw), 0);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = held.remote));
	ck_assert_msg(lab_now_ms() - thawed >= TIMEOUT_MS, "reaped %lu ms after the thaw, wanted %d",
		      (unsigned long)(lab_now_ms() - thawed), TIMEOUT_MS);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "ghost.spared", .reason = "holder-frozen",
							      .remote = held.remote)),
			  1);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_pause");
	TCase *tcase = lab_tcase(suite, "pause", 120);

	tcase_add_loop_test(tcase, a_paused_owner_keeps_its_sockets, 0,
			    LAB_METHOD_COUNT * (int)(sizeof(versions) / sizeof(versions[0])));
	return lab_main(suite);
}
