/* SPDX-License-Identifier: Apache-2.0 */
/* A duplicate of a process's descriptor for a socket: what only the socket itself can tell. */
#ifndef TCP_CLOSE_WAIT_DUPLICATE_H
#define TCP_CLOSE_WAIT_DUPLICATE_H

#include <stdint.h>

/* pidfd_getfd(2): -ESRCH, -EBADF when the holder has ended or closed it; -EPERM under Yama ptrace_scope 3. */
int cw_duplicate_open(int32_t pid, int32_t fd);

int cw_duplicate_cookie(int fd, uint64_t *ret_cookie);
int cw_duplicate_state(int fd); /* TCP state, or -errno */

/* Whether the socket behind a process's descriptor is in TCP_REPAIR mode: 1, 0, -errno. */
int cw_duplicate_in_repair(int32_t pid, int32_t fd);

#endif
