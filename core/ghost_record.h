/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin's report, checked and copied into one allocation. */
#ifndef CORE_GHOST_RECORD_H
#define CORE_GHOST_RECORD_H

#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "ghost.h"

/* To be freed with free(). -EINVAL when the report breaks a bound, -ENOSPC (words), -ENOMEM. */
int ghost_record_new(const struct gb_ghost *report, uint64_t now_ns, struct ghost_record **ret_record);

#endif
