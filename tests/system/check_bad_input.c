/* SPDX-License-Identifier: Apache-2.0 */
/* Bad input, a bad plugin, a bad place to run: each gets its sentence and its exit code. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <eghostbuster/plugin.h>

#include "cleanup.h"
#include "lab_check.h"
#include "lab_ipc.h"

#define PLUGIN LAB_PLUGINS "/tcp_close_wait.so"
#define CONFIG LAB_DIR "/daemon/eghostbuster.cfg"
#define GOOD_TAIL "control = \"" LAB_DIR "/daemon/control.sock\"; scope: { netns = (\"/proc/1/ns/net\"); }; };\n"

static struct lab_net net;

static void expect_exit(const struct lab_setup *template, int code, const char *const *sentences)
{
	struct lab_setup setup = *template;
	struct lab_daemon daemon;
	int r;

	if (!net.keeper.pid)
		lab_net_make(&net);
	setup.net[0] = &net;
	lab_daemon_spawn(&daemon, &setup);
	r = lab_daemon_exit(&daemon);
	ck_assert_msg(r == code, "ended with %d, wanted %d; it said:\n%s", r, code, daemon.said);
	for (; *sentences; sentences++)
		ck_assert_msg(strstr(daemon.said, *sentences) != NULL, "wanted \"%s\" in:\n%s", *sentences,
			      daemon.said);
	ck_assert_uint_eq(lab_daemon_count(&daemon, LAB_MATCH(.event = "daemon.ready")), 0);
}

/* What each says starts with FILE:LINE. */
static const struct {
	struct lab_setup setup;
	const char *sentences[4];
} configurations[] = {
	{{.timeout = "-3"}, {CONFIG ":11: ", "timeout = \"-3\", want 1s..30d"}},
	{{.options = "timeuot = \"3s\";"}, {CONFIG ":12: ", "timeuot", "\"timeout\""}},
	{{.options = "action = \"explode\";"}, {CONFIG ":12: ", "explode", "destroy"}},
	{{.options = "max_tracked = 3;"}, {CONFIG ":12: ", "max_tracked = 3"}},
	{{.options = "timeout = \"1s\";"}, {CONFIG ":12: "}},
	{{.guard = "exempt = ( { com = \"x\"; } );"}, {CONFIG ":5: ", "com", "\"comm\""}},
	{{.more = "mode = \"reep\";"}, {CONFIG ":6: ", "reep", "observe"}},
	{{.more = "mode = ;"}, {CONFIG ":6: "}},
	{{.arg = {"--set", "tcp_close_wait.timeout=-3"}}, {"timeout = -3, want 1s..30d"}},
	{{.arg = {"--set", "tcp_close_wait.timeout=forever"}}, {"--set", "forever"}},
	{{.arg = {"--set", "tcp_close_wait.timeot=3s"}}, {"timeot", "\"timeout\""}},
	{{.arg = {"--nonsense"}}, {"nonsense"}},
};

START_TEST(a_wrong_configuration_ends_with_2)
{
	expect_exit(&configurations[_i].setup, 2, configurations[_i].sentences);
}
END_TEST

/* A file that is none: refused without hanging. */
static void run_with_config(const char *path, int code, const char *sentence)
{
	_cleanup_free_ char *out = NULL, *err = NULL;
	const char *argv[] = {LAB_PROGRAM, "-c", path, "--plugin-dir", LAB_PLUGINS, NULL};
	const char *check[] = {LAB_PROGRAM, "--check-config", "-c", path, "--plugin-dir", LAB_PLUGINS, NULL};
	int r = lab_run(argv, &out, &err);

	ck_assert_msg(r == code, "%s: ended with %d, wanted %d; it said:\n%s", path, r, code, err);
	ck_assert_msg(strstr(err, path) && strstr(err, sentence), "wanted \"%s\" and \"%s\" in:\n%s", path, sentence,
		      err);
	free(out);
	free(err);
	out = err = NULL;
	r = lab_run(check, &out, &err);
	ck_assert_msg(r == code, "--check-config %s: ended with %d, wanted %d; it said:\n%s%s", path, r, code, out,
		      err);
}

START_TEST(what_is_no_file_is_refused)
{
	static char big[2 << 20];

	run_with_config(LAB_DIR, 2, "");
	run_with_config(LAB_DIR "/missing.cfg", 2, "No such file");
	ck_assert_int_eq(mkfifo(LAB_DIR "/fifo.cfg", 0600), 0);
	run_with_config(LAB_DIR "/fifo.cfg", 2, "");
	lab_write_file(LAB_DIR "/writable.cfg", 0666, "ghostbuster: { " GOOD_TAIL);
	run_with_config(LAB_DIR "/writable.cfg", 2, "");
	memset(big, '#', sizeof(big) - 1);
	lab_write_file(LAB_DIR "/big.cfg", 0600, big);
	run_with_config(LAB_DIR "/big.cfg", 2, "");
	lab_write_file(LAB_DIR "/foreign.cfg", 0600, "ghostbuster: { " GOOD_TAIL);
	ck_assert_int_eq(chown(LAB_DIR "/foreign.cfg", 65534, 65534), 0);
	run_with_config(LAB_DIR "/foreign.cfg", 2, "");
}
END_TEST

