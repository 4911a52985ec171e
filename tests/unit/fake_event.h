/* SPDX-License-Identifier: Apache-2.0 */
/* An event at a fixed time, and a reader of what the journal made of it. */
#ifndef TESTS_UNIT_FAKE_EVENT_H
#define TESTS_UNIT_FAKE_EVENT_H

#include "journal.h"

#include <fcntl.h>
#include <unistd.h>

#define TIME_NS UINT64_C(1795378841123456789) /* 2026-11-22 20:20:41.123 UTC */
static inline uint64_t fake_clock(void)
{
	return TIME_NS;
}

static const struct gb_owner nginx = {.pid = 123,
				      .uid = 33,
				      .comm = "nginx",
				      .exe = "/usr/sbin/nginx",
				      .cgroup = "/system.slice/nginx.service",
				      .unit = "nginx.service",
				      .container = "",
				      .pod = ""};
static const struct gb_owner *const one_owner[] = {&nginx};
static const struct gb_field evidence[] = {
	{.name = "silence", .type = GB_FIELD_DURATION, .value = 60012 * (uint64_t)GB_MILLISECOND},
	{.name = "queue", .type = GB_FIELD_BYTES, .value = 1},
	{.name = "class", .type = GB_FIELD_TEXT, .text = "never-looked"},
	{.name = "mapped", .type = GB_FIELD_BOOL, .value = 1},
	{.name = "delta", .type = GB_FIELD_INTEGER, .value = (uint64_t)-3},
};
static const struct gb_ns netns = {.kind = GB_NS_NET, .inode = 4026531840};

#define REAPED \
	.name = "ghost.reaped", .plugin = "tcp_close_wait", .id = "tcp-1f", .has_age = true, \
	.age_ns = 60012 * (uint64_t)GB_MILLISECOND, .action = "destroy", \
	.resource = "tcp 127.0.0.1:8080 -> 127.0.0.1:51234"

/* Reads what there is. */
static inline size_t drain(int fd, char *to, size_t size)
{
	size_t at = 0;
	ssize_t length;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (at < size && (length = read(fd, to + at, size - at)) > 0)
		at += (size_t)length;
	return at;
}

#endif
