/* SPDX-License-Identifier: Apache-2.0 */
/* What each check_*.c of this folder shares: a Check program whose tests run in a laboratory. */
#ifndef TESTS_SYSTEM_LAB_CHECK_H
#define TESTS_SYSTEM_LAB_CHECK_H

#include <check.h>

#include "lab.h"

/* Most tests run once with each way to release a socket: loop tests over these. */
enum { LAB_METHOD_COUNT = 2 };
const char *lab_method(int i); /* ends the test as passed when this kernel is not expected to have it */

/* A test case whose tests have a laboratory and `timeout_s` seconds. */
TCase *lab_tcase(Suite *suite, const char *name, int timeout_s);

/* The exit code of main(): 77, with the reason, without root. */
int lab_main(Suite *suite);
int lab_main_shared(Suite *suite); /* for tests that can share a daemon: see lab_share() */

#endif
