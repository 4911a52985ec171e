/* SPDX-License-Identifier: Apache-2.0 */
/* What runs inside of a namespace: a bounded slice of its lists, and whose each object is. */
#include <errno.h>
#include <string.h>

#include "ipc.h"

#define TRIED_MAX 16384 /* indices a slice, used or not */

void sysv_visit_begin(struct sysv_visit *visit, const struct sysv_kernel *kernel, const struct sysv_namespace *ns)
{
	visit->kernel = kernel;
	visit->ns = *ns;
	visit->begun = visit->done = false;
	visit->kind = visit->index = visit->count = visit->judged = 0;
	visit->last_index = -1;
}

int sysv_objects_answer(const struct sysv_kernel *kernel, uint32_t ipcns, struct sysv_object *objects, uint32_t count)
{
	int r;

	if (!kernel->users) {
		for (uint32_t i = 0; i < count; i++)
			objects[i].answer = (struct sysv_query){.answer = SYSV_UNANSWERED};
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		kernel->queries[i] = (struct sysv_query){
			.id = objects[i].id, .index = objects[i].index, .kind = objects[i].kind, .ipcns = ipcns};
	r = sysv_kernel_answer(kernel, count);
	for (uint32_t i = 0; i < count; i++)
		objects[i].answer = kernel->queries[i];
	return r;
}

static bool kind_next(struct sysv_visit *visit)
{
	while (visit->kind < SYSV_KINDS && ((int)visit->index > visit->last_index || !visit->ns.in_use[visit->kind])) {
		visit->kind++;
		visit->index = 0;
		visit->last_index = visit->kind < SYSV_KINDS ? sysv_last_index(visit->kind) : -1;
	}
	return visit->kind < SYSV_KINDS;
}

int sysv_visit_run(void *arg)
{
	struct sysv_visit *visit = arg;

	if (!visit->begun) {
		sysv_limits_read(&visit->limits);
		visit->last_index = sysv_last_index(SYSV_SHM);
		visit->begun = true;
	}
	visit->count = visit->judged = 0;
	for (uint32_t tried = 0; tried < TRIED_MAX && visit->count < SYSV_QUERIES; tried++) {
		if (!kind_next(visit)) {
			visit->done = true;
			break;
		}
		if (sysv_object_at(visit->kind, visit->index++, &visit->objects[visit->count]) == 0)
			visit->count++;
	}
	return visit->count ? sysv_objects_answer(visit->kernel, visit->ns.ipcns, visit->objects, visit->count) : 0;
}
