/* SPDX-License-Identifier: Apache-2.0 */
/* A refusal is one sentence for the user: it names the thing, what was found, what was wanted, and what to do. */
#ifndef CORE_REFUSAL_H
#define CORE_REFUSAL_H

/*
 * Sets *ret_refusal to the formatted sentence (to be freed) and returns `error`, so that a check may end with
 * `return refuse(...)`. Out of memory ends the process: a refusal that is not said would pass for none.
 */
int refuse(char **ret_refusal, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
