/* SPDX-License-Identifier: Apache-2.0 */
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cw.h"

struct opening {
	const struct cw_kernel *kernel;
	bool dump;
	uint32_t fin_timeout_ms;
};

#define FIN_TIMEOUT_DEFAULT_MS 60000

uint32_t cw_fin_timeout_ms(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_fin_timeout", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got > 0 ? (uint32_t)strtoul(text, NULL, 10) * 1000 : FIN_TIMEOUT_DEFAULT_MS;
}

static int look_open(void *arg)
{
	struct opening *opening = arg;

	if (opening->dump)
		opening->fin_timeout_ms = cw_fin_timeout_ms();
	return opening->dump ? cw_diag_open() : cw_kernel_pass(opening->kernel, CW_PASS_LOOK);
}

static int observation_take(const void *record, void *arg)
{
	struct cw_look *look = arg;
	int r = array_room(&look->seen, &look->capacity, look->count, sizeof(*look->seen));

	if (r < 0)
		return r;
	memcpy(&look->seen[look->count++], record, sizeof(*look->seen));
	return 0;
}

static int entry_of_tuple(const void *tuple, const void *entry)
{
	return memcmp(tuple, &((const struct cw_entry *)entry)->suspect.tuple, sizeof(struct cw_tuple));
}

/* What the dump cannot know: the moment of the FIN, if the tracepoint saw it. */
static int dumped_take(struct cw_observation *seen, void *arg)
{
	struct cw *cw = arg;
	struct cw_look *look = &cw->sweep.look;
	const struct cw_entry *entry;
	uint64_t now = cw_now(cw);

	seen->tuple.netns = look->netns;
	seen->fin_timeout_ms = look->fin_timeout_ms;
	entry = look->entry_count
			? bsearch(&seen->tuple, look->entries, look->entry_count, sizeof(*entry), entry_of_tuple)
			: NULL;
	seen->age_ns = seen->silence_ns;
	if (entry) {
		seen->sock = entry->sock;
		seen->age_ns = now > entry->suspect.since_ns ? now - entry->suspect.since_ns : 0;
	}
	if (!entry && seen->age_ns < cw->timeout_ns) {
		struct cw_due due = {.at_ns = now - seen->age_ns + cw->timeout_ns, .netns = look->netns};
		int r = cw_agenda_add(&cw->agenda, &due);

		if (r < 0)
			return r;
	}
	return observation_take(seen, look);
}

int cw_look_begin(struct cw *cw, const struct gb_ns *ns)
{
	struct opening opening = {.kernel = &cw->kernel, .dump = !cw->kernel.looks};
	int fd = cw->host->ns_run(cw->host, ns, look_open, &opening);

	if (fd < 0)
		return fd;
	if (!cw->kernel.looks)
		cw_agenda_drop_namespace(&cw->agenda, (uint32_t)ns->inode); /* the dump adds what is still true */
	cw->sweep.look.fd = fd;
	cw->sweep.look.dump = (struct cw_dump){.fd = fd, .tick_ns = cw->kernel.tick_ns, .take = dumped_take, .arg = cw};
	cw->sweep.look.netns = (uint32_t)ns->inode;
	cw->sweep.look.fin_timeout_ms = opening.fin_timeout_ms;
	return 0;
}

int cw_look_read(struct cw *cw, uint64_t until_ns)
{
	struct cw_look *look = &cw->sweep.look;
	int r;

	if (cw->kernel.looks)
		r = iterator_read(look->fd, sizeof(struct cw_observation), until_ns, observation_take, look);
	else
		do
			r = cw_diag_dump_on(&look->dump);
		while (r == 1 && cw_now(cw) < until_ns);
	if (r != 1) {
		close(look->fd);
		look->fd = -1;
	}
	return r;
}

void cw_look_clear(struct cw_look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	free(look->seen);
	free(look->entries);
	*look = (struct cw_look){.fd = -1};
}
