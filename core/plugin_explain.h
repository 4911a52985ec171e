/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin says to a question: struct gb_explain, filled. */
#ifndef CORE_PLUGIN_EXPLAIN_H
#define CORE_PLUGIN_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "buffer.h"
#include "plugin.h"

#define EXPLAIN_CONDITIONS_MAX 64
#define EXPLAIN_TEXT_MAX 4096 /* bytes of one text; a longer one is refused */

/* Zeroed, then filled; to be given to explanation_fini() in any case. */
struct explanation {
	json_t *conditions; /* [{"name":…,"holds":true|false|null,"text":…}]; NULL: none */
	struct buffer advice;
	bool identified;
	uint64_t key, age_ns; /* when identified */
};

/*
 * About `key`, or about `resource` when it is not NULL. -ENOENT: the plugin does not know it; -EOPNOTSUPP: it is not open,
 * or explains nothing; else as the plugin says, which is logged.
 */
int plugin_explain(struct plugin *plugin, uint64_t key, const char *resource, struct explanation *explanation);
void explanation_fini(struct explanation *explanation);

#endif