START_TEST(a_good_configuration_checks_out)
{
	_cleanup_free_ char *out = NULL, *err = NULL;
	const char *argv[] = {LAB_PROGRAM, "--check-config", "-c", CONFIG, "--plugin-dir", LAB_PLUGINS, NULL};
	struct lab_daemon daemon = {.control = LAB_DIR "/daemon/control.sock", .config = CONFIG};
	int r;

	lab_net_make(&net);
	ck_assert_int_eq(mkdir(LAB_DIR "/daemon", 0700), 0);
	lab_daemon_configure(&daemon, &(struct lab_setup){.net = {&net}});
	r = lab_run(argv, &out, &err);
	ck_assert_msg(r == 0, "ended with %d; it said:\n%s%s", r, out, err);
}
END_TEST

static void patch_major(uint16_t major)
{
	_cleanup_close_ int fd = open(PLUGIN, O_RDWR | O_CLOEXEC);
	const uint32_t magic = GB_ABI_MAGIC;
	struct stat info;
	unsigned int found = 0;
	char *bytes;

	ck_assert_int_eq(fstat(fd, &info), 0);
	bytes = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	for (off_t i = 0; i + (off_t)sizeof(struct gb_plugin) <= info.st_size; i += 4) {
		const struct gb_plugin *plugin = (const void *)(bytes + i);

		if (memcmp(bytes + i, &magic, sizeof(magic)) || plugin->struct_size != sizeof(*plugin))
			continue;
		memcpy(bytes + i + offsetof(struct gb_plugin, abi_major), &major, sizeof(major));
		found++;
	}
	munmap(bytes, (size_t)info.st_size);
	ck_assert_uint_eq(found, 1);
}

START_TEST(a_plugin_of_another_major_is_refused)
{
	patch_major(7);
	expect_exit(&(struct lab_setup){0}, 4, (const char *const[]){PLUGIN, "ABI 7.", "upgrade ghostbuster", NULL});
}
END_TEST

START_TEST(a_plugin_of_somebody_else_is_refused)
{
	ck_assert_int_eq(chown(PLUGIN, 65534, 65534), 0);
	expect_exit(&(struct lab_setup){0}, 4, (const char *const[]){PLUGIN, "65534", "chown", NULL});
}
END_TEST

START_TEST(a_plugin_that_others_may_write_is_refused)
{
	ck_assert_int_eq(chmod(PLUGIN, 0777), 0);
	expect_exit(&(struct lab_setup){0}, 4, (const char *const[]){PLUGIN, NULL});
}
END_TEST

START_TEST(a_missing_plugin_is_said)
{
	ck_assert_int_eq(unlink(PLUGIN), 0);
	expect_exit(&(struct lab_setup){0}, 4, (const char *const[]){"tcp_close_wait", NULL});
}
END_TEST

/* One that cannot start does not stop the others, and --list-plugins shows it with the reason. */
START_TEST(the_others_go_on)
{
	const char *argv[] = {LAB_PROGRAM, "--list-plugins", "--plugin-dir", LAB_PLUGINS, "-c", CONFIG, NULL};
	_cleanup_free_ char *out = NULL, *err = NULL;
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;

	lab_write_file(LAB_PLUGINS "/junk.so", 0644, "this is no plugin\n");
	lab_scene_make(&scene, LAB_IPV4, 8080);
	lab_daemon_start(&daemon, &(struct lab_setup){
					  .arg = {"--set", "junk.enabled=true"}, .timeout = "1s", .net = {&scene.net}});
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "plugin.refused"));
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
	ck_assert_int_eq(lab_run(argv, &out, &err), 0);
	ck_assert_msg(strstr(out, "tcp_close_wait") && strstr(out, "junk"), "--list-plugins:\n%s", out);
	lab_daemon_stop(&daemon);
}
END_TEST

static void become_nobody(void)
{
	ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
}

