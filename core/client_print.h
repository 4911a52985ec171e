/* SPDX-License-Identifier: Apache-2.0 */
/* How the answers of the daemon are shown, one function a verb. Each takes any JSON and shows what it finds. */
#ifndef CORE_CLIENT_PRINT_H
#define CORE_CLIENT_PRINT_H

#include <stdio.h>

#include <jansson.h>

#include "buffer.h"

/* `width`: 0 for unlimited. 0 or -ENOMEM. */
int client_print_status(FILE *out, const json_t *answer, unsigned int width);
int client_print_ghosts(FILE *out, const json_t *answer, unsigned int width);
int client_print_leakers(FILE *out, const json_t *answer, unsigned int width);
int client_print_explain(FILE *out, const json_t *answer, unsigned int width);
int client_print_resume(FILE *out, const json_t *answer, unsigned int width);

/* The string or "" when there is none; the number or 0. */
const char *client_text(const json_t *object, const char *key);
json_int_t client_number(const json_t *object, const char *key);

/* Any value in words: a string as it is, a list as "a, b"; NAME_ms as a duration, NAME_bytes as "N bytes". */
void client_add_value(struct buffer *buffer, const char *name, const json_t *value);

/* How much of the name is left to say beside such a value: the unit is said by the value. */
size_t client_name_length(const char *name, const json_t *value);

/* "nginx[123]", for the first owner, and " +2" for two more. "" for none. */
void client_add_owner(struct buffer *buffer, const json_t *owners);

/* Where a process belongs, in one word: the unit, else the pod, else the container. */
const char *client_home(const json_t *owner);

#endif
