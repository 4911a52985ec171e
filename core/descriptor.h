/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin's struct gb_plugin, read from its file without running any of its code, checked by the acceptance rules of
 * the ABI, and copied: after this no code asks about versions, and nothing points into the plugin.
 */
#ifndef CORE_DESCRIPTOR_H
#define CORE_DESCRIPTOR_H

#include <stdint.h>

#include <eghostbuster/plugin.h>

#define DESCRIPTOR_NAME_MAX 31        /* bytes */
#define DESCRIPTOR_STRING_MAX 4096    /* bytes of one string */
#define DESCRIPTOR_TEXT_MAX (1 << 20) /* bytes of all strings of a plugin */
#define DESCRIPTOR_OPTIONS_MAX 256
#define DESCRIPTOR_CHOICES_MAX 64

enum descriptor_callback {
	DESCRIPTOR_OPEN = 1 << 0,
	DESCRIPTOR_SCAN = 1 << 1,
	DESCRIPTOR_REAP = 1 << 2,
	DESCRIPTOR_DISPATCH = 1 << 3,
	DESCRIPTOR_RECONFIGURE = 1 << 4,
	DESCRIPTOR_CLOSE = 1 << 5,
	DESCRIPTOR_EXPLAIN = 1 << 6,
	DESCRIPTOR_ENDED = 1 << 7,
};

struct descriptor {
	/* Ours in size. The strings, the options, their members and choices are owned by the descriptor; the stride of
	 * `options` and `members` is our sizeof(struct gb_option). The callbacks are NULL: see `callbacks`. The first 16
	 * bytes are as the file has them. */
	struct gb_plugin plugin;
	uint32_t callbacks; /* enum descriptor_callback: which ones the plugin sets */
};

/*
 * Reads and checks the descriptor of the shared object open at `fd` (which stays the caller's). `name` is the file's name
 * without ".so", which the plugin's own must equal. On failure -errno and a sentence that begins with `path`.
 */
int descriptor_read(int fd, const char *path, const char *name, struct descriptor **ret_descriptor, char **ret_refusal);
void descriptor_free(struct descriptor *descriptor); /* NULL is fine */

#endif
