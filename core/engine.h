/* SPDX-License-Identifier: Apache-2.0 */
/* What all plugins share: the loop, the journal, the guard, who and where things are. The daemon fills it. */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "ghost.h"
#include "guard.h"
#include "journal.h"
#include "leaker.h"
#include "loop.h"
#include "namespace.h"
#include "ns_worker.h"
#include "owner.h"
#include "scope.h"

struct engine {
	struct loop *loop;
	struct journal *journal;
	struct owner_source *owner_source;
	struct owner_cache *owners; /* cleared after each callback */
	struct namespaces *namespaces;
	struct ns_worker *worker;
	struct scope *scope;
	struct guard guard;
	struct ghost_ring finished;
	struct leakers leakers;
	bool summarise; /* the journal in a storm: summary.h */

	/* Called when a plugin's first scan is complete, or has failed, and again after plugin_look_anew(); may be NULL. */
	void (*seen)(void *arg);
	void *seen_arg;
};

#endif
