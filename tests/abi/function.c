/* SPDX-License-Identifier: Apache-2.0 */
/* The right symbol, but code. */
#include "marker.h"

void gb_plugin(void);

__attribute__((visibility("default"))) void gb_plugin(void)
{
}