START_TEST(without_root_it_ends_with_3)
{
	const char *argv[] = {LAB_PROGRAM, "-c", LAB_DIR "/mine.cfg", "--plugin-dir", LAB_PLUGINS, NULL};
	_cleanup_free_ char *out = NULL, *err = NULL;
	int r;

	lab_write_file(LAB_DIR "/mine.cfg", 0644,
		       "ghostbuster: { " GOOD_TAIL "plugins: { tcp_close_wait: { enabled = true; }; };\n");
	become_nobody();
	r = lab_run(argv, &out, &err);
	ck_assert_msg(r == 3, "ended with %d, wanted 3; it said:\n%s", r, err);
	ck_assert_msg(strstr(err, "root") || strstr(err, "CAP_"), "it said:\n%s", err);
}
END_TEST

/* Only on kernels that lack one. */
START_TEST(a_method_that_the_kernel_lacks_is_said)
{
	static const char *const methods[] = {"iterator", "sock_diag"};
	const char *lacks = getenv("EGHOSTBUSTER_TEST_LACKS");
	struct lab_daemon daemon;
	int code;

	/* A method may be there and not be asked for, to save time. */
	if (lacks ? !strstr(lacks, methods[_i]) : lab_has_method(methods[_i]))
		return;
	lab_net_make(&net);
	lab_daemon_spawn(&daemon, &(struct lab_setup){.method = methods[_i], .net = {&net}});
	code = lab_daemon_exit(&daemon);
	ck_assert_msg(code == 3 || code == 4, "ended with %d, wanted 3 or 4; it said:\n%s", code, daemon.said);
	ck_assert_msg(strstr(daemon.said, methods[_i]) != NULL, "it said:\n%s", daemon.said);
}
END_TEST

START_TEST(without_btf_it_ends_with_3)
{
	ck_assert_int_eq(mount("lab", "/sys/kernel/btf", "tmpfs", 0, NULL), 0);
	expect_exit(&(struct lab_setup){0}, 3, (const char *const[]){"/sys/kernel/btf/vmlinux", NULL});
}
END_TEST

/* Also by --check-config, which runs no code of the plugin. */
START_TEST(a_key_that_is_none_is_refused)
{
	static const char want[] =
		"eghostbuster.cfg:3: plugin \"sysv_ipc\": rules #1: key = \"ae*\", want a number such as "
		"5432001 or \"0x52e2c1\", or a prefix such as \"0xae000000/0xff000000\"\n";
	const char *argv[] = {LAB_PROGRAM, "--plugin-dir", LAB_PLUGINS, "-c", NULL, "--check-config", NULL};
	struct lab_daemon daemon;
	struct lab_ipc ipc;
	char *out, *err;

	lab_ipc_make(&ipc);
	lab_ipc_daemon_start(&daemon, &(struct lab_ipc_setup){.ipc = &ipc});
	lab_daemon_stop(&daemon);
	lab_write_file(daemon.config, 0600,
		       "ghostbuster: { journal: { format = \"json\"; }; control = \"" LAB_DIR
		       "/daemon/control.sock\"; };\n"
		       "plugins: { sysv_ipc: { enabled = true;\n  rules = ( { key = \"ae*\"; } ); }; };\n");
	argv[4] = daemon.config;
	ck_assert_int_eq(lab_run(argv, &out, &err), 2);
	ck_assert_msg(strstr(err, want), "%s", err);
	free(out);
	free(err);
	lab_daemon_again(&daemon, &(struct lab_setup){0});
	ck_assert_int_eq(lab_daemon_exit(&daemon), 2);
	ck_assert_msg(strstr(daemon.said, want), "%s", daemon.said);
	lab_ipc_end(&ipc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bad_input");
	TCase *tcase = lab_tcase(suite, "bad_input", 120);

	unsetenv("EGHOSTBUSTER_TEST_IN_PLACE"); /* what is spoilt here is a copy */
	tcase_add_loop_test(tcase, a_wrong_configuration_ends_with_2, 0,
			    (int)(sizeof(configurations) / sizeof(configurations[0])));
	tcase_add_test(tcase, what_is_no_file_is_refused);
	tcase_add_test(tcase, a_good_configuration_checks_out);
	tcase_add_test(tcase, a_key_that_is_none_is_refused);
	tcase_add_test(tcase, a_plugin_of_another_major_is_refused);
	tcase_add_test(tcase, a_plugin_of_somebody_else_is_refused);
	tcase_add_test(tcase, a_plugin_that_others_may_write_is_refused);
	tcase_add_test(tcase, a_missing_plugin_is_said);
	tcase_add_test(tcase, without_root_it_ends_with_3);
	tcase = lab_tcase(suite, "kernel", 120); /* the others do not depend on it */
	tcase_add_test(tcase, the_others_go_on);
	tcase_add_test(tcase, without_btf_it_ends_with_3);
	tcase_add_loop_test(tcase, a_method_that_the_kernel_lacks_is_said, 0, LAB_METHOD_COUNT);
	return lab_main(suite);
}
