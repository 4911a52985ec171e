/* SPDX-License-Identifier: Apache-2.0 */
/* One `--set SCOPE.KEY=VALUE` of the command line. */
#ifndef CORE_OVERRIDE_H
#define CORE_OVERRIDE_H

#include "problems.h"

#define OVERRIDE_CORE "ghostbuster" /* the scope of the daemon's own options; no plugin may have this name */
#define OVERRIDE_TEXT_MAX 65536     /* bytes of one argument */

struct override {
	const char *scope; /* "ghostbuster", or a plugin: "tcp_close_wait" */
	const char *key;   /* may have dots: "guard.rate" */
	const char *value;
	const char *typed; /* "--set tcp_close_wait.timeout=-3": stands for the file in messages */
	char *storage;     /* owned; what the four point into */
};

/* Splits the argument of --set, which is copied. -EINVAL with a problem added when it is none. */
int override_parse(const char *text, struct override *ret_override, struct problems *problems);

void override_fini(struct override *override);

#endif
