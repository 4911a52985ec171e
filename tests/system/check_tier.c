/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says of this kernel is what the kernel has, and it does what it says. EGHOSTBUSTER_TEST_TIER is the
 * expected "LOOK/RELEASE"; unset, what can be found out without the daemon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab_check.h"

#define PORT 8080

static const char *fact(const json_t *status, const char *name)
{
	const json_t *plugin = json_array_get(json_object_get(status, "plugins"), 0);
	const char *value = json_string_value(json_object_get(json_object_get(plugin, "facts"), name));

	ck_assert_msg(value != NULL, "no fact %s in the status", name);
	return value;
}

static void expected(char *ret_tier, size_t size)
{
	const char *told = getenv("EGHOSTBUSTER_TEST_TIER");
	const char *release = lab_has_method("iterator")    ? "iterator"
			      : lab_has_method("sock_diag") ? "sock_diag"
							    : "none";

	if (told)
		snprintf(ret_tier, size, "%s", told);
	else /* a kernel with bpf_sock_destroy() has all that came before it */
		snprintf(ret_tier, size, "%s/%s", lab_has_method("iterator") ? "iterator" : "*", release);
}

static const struct {
	const char *tier, *text;
} texts[] = {
	{"iterator/iterator", "looks, judges and destroys under the socket's lock"},
	{"iterator/sock_diag", "looks by iterator, destroys by SOCK_DESTROY"},
	{"iterator/none", "only reports"},
	{"sock_diag/sock_diag", "looks by sock_diag, destroys by SOCK_DESTROY"},
};

START_TEST(the_facts_are_what_this_kernel_offers)
{
	char wanted[64], found[64], said[96];
	struct lab_daemon daemon;
	struct lab_net net;
	bool known = false;
	json_t *status;

	expected(wanted, sizeof(wanted));
	lab_net_make(&net);
	lab_daemon_start(&daemon, &(struct lab_setup){.net = {&net}});
	status = lab_daemon_ask(&daemon, "status", NULL);
	snprintf(found, sizeof(found), "%s/%s", fact(status, "look"), fact(status, "release"));
	if (wanted[0] == '*')
		ck_assert_str_eq(strchr(found, '/'), strchr(wanted, '/'));
	else
		ck_assert_str_eq(found, wanted);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(texts[i].tier, found) != 0)
			continue;
		known = true;
		ck_assert_msg(strstr(fact(status, "tier"), texts[i].text), "%s: %s", found, fact(status, "tier"));
	}
	ck_assert_msg(known, "no such tier is known: %s", found);
	/* At the start as well, for who has only the log. */
	snprintf(said, sizeof(said), "tcp_close_wait: look: %s\n", fact(status, "look"));
	lab_daemon_wait_said(&daemon, said);
	snprintf(said, sizeof(said), "tcp_close_wait: release: %s\n", fact(status, "release"));
	lab_daemon_wait_said(&daemon, said);
	json_decref(status);
	lab_daemon_stop(&daemon);
}
END_TEST

static void expect_spared(struct lab_daemon *daemon, struct lab_scene *scene, const struct lab_connection *leak)
{
	lab_daemon_expect(daemon, LAB_MATCH(.event = "ghost.spared", .reason = "report", .remote = leak->remote));
	lab_daemon_pump(daemon, 3000);
	ck_assert_int_eq(lab_scene_state(scene, leak), LAB_CLOSE_WAIT);
	ck_assert_uint_eq(lab_daemon_count(daemon, LAB_MATCH(.event = "ghost.reaped")), 0);
	ck_assert_uint_eq(lab_daemon_count(daemon, LAB_MATCH(.event = "ghost.failed")), 0);
	ck_assert_uint_eq(lab_daemon_count(daemon, LAB_MATCH(.event = "ghost.healed")), 0);
	ck_assert_uint_eq(lab_daemon_count(daemon, LAB_MATCH(.event = "ghost.found", .remote = leak->remote)), 1);
	lab_must(&scene->server, deed_close, leak->server_fd);
	lab_daemon_expect(daemon, LAB_MATCH(.event = "ghost.healed", .remote = leak->remote));
}

/* With no way to release, a ghost is found, told of and left, until the application closes it. */
START_TEST(it_does_what_the_facts_say)
{
	struct lab_connection leak;
	struct lab_daemon daemon;
	struct lab_scene scene;
	json_t *status;

	lab_scene_make(&scene, LAB_IPV4, PORT);
	lab_daemon_start(&daemon, &(struct lab_setup){.timeout = "1s", .net = {&scene.net}});
	lab_scene_leak(&scene, &leak);
	lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.found", .local = PORT, .remote = leak.remote,
					     .owner = scene.server.pid));
	status = lab_daemon_ask(&daemon, "status", NULL);
	if (strcmp(fact(status, "release"), "none") == 0) {
		expect_spared(&daemon, &scene, &leak);
	} else {
		lab_daemon_expect(&daemon, LAB_MATCH(.event = "ghost.reaped", .remote = leak.remote));
		ck_assert_int_eq(lab_scene_state(&scene, &leak), LAB_GONE);
	}
	json_decref(status);
	lab_daemon_stop(&daemon);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tier");
	TCase *tcase = lab_tcase(suite, "tier", 60);

	tcase_add_test(tcase, the_facts_are_what_this_kernel_offers);
	tcase_add_test(tcase, it_does_what_the_facts_say);
	return lab_main(suite);
}
