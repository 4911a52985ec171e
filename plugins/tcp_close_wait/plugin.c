/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_close_wait: TCP sockets whose peer has closed and whose application never does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/capability.h>

#include "cw.h"

static void facts_tell(const struct cw *cw)
{
	const struct gb_host *host = cw->host;
	const char *tier;

	if (cw->kernel.releases)
		tier = "looks, judges and destroys under the socket's lock: no window in between";
	else if (!cw->destroys)
		tier = "looks by iterator and only reports: neither bpf_sock_destroy() nor tcp_diag is there";
	else if (cw->kernel.looks)
		tier = "looks by iterator, destroys by SOCK_DESTROY with the cookie right after a second look";
	else
		tier = "looks by sock_diag, destroys by SOCK_DESTROY with the cookie right after a second look";
	host->fact(host, "look", cw->kernel.looks ? "iterator" : "sock_diag");
	host->fact(host, "release", cw->kernel.releases ? "iterator" : cw->destroys ? "sock_diag" : "none");
	host->fact(host, "tier", tier);
}

/* What is left to do without bpf_sock_destroy() depends on tcp_diag, which may be a module that is not there. */
static int diag_check(struct cw *cw, const struct cw_kernel *kernel)
{
	int r = kernel->releases ? 0 : cw_diag_probe();

	cw->destroys = r == 0;
	if (r == 0)
		return 0;
	if (!kernel->looks) {
		cw->host->log(
			cw->host, GB_LOG_ERROR,
			"sock_diag does not answer for TCP and this kernel has no better way to look at sockets: load "
			"the module tcp_diag");
		return r == -ENOENT ? -EOPNOTSUPP : r;
	}
	cw->host->log(
		cw->host, GB_LOG_WARNING,
		"this kernel has no bpf_sock_destroy() (Linux 6.5) and sock_diag does not answer for TCP: ghosts are "
		"only reported; load the module tcp_diag and restart");
	return 0;
}

static int kernel_open(struct cw *cw, const struct cw_config *config, struct cw_kernel *ret_kernel)
{
	char why[512] = "";
	int r = cw_kernel_open(ret_kernel, config->method, (uint32_t)config->max_tracked, why, sizeof(why));

	if (r == -EOPNOTSUPP && config->method == CW_METHOD_ITERATOR)
		cw->host->log(
			cw->host, GB_LOG_ERROR,
			"method = iterator needs bpf_sock_destroy() (Linux 6.5), which this kernel lacks: set method = auto");
	else if (r < 0 && why[0])
		cw->host->log(cw->host, GB_LOG_ERROR, "the BPF programs do not load: %s", why);
	if (r < 0)
		return r;
	r = diag_check(cw, ret_kernel);
	if (r < 0)
		cw_kernel_close(ret_kernel);
	return r;
}

static void close_wait_close(void *state)
{
	struct cw *cw = state;

	cw_release_fini(cw);
	cw_probe_fini(cw);
	cw_sweep_fini(&cw->sweep);
	cw_agenda_fini(&cw->agenda);
	cw_known_fini(&cw->known);
	cw_aftermath_fini(&cw->aftermath);
	cw_kernel_close(&cw->kernel);
	free(cw);
}

static int close_wait_open(const struct gb_host *host, const void *config, void **ret_state)
{
	struct cw *cw = calloc(1, sizeof(*cw));
	int r;

	if (!cw)
		return -ENOMEM;
	cw->host = host;
	cw->config = config;
	cw->timeout_ns = cw_config_timeout(config);
	cw->sweep.look.fd = cw->sweep.holders.fd = cw->release.fd = cw->release.holders.fd = -1;
	r = kernel_open(cw, config, &cw->kernel);
	if (r < 0) {
		free(cw);
		return r;
	}
	facts_tell(cw);
	*ret_state = cw;
	return 0;
}

static int close_wait_scan(void *state, struct gb_scan *scan)
{
	return cw_scan(state, scan);
}

static int close_wait_reap(void *state, struct gb_reap *reap)
{
	return cw_reap(state, reap);
}

/* Another timeout or action applies from the next scan on; what the programs were loaded with needs new programs. */
static int close_wait_reconfigure(void *state, const void *new_config)
{
	const struct cw_config *config = new_config;
	struct cw *cw = state;

	cw_release_fini(cw);
	cw_aftermath_end(cw, false);
	if (config->method != cw->config->method || config->max_tracked != cw->config->max_tracked) {
		struct cw_kernel kernel;
		int r = kernel_open(cw, config, &kernel);
		bool same_ids;

		if (r < 0)
			return r;
		same_ids = cw->kernel.looks == kernel.looks;
		cw_kernel_close(&cw->kernel);
		cw->kernel = kernel;
		cw_aftermath_reload(cw, same_ids);
		cw->scope_digest = 0;
		cw->missed = cw->unplaced = cw->recursion_misses = 0;
		facts_tell(cw);
	}
	cw_sweep_fini(&cw->sweep);
	cw_agenda_fini(&cw->agenda);
	cw->config = config;
	cw->timeout_ns = cw_config_timeout(config);
	cw->must_repair = true;
	cw->repaired_ns = 0;
	return 0;
}

static int close_wait_explain(void *state, uint64_t key, const struct gb_explain *explain)
{
	return cw_explain(state, key, explain);
}

static int close_wait_ended(void *state, int32_t pid, uint64_t start_ticks, int32_t *ret_status)
{
	const struct cw *cw = state;

	return cw_kernel_ended(&cw->kernel, pid, start_ticks, ret_status);
}

GB_PLUGIN(.name = "tcp_close_wait", .version = "0.1.0",
	  .summary = "TCP sockets in CLOSE_WAIT: the peer has closed, the application never does",
	  .roles = GB_ROLE_DETECTOR | GB_ROLE_REAPER, .kernel_features = GB_KERNEL_BTF | GB_KERNEL_BPF_ITER,
	  .capabilities = UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON | UINT64_C(1) << CAP_NET_ADMIN |
			  UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE,
	  .options = cw_options, .option_count = CW_OPTION_COUNT, .option_size = sizeof(cw_options[0]),
	  .config_size = sizeof(struct cw_config), .open = close_wait_open, .scan = close_wait_scan,
	  .reap = close_wait_reap, .reconfigure = close_wait_reconfigure, .close = close_wait_close,
	  .explain = close_wait_explain, .ended = close_wait_ended);
