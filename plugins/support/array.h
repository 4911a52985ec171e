/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow. */
#ifndef PLUGINS_SUPPORT_ARRAY_H
#define PLUGINS_SUPPORT_ARRAY_H

#include <stddef.h>

/* Makes room for one more item of an array; -ENOMEM leaves all as it was. `items_pointer` is the address of its pointer. */
int array_room(void *items_pointer, size_t *capacity, size_t count, size_t item_size);

#endif
