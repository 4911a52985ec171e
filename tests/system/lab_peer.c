/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

long deed_option_read(const long *args)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt((int)args[0], (int)args[1], (int)args[2], &value, &size) < 0 ? -errno : value;
}

long deed_fin_timeout(const long *args)
{
	_cleanup_close_ int fd = open("/proc/sys/net/ipv4/tcp_fin_timeout", O_WRONLY | O_CLOEXEC);

	return fd < 0 || dprintf(fd, "%ld", args[0]) < 0 ? -errno : 0;
}

long deed_loopback(const long *args)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_flags = (short)(args[0] ? IFF_UP | IFF_RUNNING : 0)};

	memcpy(request.ifr_name, "lo", sizeof("lo"));
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

long deed_leak_many(const long *args)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)args[0]), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long leaked = 0;

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 16) < 0)
		return -errno;
	for (; leaked < args[1]; leaked++) {
		_cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0)
			return -errno;
	}
	close(listener);
	return leaked;
}
