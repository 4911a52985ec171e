/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: from the configuration to the loop and back. */
#ifndef CORE_DAEMON_H
#define CORE_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "override.h"

/* Exit codes, promised to users. */
enum daemon_exit {
	DAEMON_STOPPED = 0,
	DAEMON_USAGE = 2,  /* usage or configuration */
	DAEMON_SYSTEM = 3, /* the kernel or the privileges lack something that is needed */
	DAEMON_PLUGINS = 4 /* no enabled plugin could start */
};

struct daemon_options {
	const char *config_path; /* NULL: the installed one */
	const char *plugin_dir;
	bool observe; /* whatever the configuration says */
	const struct override *overrides;
	size_t override_count;
};

/* Runs until it is asked to stop. Says what is wrong on standard error. Returns an exit code (enum daemon_exit). */
int daemon_run(const struct daemon_options *options);

#endif
