/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `ghostbuster`. */
#ifndef CORE_CLI_H
#define CORE_CLI_H

/* All of main(): returns the exit code. */
int cli_main(int argc, char *argv[]);

#endif
