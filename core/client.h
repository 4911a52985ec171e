/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that ask the running daemon over its control socket (the protocol is in control.h): status, ghosts, leakers,
 * explain ID, resume PLUGIN. What the daemon answers is shown as a table or in sentences, every byte of it made safe.
 */
#ifndef CORE_CLIENT_H
#define CORE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum client_exit {
	CLIENT_OK = 0,
	CLIENT_FAILED = 1, /* the daemon could not be asked, or answered with an error */
	CLIENT_USAGE = 2,  /* unknown verb, argument missing */
};

struct client_request {
	const char *verb;     /* "status", "ghosts", "leakers", "explain", "resume" */
	const char *argument; /* explain: the id; resume: the plugin; ghosts: a plugin or NULL */
	int64_t limit;        /* ghosts: at most so many; 0 for the daemon's default */
	bool json;            /* the answer as it came, on one line */
};

/* Whether `verb` is one of the verbs above, and whether it needs an argument. */
bool client_verb(const char *verb, bool *ret_needs_argument);

/*
 * Asks and shows. The answer goes to `out`, what went wrong as one sentence to `err`. Returns an exit code (enum
 * client_exit). Waits at most 15 seconds. An {"error":…} with `json` goes to `out`, too.
 */
int client_run(const char *control_path, const struct client_request *request, FILE *out, FILE *err);

/*
 * The answer for people. `width` is the width to fit, in columns; 0: of the terminal when `out` is one, else unlimited.
 * -EBADMSG: this is no answer to that verb. -ENOMEM.
 */
int client_print(FILE *out, const char *verb, const json_t *answer, unsigned int width);

#endif
