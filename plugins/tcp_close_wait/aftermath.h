/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of the descriptors of sockets that were released: an application that reacts closes them within seconds, one
 * that leaks carries them on. Some seconds after a release, one pass over the descriptors of all processes looks for those of
 * everything that was released; it is the pass that finds the holders of suspects, where a scan makes one anyway. Then again
 * with growing distance, for as long as any is left.
 */
#ifndef TCP_CLOSE_WAIT_AFTERMATH_H
#define TCP_CLOSE_WAIT_AFTERMATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

struct cw;
struct cw_carrier;

/* A socket that was released. */
struct cw_dead {
	uint64_t id; /* as in struct cw_holding */
	uint64_t cookie;
	uint64_t released_ns;
	uint64_t start_ticks; /* of `pid` */
	int32_t pid;          /* who held it, first of several: to whom the reaction is counted */
	int32_t held_by;      /* who held it at the last look; 0: nobody looked yet */
};

struct cw_aftermath {
	struct cw_dead *items; /* at most CW_RELEASED_MAX */
	size_t count, capacity;
	size_t told;                           /* of `items`, the first ones: the kernel knows them */
	bool looking;                          /* the pass under way looks for them */
	uint64_t looked_ns;                    /* when the last look began */
	uint64_t next_ns;                      /* when there is to be a look; UINT64_MAX: nothing is left */
	uint32_t distance;                     /* index of the next one */
	size_t at, kept;                       /* place in `items` while a look is taken in */
	uint64_t fresh_ns;                     /* the oldest release that this look came too early for; UINT64_MAX */
	bool changed;                          /* this look showed anything new */
	bool counted;                          /* all items are taken in: the carriers are being told of */
	struct cw_carrier *carriers, *telling; /* processes, of this look and the one before */
	uint64_t reacted, dead, unfollowed;    /* sockets since the start; descriptors now; sockets beyond the bound */
};

/* It was released; `pid` held it. */
void cw_aftermath_note(struct cw *cw, const struct cw_dead *dead, uint32_t inode);

/* Whether a pass over the descriptors is due for this alone; and when the next is: UINT64_MAX for never. */
bool cw_aftermath_due(const struct cw *cw, uint64_t now_ns);
uint64_t cw_aftermath_next(const struct cw *cw);

/*
 * Around a pass of CW_PASS_HOLDERS: lets it look along, if it is time for that. Afterwards `ok` says whether it is complete;
 * if so, cw_aftermath_take() takes in what it found: 1 at `until_ns`, to be called again; 0 at the end, or when there was
 * nothing to look for.
 */
void cw_aftermath_begin(struct cw *cw, uint64_t now_ns);
void cw_aftermath_end(struct cw *cw, bool ok);
int cw_aftermath_take(struct cw *cw, uint64_t until_ns);

/* The programs were loaded anew: what they were told is told again, or is forgotten where it cannot be. */
void cw_aftermath_reload(struct cw *cw, bool same_ids);

/* What is known of a socket that was released; -ENOENT. */
int cw_aftermath_explain(const struct cw *cw, uint64_t cookie, const struct gb_explain *explain);

void cw_aftermath_fini(struct cw_aftermath *aftermath);

#endif
