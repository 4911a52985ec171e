/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the configuration's reader share. Inside of config*.c only. */
#ifndef CORE_CONFIG_PRIVATE_H
#define CORE_CONFIG_PRIVATE_H

#include "arena.h"
#include "config.h"

struct config_private {
	config_t parsed;
	struct arena arena;
	struct override *overrides; /* in the arena, without storage of their own */
	size_t override_count;
	struct settings *parts[CONFIG_PARTS];
};

/* The `ghostbuster` group into config, and the `plugins` group into config->plugins. -EINVAL with problems; -ENOMEM. */
int config_core_decode(struct config *config, struct problems *problems);
int config_plugins_decode(struct config *config, struct problems *problems);

#endif
