/* SPDX-License-Identifier: Apache-2.0 */
/* Open file descriptions that change processes in a message of a UNIX socket. */
#include "lab.h"

#include <string.h>
#include <sys/socket.h>

#define MOST 2

long lab_pass(int channel, const void *bytes, size_t size, const int *fds, size_t count)
{
	char space[CMSG_SPACE(MOST * sizeof(int))] = {0};
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = space,
				 .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	return sendmsg(channel, &message, 0) == (ssize_t)size ? 0 : -errno;
}

bool lab_take(int channel, void *bytes, size_t size, int *fds, size_t count, int flags)
{
	char space[CMSG_SPACE(MOST * sizeof(int))] = {0};
	struct iovec part = {.iov_base = bytes, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
	const struct cmsghdr *header;

	if (recvmsg(channel, &message, flags) != (ssize_t)size)
		return false;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(count * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	return true;
}
