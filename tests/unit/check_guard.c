/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SELF 4242
#define NO_PORT \
	{ \
		.first = 1, .last = 0 \
	}
#define NOBODY \
	{ \
		.uid = -1 \
	}

static const struct gb_owner plain = {.pid = 100,
				      .uid = 1000,
				      .comm = "app",
				      .exe = "/usr/bin/app",
				      .cgroup = "/user.slice",
				      .unit = "app.service",
				      .container = "",
				      .pod = "",
				      .netns_inode = 77};
static const struct gb_owner guarded = {.pid = 101,
					.uid = 33,
					.comm = "nginx",
					.exe = "/usr/sbin/nginx",
					.cgroup = "/system.slice/nginx.service",
					.unit = "nginx.service",
					.container = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
					.pod = "",
					.netns_inode = 78};
static const struct gb_owner init = {
	.pid = 1, .comm = "systemd", .exe = "", .cgroup = "", .unit = "", .container = "", .pod = ""};
static const struct gb_owner self = {
	.pid = SELF, .comm = "ghostbuster", .exe = "", .cgroup = "", .unit = "", .container = "", .pod = ""};

static const struct gb_owner guarded_once = {.pid = 102,
					     .uid = 33,
					     .flags = GB_OWNER_ENDED,
					     .comm = "nginx",
					     .exe = "/usr/sbin/nginx",
					     .cgroup = "/system.slice/nginx.service",
					     .unit = "nginx.service",
					     .container =
						     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
					     .pod = ""};
static const struct gb_owner plain_once = {.pid = 1,
					   .uid = 1000,
					   .flags = GB_OWNER_ENDED,
					   .comm = "app",
					   .exe = "",
					   .cgroup = "",
					   .unit = "",
					   .container = "",
					   .pod = ""};

static const struct gb_owner *const once[] = {&plain_once, &guarded_once};
static const struct gb_owner *const just_once[] = {&plain_once};
static const struct gb_owner *const just_plain[] = {&plain};
static const struct gb_owner *const both[] = {&plain, &guarded};
static const struct gb_owner *const with_init[] = {&plain, &init};
static const struct gb_owner *const with_self[] = {&self};

static struct guard_verdict judge(const struct exemption *exemption, bool observe, const struct guard_subject *subject)
{
	struct config_guard settings = {0};
	struct guard guard = {.settings = &settings, .observe = observe, .self = SELF};
	struct guard_verdict verdict;

	if (exemption)
		settings.exempt =
			(struct gb_groups){.items = exemption, .count = 1, .item_size = sizeof(struct exemption)};
	guard_judge(&guard, subject, &verdict);
	return verdict;
}

static const struct exemption exemptions[] = {
	{.port = NO_PORT, .owner = {.uid = -1, .comm = "nginx"}},
	{.port = NO_PORT, .owner = {.uid = -1, .exe = "/usr/sbin/*"}},
	{.port = NO_PORT, .owner = {.uid = -1, .unit = "nginx.*"}},
	{.port = NO_PORT, .owner = {.uid = -1, .container = "0123456789ab"}},
	{.port = NO_PORT, .owner = {.uid = -1, .cgroup = "/system.slice/*"}},
	{.port = NO_PORT, .owner = {.uid = 33}},
	{.port = NO_PORT, .owner = {.uid = 33, .comm = "nginx", .exe = "*nginx"}},
};

START_TEST(any_one_holder_that_is_exempt_protects)
{
	const struct exemption *exemption = &exemptions[_i];
	struct guard_subject alone = {.owners = just_plain, .owner_count = 1, .holder_count = 1};
	struct guard_subject shared = {.owners = both, .owner_count = 2, .holder_count = 2};

	ck_assert_ptr_null(judge(exemption, false, &alone).reason);
	ck_assert_str_eq(judge(exemption, false, &shared).reason, "exempt");
	ck_assert_str_eq(judge(exemption, true, &shared).reason, "exempt");
}
END_TEST

/* Nobody lives, and yet: it is known whose it was. */
START_TEST(a_former_owner_that_was_exempt_protects)
{
	struct guard_subject former = {.owners = once, .owner_count = 2};

	ck_assert_str_eq(judge(&exemptions[_i], false, &former).reason, "exempt");
	former.owner_count = 1;
	ck_assert_ptr_null(judge(&exemptions[_i], false, &former).reason);
}
END_TEST

