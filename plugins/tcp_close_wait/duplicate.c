/* SPDX-License-Identifier: Apache-2.0 */
#include "duplicate.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/tcp.h>

int cw_duplicate_open(int32_t pid, int32_t fd)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0), copy, error;

	if (process < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	error = errno;
	close(process);
	return copy < 0 ? -error : copy;
}

int cw_duplicate_cookie(int fd, uint64_t *ret_cookie)
{
	socklen_t size = sizeof(*ret_cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_cookie, &size) < 0 ? -errno : 0;
}

int cw_duplicate_state(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? -errno : info.tcpi_state;
}

int cw_duplicate_in_repair(int32_t pid, int32_t fd)
{
	int copy = cw_duplicate_open(pid, fd), value = 0, r;
	socklen_t size = sizeof(value);

	if (copy < 0)
		return copy;
	r = getsockopt(copy, IPPROTO_TCP, TCP_REPAIR, &value, &size) < 0 ? -errno : value != 0;
	close(copy);
	return r;
}
