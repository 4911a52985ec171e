/* SPDX-License-Identifier: Apache-2.0 */
#include "override.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

int override_parse(const char *text, struct override *ret_override, struct problems *problems)
{
	size_t length = strlen(text), scope_length = strspn(text, name_bytes);
	size_t key_length = text[scope_length] == '.' ? strcspn(text + scope_length + 1, "=") : 0;
	char *storage, *key, *value;

	if (length > OVERRIDE_TEXT_MAX) {
		problems_add(problems, NULL, 0, "--set %.40s…: %zu bytes long, want at most %d", text, length,
			     OVERRIDE_TEXT_MAX);
		return -EINVAL;
	}
	if (!scope_length || !key_length || text[scope_length + 1 + key_length] != '=') {
		problems_add(
			problems, NULL, 0,
			"--set %s: want PLUGIN.KEY=VALUE or %s.KEY=VALUE, such as --set tcp_close_wait.timeout=90s",
			text, OVERRIDE_CORE);
		return -EINVAL;
	}

	/* What was typed, with its "--set ", and a second copy that is cut at the dot and at the equals sign. */
	storage = malloc(2 * (length + 1) + strlen("--set "));
	if (!storage)
		return -ENOMEM;
	memcpy(storage, text, length + 1);
	key = storage + scope_length + 1;
	key[-1] = '\0';
	value = key + key_length + 1;
	value[-1] = '\0';
	sprintf(storage + length + 1, "--set %s", text);
	*ret_override = (struct override){
		.scope = storage, .key = key, .value = value, .typed = storage + length + 1, .storage = storage};
	return 0;
}

void override_fini(struct override *override)
{
	free(override->storage);
	*override = (struct override){0};
}
