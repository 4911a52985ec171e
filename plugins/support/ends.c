/* SPDX-License-Identifier: Apache-2.0 */
#include "ends.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "process_ends.h"

#define USER_HZ 100 /* of the fields of /proc/PID/stat, on every architecture that has BPF iterators */

int ends_find(int map, int32_t pid, uint64_t start_ticks, int32_t *ret_status)
{
	uint32_t slot = PROCESS_END_SLOT(pid);
	struct process_end end;
	int r = bpf_map_lookup_elem(map, &slot, &end);

	if (r < 0)
		return r;
	if (end.tgid != pid || end.start_ns / (1000000000U / USER_HZ) != start_ticks)
		return -ENOENT;
	*ret_status = end.status;
	return 0;
}
