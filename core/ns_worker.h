/* SPDX-License-Identifier: Apache-2.0 */
/* The one thread that enters namespaces. The main thread never leaves its own. */
#ifndef CORE_NS_WORKER_H
#define CORE_NS_WORKER_H

#include <stdint.h>

struct ns_worker;

/* Opens the caller's namespaces as home. Starts no thread: an idle daemon has none. -errno. */
int ns_worker_new(struct ns_worker **ret_worker);
void ns_worker_free(struct ns_worker *worker); /* NULL is fine; not from the worker itself */

/*
 * Runs fn(arg) on the worker inside of the namespace, while the caller waits, and returns what it returns. Before that:
 * -EINVAL (ns_fd is no namespace of `kind`), -EPERM and others of setns(2), -EAGAIN (no thread), -EDEADLK (called from
 * within fn). `ns_fd` stays the caller's. One caller at a time.
 * Aborts the process when the worker cannot get home: nothing may go on in the wrong namespace.
 */
int ns_worker_run(struct ns_worker *worker, int ns_fd, uint32_t kind, int (*fn)(void *arg), void *arg);

/*
 * Ends the thread; the next run starts another. To be called before capabilities are dropped: they belong to a thread,
 * and one that was started earlier would keep all.
 */
void ns_worker_stop(struct ns_worker *worker);

#endif
