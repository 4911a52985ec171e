/* SPDX-License-Identifier: Apache-2.0 */
/* `ghostbuster --check-config`: all that is wrong with a configuration, without running the code of any plugin. */
#ifndef CORE_CHECK_CONFIG_H
#define CORE_CHECK_CONFIG_H

#include <stdio.h>
#include <sys/types.h>

#include "daemon.h"

/*
 * Writes each problem as a line to `err` and, when there is none, one line to `out`. `owner` as in trust.h: 0 outside of
 * tests. Returns an exit code (enum daemon_exit).
 */
int check_config(const struct daemon_options *options, uid_t owner, FILE *out, FILE *err);

#endif
