/* SPDX-License-Identifier: Apache-2.0 */
/* What no rule may touch, as two writers there cost data. */
#ifndef FLOCK_NEVER_H
#define FLOCK_NEVER_H

#include <stdint.h>

/* NULL, or the reason to spare: "protected-path", "path-unknown". */
const char *fl_never_path(const char *path);

/* NULL, or the reason to spare: "network-file-system" (the server holds the lock), "unknown-file-system". */
const char *fl_never_file_system(uint64_t magic);

#endif
