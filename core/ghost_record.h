/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin's report, checked and copied into one allocation. */
#ifndef CORE_GHOST_RECORD_H
#define CORE_GHOST_RECORD_H

#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "ghost.h"

/* With one reference, the caller's. -EINVAL when the report breaks a bound, -ENOSPC (words), -ENOMEM. */
int ghost_record_new(const struct gb_ghost *report, uint64_t now_ns, struct ghost_record **ret_record);

struct ghost_record *ghost_record_ref(struct ghost_record *record);
void ghost_record_unref(struct ghost_record *record); /* NULL is fine */

#endif
