/* SPDX-License-Identifier: Apache-2.0 */
/* How a process that is not our child ended. */
#ifndef CORE_PROCESS_END_H
#define CORE_PROCESS_END_H

#include <stdint.h>

#include "breaker.h"

/*
 * Of the ended process behind `pidfd`: from /proc while nobody has waited for it, from the pidfd afterwards (Linux 6.15).
 * `known` is false when neither tells.
 */
struct breaker_end process_end(int pidfd, int32_t pid, uint64_t start_ticks);

#endif
