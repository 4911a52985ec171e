/* SPDX-License-Identifier: Apache-2.0 */
#include "process_end.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cleanup.h"

/* struct pidfd_info of linux/pidfd.h, as far as its first version goes; the headers of Debian 12 lack it. */
struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t ids[11];
	int32_t exit_code;
};

#define PIDFD_INFO_EXIT_BIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO_CALL _IOWR(0xFF, 11, struct pidfd_info_v0)

/* Fields of /proc/PID/stat, counted from 1; the first behind the comm is 3. */
#define STAT_STATE 3
#define STAT_START 22
#define STAT_EXIT_CODE 52

static bool end_of_zombie(int32_t pid, uint64_t start_ticks, struct breaker_end *ret_end)
{
	char path[64], text[1024], *at, *rest = NULL;
	_cleanup_close_ int fd = -1;
	ssize_t length;
	bool same = false;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return false;
	text[length] = '\0';
	at = strrchr(text, ')');
	at = at ? strtok_r(at + 1, " \n", &rest) : NULL;
	for (int field = STAT_STATE; at; field++, at = strtok_r(NULL, " \n", &rest)) {
		if (field == STAT_STATE && *at != 'Z')
			return false;
		if (field == STAT_START)
			same = strtoull(at, NULL, 10) == start_ticks;
		if (field == STAT_EXIT_CODE && same) {
			*ret_end = (struct breaker_end){.known = true, .status = atoi(at)};
			return true;
		}
	}
	return false;
}

struct breaker_end process_end(int pidfd, int32_t pid, uint64_t start_ticks)
{
	struct pidfd_info_v0 info = {.mask = PIDFD_INFO_EXIT_BIT};
	struct breaker_end end = {0};

	if (!end_of_zombie(pid, start_ticks, &end) && ioctl(pidfd, PIDFD_GET_INFO_CALL, &info) == 0 &&
	    (info.mask & PIDFD_INFO_EXIT_BIT))
		end = (struct breaker_end){.known = true, .status = info.exit_code};
	return end;
}