START_TEST(ports_and_paths)
{
	static const struct {
		struct exemption exemption;
		uint32_t port;
		const char *path;
		bool exempt;
	} cases[] = {
		{{.port = {22, 22}, .owner = NOBODY}, 22, NULL, true},
		{{.port = {22, 22}, .owner = NOBODY}, 23, NULL, false},
		{{.port = {22, 22}, .owner = NOBODY}, 0, NULL, false},
		{{.port = {0, 65535}, .owner = NOBODY}, 0, NULL, false},
		{{.port = {8000, 8999}, .owner = NOBODY}, 8000, NULL, true},
		{{.port = {8000, 8999}, .owner = NOBODY}, 8999, NULL, true},
		{{.port = {8000, 8999}, .owner = NOBODY}, 9000, NULL, false},
		{{.port = {8000, 8999}, .owner = {.uid = 1}}, 8000, NULL, false},
		{{.port = {8000, 8999}, .owner = {.uid = 1000}}, 8000, NULL, true},
		{{.port = NO_PORT, .path = "/var/lib/*", .owner = NOBODY}, 0, "/var/lib/dpkg/lock", true},
		{{.port = NO_PORT, .path = "/var/lib/*", .owner = NOBODY}, 0, "/var/log/lock", false},
		{{.port = NO_PORT, .path = "/var/lib/*", .owner = NOBODY}, 0, NULL, false},
		{{.port = NO_PORT, .path = "/a[b", .owner = NOBODY}, 0, "/a[b", true},
		{{.port = {80, 80}, .path = "/x", .owner = NOBODY}, 81, "/x", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_subject subject = {.port = cases[i].port,
						.path = cases[i].path,
						.owners = just_plain,
						.owner_count = 1,
						.holder_count = 1};
		const char *reason = judge(&cases[i].exemption, false, &subject).reason;

		ck_assert_msg((reason && strcmp(reason, "exempt") == 0) == cases[i].exempt, "case %zu", i);
	}
}
END_TEST

START_TEST(the_message_names_the_line_and_the_holder)
{
	struct exemption exemption = exemptions[0];
	struct guard_subject shared = {.owners = both, .owner_count = 2, .holder_count = 2};

	exemption.group.file = "/etc/x.cfg";
	exemption.group.line = 12;
	ck_assert_str_eq(judge(&exemption, false, &shared).detail,
			 "guard.exempt at /etc/x.cfg:12, which nginx[101] matches");
	shared.owners = once;
	shared.holder_count = 0;
	ck_assert_str_eq(judge(&exemption, false, &shared).detail,
			 "guard.exempt at /etc/x.cfg:12, which nginx[102] matched when it lived");
	exemption = (struct exemption){.port = {80, 80}, .owner = NOBODY, .group = {.file = "/etc/x.cfg", .line = 3}};
	shared.port = 80;
	ck_assert_str_eq(judge(&exemption, false, &shared).detail, "guard.exempt at /etc/x.cfg:3");
}
END_TEST

START_TEST(always_and_in_order)
{
	static const struct {
		struct guard_subject subject;
		bool observe;
		const char *reason;
	} cases[] = {
		{{.owners = just_plain, .owner_count = 1, .holder_count = 1}, false, NULL},
		{{.owners = with_init, .owner_count = 2, .holder_count = 2}, false, "exempt"},
		{{.owners = with_self, .owner_count = 1, .holder_count = 1}, false, "exempt"},
		{{.owners = just_plain, .owner_count = 1, .holder_count = 1}, true, "observe"},
		{{.owners = just_plain, .owner_count = 1, .holder_count = 1, .tripped = true}, false, "breaker"},
		{{.owners = just_plain, .owner_count = 1, .holder_count = 1, .tripped = true}, true, "observe"},
		{{.owners = just_plain, .owner_count = 1, .holder_count = 1, .report_only = true}, true, "report"},
		{{.holder_count = 2}, false, "holder-gone"},
		{{.holder_count = 2}, true, "holder-gone"},
		{{.holder_count = 0}, false, NULL}, /* a kind that has no holders */
		{{.owners = just_plain, .owner_count = 1, .holder_count = 2}, false, NULL},
		/* who is gone holds nothing, and its pid is somebody else's */
		{{.owners = just_once, .owner_count = 1, .holder_count = 1}, false, "holder-gone"},
		{{.owners = just_once, .owner_count = 1}, false, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guard_verdict verdict = judge(NULL, cases[i].observe, &cases[i].subject);

		if (cases[i].reason)
			ck_assert_pstr_eq(verdict.reason, cases[i].reason);
		else
			ck_assert_msg(!verdict.reason, "case %zu: %s", i, verdict.reason);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *tests = tcase_create("guard");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, any_one_holder_that_is_exempt_protects, 0,
			    (int)(sizeof(exemptions) / sizeof(exemptions[0])));
	tcase_add_loop_test(tests, a_former_owner_that_was_exempt_protects, 0,
			    (int)(sizeof(exemptions) / sizeof(exemptions[0])));
	tcase_add_test(tests, ports_and_paths);
	tcase_add_test(tests, the_message_names_the_line_and_the_holder);
	tcase_add_test(tests, always_and_in_order);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
