/* SPDX-License-Identifier: Apache-2.0 */
/* flock: file locks that outlived the program that took them, and who really holds a lock. */
#include <errno.h>
#include <stdlib.h>

#include <linux/capability.h>

#include "fl.h"

static void facts_tell(const struct fl *fl)
{
	const struct gb_host *host = fl->host;

	host->fact(host, "locks", fl->kernel.walks ? "listed" : "seen-taken");
	host->fact(host, "mappings", fl->kernel.maps ? "iterator" : "unknown");
	if (!fl->kernel.walks)
		host->fact(host, "tier",
			   "this kernel lets no program list the locks of a file: only flock() locks taken since the "
			   "start are seen, and they are reported, not released");
	else if (!fl->kernel.maps)
		host->fact(host, "tier",
			   "this kernel has no iterator of mappings (Linux 5.13): a mapping may hold a lock, so locks "
			   "are reported, not released");
	else
		host->fact(host, "tier", "lists locks, descriptors and mappings, and releases what leaked");
}

static int kernel_open(struct fl *fl, const struct fl_config *config, struct fl_kernel *ret_kernel)
{
	char why[512] = "";
	int r = fl_kernel_open(ret_kernel, (uint32_t)config->max_tracked, why, sizeof(why));

	if (r < 0 && why[0])
		fl->host->log(fl->host, GB_LOG_ERROR, "the BPF programs do not load: %s", why);
	return r;
}

/* All that was learned from the programs goes with them. */
static void kernel_take(struct fl *fl, const struct fl_kernel *kernel)
{
	fl->kernel = *kernel;
	fl->attached_ns = fl_now(fl);
	fl->trusted_since_ns = 0;
	fl->missed = fl->missed_waits = fl->recursion_misses = 0;
	fl->must_survey = true;
	facts_tell(fl);
}

static void flock_close(void *state)
{
	struct fl *fl = state;

	fl_sweep_fini(fl);
	fl_waits_fini(&fl->waits);
	fl_known_fini(&fl->known);
	fl_kernel_close(&fl->kernel);
	free(fl->edges);
	free(fl);
}

static int flock_open(const struct gb_host *host, const void *config, void **ret_state)
{
	struct fl *fl = calloc(1, sizeof(*fl));
	struct fl_kernel kernel;
	int r;

	if (!fl)
		return -ENOMEM;
	fl->host = host;
	fl->config = config;
	fl->sweep.look.fd = -1;
	r = kernel_open(fl, config, &kernel);
	if (r < 0) {
		free(fl);
		return r;
	}
	kernel_take(fl, &kernel);
	*ret_state = fl;
	return 0;
}

static int flock_scan(void *state, struct gb_scan *scan)
{
	return fl_scan(state, scan);
}

static int flock_reap(void *state, struct gb_reap *reap)
{
	return fl_reap(state, reap);
}

/* Rules and timeouts apply from the next scan on; what the programs were loaded with needs new programs. */
static int flock_reconfigure(void *state, const void *new_config)
{
	const struct fl_config *config = new_config;
	struct fl *fl = state;

	fl_sweep_fini(fl);
	if (config->max_tracked != fl->config->max_tracked) {
		struct fl_kernel kernel;
		int r = kernel_open(fl, config, &kernel);

		if (r < 0)
			return r;
		fl_kernel_close(&fl->kernel);
		kernel_take(fl, &kernel);
	}
	fl->config = config;
	return 0;
}

GB_PLUGIN(.name = "flock", .version = "0.1.0",
	  .summary = "file locks: who really holds them, and those that outlived the program that took them",
	  .roles = GB_ROLE_DETECTOR | GB_ROLE_REAPER, .kernel_features = GB_KERNEL_BTF | GB_KERNEL_BPF_ITER,
	  .capabilities = UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON | UINT64_C(1) << CAP_SYS_ADMIN |
			  UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_KILL | UINT64_C(1) << CAP_DAC_READ_SEARCH,
	  .options = fl_options, .option_count = FL_OPTION_COUNT, .option_size = sizeof(struct gb_option),
	  .config_size = sizeof(struct fl_config), .open = flock_open, .scan = flock_scan, .reap = flock_reap,
	  .reconfigure = flock_reconfigure, .close = flock_close);
