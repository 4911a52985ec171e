/* SPDX-License-Identifier: Apache-2.0 */
/* sysv_ipc: shared memory, semaphores and message queues that nobody will use again. */
#include <errno.h>
#include <string.h>

#include <linux/capability.h>

#include "ipc.h"

static void facts_tell(const struct sysv *sysv)
{
	const struct gb_host *host = sysv->host;

	host->fact(host, "users", sysv->kernel.users ? "kernel" : "unknown");
	host->fact(host, "sleepers", sysv->kernel.blocked ? "lists and calls" : "lists");
	if (!sysv->kernel.users)
		host->fact(host, "tier", "whose an object is cannot be read (lockdown): nothing is removed");
	else if (!sysv->kernel.blocked)
		host->fact(
			host, "tier",
			"reads whose an object is; a paused process protects all queues and semaphores of its namespace "
			"(before Linux 5.15)");
	else
		host->fact(host, "tier", "reads whose an object is, and who sleeps on it");
}

static void sysv_close(void *state)
{
	struct sysv *sysv = state;

	sysv_tasks_fini(&sysv->tasks);
	sysv_known_fini(&sysv->known);
	sysv_people_fini(&sysv->people);
	sysv_kernel_close(&sysv->kernel);
	free(sysv);
}

static int sysv_open(const struct gb_host *host, const void *config, void **ret_state)
{
	char why[512] = "";
	struct sysv *sysv;
	int r;

	sysv = calloc(1, sizeof(*sysv));
	if (!sysv)
		return -ENOMEM;
	sysv->host = host;
	sysv->config = config;
	sysv->timeout_ns = sysv_config_timeout(config);
	sysv->tasks.fd = -1;
	r = sysv_kernel_open(&sysv->kernel, why, sizeof(why));
	if (r < 0) {
		if (why[0])
			host->log(host, GB_LOG_ERROR, "the BPF programs do not load: %s", why);
		free(sysv);
		return r;
	}
	facts_tell(sysv);
	*ret_state = sysv;
	return 0;
}

static int scan(void *state, struct gb_scan *slice)
{
	return sysv_scan(state, slice);
}

static int reap(void *state, struct gb_reap *batch)
{
	return sysv_reap(state, batch);
}

/* What is known of the objects stays; other limits apply from the next scan on. */
static int reconfigure(void *state, const void *config)
{
	struct sysv *sysv = state;

	sysv->config = config;
	sysv->timeout_ns = sysv_config_timeout(config);
	sysv->sweep.phase = SYSV_IDLE;
	return 0;
}

GB_PLUGIN(.name = "sysv_ipc", .version = "0.1.0",
	  .summary = "System V shared memory, semaphores and message queues that crashed programs left behind",
	  .roles = GB_ROLE_DETECTOR | GB_ROLE_REAPER, .kernel_features = GB_KERNEL_BTF | GB_KERNEL_BPF_ITER,
	  .capabilities = UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON | UINT64_C(1) << CAP_IPC_OWNER |
			  UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE,
	  .options = sysv_options, .option_count = SYSV_OPTION_COUNT, .option_size = sizeof(sysv_options[0]),
	  .config_size = sizeof(struct sysv_config), .open = sysv_open, .scan = scan, .reap = reap,
	  .reconfigure = reconfigure, .close = sysv_close);
