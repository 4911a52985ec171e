/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gentle way: a duplicate of the holder's descriptor is shut down. What is queued is delivered, the peer gets a FIN, the
 * application an end of file and a wake-up. The socket's cookie, read from the duplicate itself, is the proof that it is the
 * right one.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "cw.h"

bool cw_is_gentle(const struct gb_reap_item *item)
{
	return !cw_proof_of(item)->probe && strcmp(item->action, "shutdown") == 0;
}

/* 0 when it is the socket, in CLOSE_WAIT, with nothing on its way out. */
static int duplicate_check(int fd, const struct cw_proof *proof, struct gb_reap_item *item)
{
	uint64_t cookie;
	int unsent = 0;

	if (cw_duplicate_cookie(fd, &cookie) < 0 || cookie != proof->cookie ||
	    cw_duplicate_state(fd) != CW_TCP_CLOSE_WAIT) {
		cw_item_set(item, GB_HEALED, 0, NULL);
		return -ESTALE;
	}
	if (ioctl(fd, SIOCOUTQ, &unsent) < 0 || unsent) {
		cw_item_set(item, GB_SPARED, 0, cw_verdict_reason(CW_UNSENT));
		return -EBUSY;
	}
	return 0;
}

static void refused_set(struct cw *cw, struct gb_reap_item *item, int error)
{
	cw->getfd_refused |= error == -EPERM;
	if (error != -EPERM)
		cw_item_set(item, GB_FAILED, error, "pidfd_getfd");
	else if (cw->config->shutdown_refused == CW_REFUSED_DESTROY)
		cw_item_set(item, GB_SPARED, 0, "shutdown-refused"); /* and destroyed when it is judged again */
	else
		cw_item_set(item, GB_FAILED, error,
			    "pidfd_getfd is refused, as under Yama ptrace_scope 3: set action or shutdown_refused = "
			    "\"destroy\"");
}

void cw_release_by_shutdown(struct cw *cw, struct gb_reap_item *item)
{
	const struct cw_proof *proof = item->proof;
	int fd = cw_duplicate_open(proof->pid, proof->fd);

	if (fd == -EBADF || fd == -ESRCH) { /* the holder closed it, or has ended */
		cw_item_set(item, GB_HEALED, 0, NULL);
		return;
	}
	if (fd < 0) {
		refused_set(cw, item, fd);
		return;
	}
	if (duplicate_check(fd, proof, item) == 0) {
		if (shutdown(fd, SHUT_RDWR) < 0 && errno != ENOTCONN)
			cw_item_set(item, GB_FAILED, -errno, "shutdown");
		else if (cw_duplicate_state(fd) == CW_TCP_CLOSE_WAIT)
			cw_item_set(item, GB_FAILED, -EBUSY, "still in CLOSE_WAIT after shutdown");
		else
			cw_item_set(item, GB_REAPED, 0, NULL);
	}
	close(fd);
}
