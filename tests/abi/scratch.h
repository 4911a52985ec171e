/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own under /tmp for each test program: the build folder need not be one that root would trust. */
#ifndef TESTS_ABI_SCRATCH_H
#define TESTS_ABI_SCRATCH_H

#include <stdbool.h>

/* Makes the folder with an empty R/plugins in it, and has the fixtures' constructors leave a marker there. */
void scratch_init(void);
void scratch_fini(void);

/* `text` with each "R/" replaced by the folder, and each "UID" by ours. Valid until the next call. */
const char *scratch_expand(const char *text);

/* Copies the fixture NAME.so to a path ("R/plugins/NAME.so"). */
void scratch_copy(const char *fixture, const char *path);

/* Whether the code of any plugin was run since scratch_init() or the last call. */
bool scratch_take_marker(void);

#endif
