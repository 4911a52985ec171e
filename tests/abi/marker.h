/* SPDX-License-Identifier: Apache-2.0 */
/* A constructor that leaves a file behind, so that a test sees whether any code of a plugin was run. */
#ifndef TESTS_ABI_MARKER_H
#define TESTS_ABI_MARKER_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MARKER_VARIABLE "EGHOSTBUSTER_TEST_MARKER"

__attribute__((constructor)) static void leave_marker(void)
{
	const char *path = getenv(MARKER_VARIABLE);
	int fd = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644) : -1;

	if (fd >= 0)
		close(fd);
}

#endif
