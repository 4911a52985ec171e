/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <eghostbuster/plugin.h>

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "5b1f7e3a-02c4-4d11-9f0b-0d6f4d1c2e3f"
#define UID_ "5b1f7e3a_02c4_4d11_9f0b_0d6f4d1c2e3f"
#define STATIC_UID "1d7f2b8e9c4a4f0f8e6d5c4b3a291807"

static const struct row {
	const char *text;
	const char *path, *unit, *container, *pod;
} rows[] = {
	/* systemd, v2 */
	{"0::/system.slice/nginx.service\n", "/system.slice/nginx.service", "nginx.service", "", ""},
	{"0::/system.slice/system-getty.slice/getty@tty1.service\n",
	 "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "", ""},
	{"0::/user.slice/user-1000.slice/session-3.scope\n", "/user.slice/user-1000.slice/session-3.scope",
	 "session-3.scope", "", ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service\n",
	 "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "foo.service", "", ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n",
	 "/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope", "", ""},
	{"0::/system.slice/postgresql@15-main.service/workers/7\n",
	 "/system.slice/postgresql@15-main.service/workers/7", "postgresql@15-main.service", "", ""},
	{"0::/system.slice/dev-disk\\x2duuid.mount\n", "/system.slice/dev-disk\\x2duuid.mount",
	 "dev-disk\\x2duuid.mount", "", ""},
	{"0::/init.scope\n", "/init.scope", "init.scope", "", ""},
	{"0::/system.slice\n", "/system.slice", "", "", ""},
	{"0::/\n", "/", "", "", ""},
	/* systemd, v1 and hybrid */
	{"12:pids:/user.slice\n1:name=systemd:/system.slice/cron.service\n", "/system.slice/cron.service",
	 "cron.service", "", ""},
	{"1:name=systemd:/system.slice/cron.service\n0::/\n", "/system.slice/cron.service", "cron.service", "", ""},
	{"1:name=systemd:/a\n0::/system.slice/cron.service\n", "/system.slice/cron.service", "cron.service", "", ""},
	{"9:name=systemd:/\n4:memory:/jobs/a\n3:cpu,cpuacct:/jobs/b\n0::/\n", "/jobs/a", "", "", ""},
	{"4:memory:/\n3:cpu,cpuacct:/\n", "/", "", "", ""},
	/* docker: systemd driver, cgroupfs driver, v1, hybrid, rootless */
	{"0::/system.slice/docker-" ID1 ".scope\n", "/system.slice/docker-" ID1 ".scope", "docker-" ID1 ".scope", ID1,
	 ""},
	{"0::/docker/" ID1 "\n", "/docker/" ID1, "", ID1, ""},
	{"11:memory:/docker/" ID1 "\n1:name=systemd:/docker/" ID1 "\n", "/docker/" ID1, "", ID1, ""},
	{"1:name=systemd:/docker/" ID1 "\n0::/system.slice/containerd.service\n", "/system.slice/containerd.service",
	 "containerd.service", ID1, ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID1 ".scope\n",
	 "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID1 ".scope", "docker-" ID1 ".scope", ID1,
	 ""},
	/* seen from a cgroup namespace beside it */
	{"0::/../docker-" ID1 ".scope\n", "/../docker-" ID1 ".scope", "docker-" ID1 ".scope", ID1, ""},
	/* systemd in a container, docker in docker, buildkit in a container (its own ids are no container's) */
	{"0::/system.slice/docker-" ID1 ".scope/system.slice/nginx.service\n",
	 "/system.slice/docker-" ID1 ".scope/system.slice/nginx.service", "nginx.service", ID1, ""},
	{"0::/docker/" ID1 "/docker/" ID2 "\n", "/docker/" ID1 "/docker/" ID2, "", ID2, ""},
	{"0::/docker/" ID1 "/docker/buildkit/z5s2l0mjkbm0r4jy8t1ekzq0u\n",
	 "/docker/" ID1 "/docker/buildkit/z5s2l0mjkbm0r4jy8t1ekzq0u", "", ID1, ""},
	{"0::/docker/buildkit/z5s2l0mjkbm0r4jy8t1ekzq0u\n", "/docker/buildkit/z5s2l0mjkbm0r4jy8t1ekzq0u", "", "", ""},
	/* containerd under Kubernetes: cgroupfs, systemd, static pod, mixed drivers, kind; nerdctl */
	{"0::/kubepods/burstable/pod" UID "/" ID1 "\n", "/kubepods/burstable/pod" UID "/" ID1, "", ID1, UID},
	{"7:cpuset:/kubepods/pod" UID "/" ID1 "\n", "/kubepods/pod" UID "/" ID1, "", ID1, UID},
	{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID1
	 ".scope\n",
	 "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID1 ".scope",
	 "cri-containerd-" ID1 ".scope", ID1, UID},
	{"0::/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID1 ".scope\n",
	 "/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID1 ".scope", "cri-containerd-" ID1 ".scope", ID1,
	 UID},
	{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID ".slice/cri-containerd-" ID1
	 ".scope\n",
	 "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID ".slice/cri-containerd-" ID1
	 ".scope",
	 "cri-containerd-" ID1 ".scope", ID1, STATIC_UID},
	{"0::/kubepods/besteffort/pod" STATIC_UID "/" ID1 "\n", "/kubepods/besteffort/pod" STATIC_UID "/" ID1, "", ID1,
	 STATIC_UID},
	{"0::/system.slice/containerd.service/kubepods-besteffort-pod" UID_ ".slice:cri-containerd:" ID1 "\n",
	 "/system.slice/containerd.service/kubepods-besteffort-pod" UID_ ".slice:cri-containerd:" ID1,
	 "containerd.service", ID1, UID},
	{"0::/docker/" ID1 "/kubelet/kubepods/besteffort/pod" UID "/" ID2 "\n",
	 "/docker/" ID1 "/kubelet/kubepods/besteffort/pod" UID "/" ID2, "", ID2, UID},
	{"0::/system.slice/docker-" ID1 ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
	 ".slice/cri-containerd-" ID2 ".scope\n",
	 "/system.slice/docker-" ID1 ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
	 ".slice/cri-containerd-" ID2 ".scope",
	 "cri-containerd-" ID2 ".scope", ID2, UID},
	{"0::/system.slice/nerdctl-" ID1 ".scope\n", "/system.slice/nerdctl-" ID1 ".scope", "nerdctl-" ID1 ".scope",
	 ID1, ""},
	/* CRI-O: its monitor is no container */
	{"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID1 ".scope\n",
	 "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID1 ".scope",
	 "crio-" ID1 ".scope", ID1, UID},
	{"0::/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID1 ".scope/container\n",
	 "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID1 ".scope/container", "crio-" ID1 ".scope", ID1, UID},
	{"0::/kubepods/besteffort/pod" UID "/crio-" ID1 "\n", "/kubepods/besteffort/pod" UID "/crio-" ID1, "", ID1,
	 UID},
	{"0::/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID1 ".scope\n",
	 "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID1 ".scope", "crio-conmon-" ID1 ".scope", "", UID},
	/* podman */
	{"0::/machine.slice/libpod-" ID1 ".scope\n", "/machine.slice/libpod-" ID1 ".scope", "libpod-" ID1 ".scope", ID1,
	 ""},
	{"0::/machine.slice/libpod-" ID1 ".scope/container\n", "/machine.slice/libpod-" ID1 ".scope/container",
	 "libpod-" ID1 ".scope", ID1, ""},
	{"0::/machine.slice/libpod-conmon-" ID1 ".scope\n", "/machine.slice/libpod-conmon-" ID1 ".scope",
	 "libpod-conmon-" ID1 ".scope", "", ""},
	{"8:devices:/libpod_parent/libpod-" ID1 "\n", "/libpod_parent/libpod-" ID1, "", ID1, ""},
	{"0::/libpod_parent/libpod-" ID1 "\n", "/libpod_parent/libpod-" ID1, "", ID1, ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID1 ".scope\n",
	 "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID1 ".scope", "libpod-" ID1 ".scope", ID1,
	 ""},
	{"0::/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID1 ".scope\n",
	 "/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID1 ".scope", "libpod-" ID1 ".scope", ID1, ""},
	{"0::/system.slice/web.service/libpod-payload-" ID1 "\n", "/system.slice/web.service/libpod-payload-" ID1,
	 "web.service", ID1, ""},
	/* the timer of a health check runs outside of the container */
	{"0::/system.slice/" ID1 ".service\n", "/system.slice/" ID1 ".service", ID1 ".service", "", ""},
	/* ECS */
	{"0::/ecs/0a1b2c3d/" ID1 "\n", "/ecs/0a1b2c3d/" ID1, "", ID1, ""},
	/* a zombie in a removed cgroup */
	{"0::/system.slice/cron.service (deleted)\n", "/system.slice/cron.service", "cron.service", "", ""},
	/* nearly */
	{"0::/docker/" ID1 "0\n", "/docker/" ID1 "0", "", "", ""},
	{"0::/docker/x" ID1 "\n", "/docker/x" ID1, "", "", ""},
	{"0::/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n",
	 "/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "", "", ""},
	{"0::/docker/0123456789abcdef\n", "/docker/0123456789abcdef", "", "", ""},
	{"0::/kubepods/pod5b1f7e3a-02c4_4d11-9f0b-0d6f4d1c2e3f\n", "/kubepods/pod5b1f7e3a-02c4_4d11-9f0b-0d6f4d1c2e3f",
	 "", "", ""},
	{"0::/kubepods/xpod" UID "\n", "/kubepods/xpod" UID, "", "", ""},
	{"0::/a/.service\n", "/a/.service", "", "", ""},
	/* hostile */
	{"0::/a: b/../c:d.service: \n", "/a: b/../c:d.service: ", "", "", ""},
	{"0::/../../etc/x.service/..\n", "/../../etc/x.service/..", "x.service", "", ""},
	{"0::/x:0::/y.service\n", "/x:0::/y.service", "y.service", "", ""},
	{"1:name=systemd,x:/a\n2:cpu,name=systemd:/b\n", "/b", "", "", ""},
	{"0::relative\n", "", "", "", ""},
	{"0:/\n0\n::\n\n", "", "", "", ""},
	{"no cgroup file at all", "", "", "", ""},
	{"0::/no.newline.service", "/no.newline.service", "no.newline.service", "", ""},
	{"", "", "", "", ""},
};

START_TEST(parses)
{
	struct cgroup cgroup;

	memset(&cgroup, 'x', sizeof(cgroup));
	cgroup_parse(rows[_i].text, &cgroup);
	ck_assert_str_eq(cgroup.path, rows[_i].path);
	ck_assert_str_eq(cgroup.unit, rows[_i].unit);
	ck_assert_str_eq(cgroup.container, rows[_i].container);
	ck_assert_str_eq(cgroup.pod, rows[_i].pod);
}
END_TEST

/* A path of `length` bytes whose last component is "NAME.service"; free(). */
static char *long_text(size_t length, const char *last)
{
	char *text = malloc(length + 8);

	ck_assert_ptr_nonnull(text);
	memcpy(text, "0::/", 4);
	memset(text + 4, 'a', length - 1);
	memcpy(text + 3 + length - strlen(last), last, strlen(last));
	memcpy(text + 3 + length, "\n", 2);
	return text;
}

START_TEST(bounds)
{
	static const struct {
		size_t length;
		bool fits;
	} lengths[] = {{300, true}, {4094, true}, {4095, true}, {4096, false}, {4097, false}, {60000, false}};
	struct cgroup cgroup;
	char path[CGROUP_PATH_SIZE];
	char *text = long_text(lengths[_i].length, "/x.service");

	cgroup_parse(text, &cgroup);
	ck_assert_uint_eq(strlen(cgroup.path), lengths[_i].fits ? lengths[_i].length : 0);
	ck_assert_str_eq(cgroup.unit, lengths[_i].fits ? "x.service" : "");
	ck_assert_int_eq(cgroup_controller_path(text, "", path), lengths[_i].fits);
	free(text);
}
END_TEST

START_TEST(unit_too_long)
{
	char text[600];
	struct cgroup cgroup;

	snprintf(text, sizeof(text), "0::/outer.service/%0247d.service\n", 0);
	cgroup_parse(text, &cgroup);
	ck_assert_uint_eq(strlen(cgroup.unit), 255);
	snprintf(text, sizeof(text), "0::/outer.service/%0248d.service\n", 0);
	cgroup_parse(text, &cgroup);
	ck_assert_str_eq(cgroup.unit, "outer.service");
}
END_TEST

START_TEST(controllers)
{
	static const struct {
		const char *text, *controller, *path; /* NULL: none */
	} cases[] = {
		{"6:freezer:/jobs/a\n0::/b\n", "freezer", "/jobs/a"},
		{"6:freezer:/\n0::/b\n", "freezer", "/"},
		{"6:cpu,freezer,pids:/x\n", "freezer", "/x"},
		{"6:freezer2:/x\n0::/freezer\n", "freezer", NULL},
		{"6:freezer:/jobs/a\n0::/b\n", "", "/b"},
		{"6::/v1-without-controllers\n", "", NULL},
		{"", "", NULL},
	};
	char path[CGROUP_PATH_SIZE] = "untouched";
	bool found = cgroup_controller_path(cases[_i].text, cases[_i].controller, path);

	ck_assert_int_eq(found, cases[_i].path != NULL);
	ck_assert_str_eq(path, found ? cases[_i].path : "untouched");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tcase = tcase_create("parse");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, parses, 0, GB_COUNT(rows));
	tcase_add_loop_test(tcase, bounds, 0, 6);
	tcase_add_test(tcase, unit_too_long);
	tcase_add_loop_test(tcase, controllers, 0, 7);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
