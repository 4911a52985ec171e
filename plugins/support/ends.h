/* SPDX-License-Identifier: Apache-2.0 */
/* How processes ended, from the map that process_ends.bpf.h keeps. */
#ifndef PLUGINS_SUPPORT_ENDS_H
#define PLUGINS_SUPPORT_ENDS_H

#include <stdint.h>

/* `map` is that of `process_ends`. As gb_plugin.ended: -ENOENT when it was not seen, or another has its place by now. */
int ends_find(int map, int32_t pid, uint64_t start_ticks, int32_t *ret_status);

#endif
