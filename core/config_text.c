/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the text with the eyes of libconfig's scanner before libconfig does. */
#include "config_file.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 10000 /* libconfig compares each name of a group with all others of it */

struct scanner {
	const char *file;
	const char *at; /* NUL-terminated */
	char *out;
	unsigned int line;
	unsigned int names;
	struct problems *problems;
};

static void copy(struct scanner *scanner, size_t count)
{
	for (; count && *scanner->at; count--) {
		scanner->line += *scanner->at == '\n';
		*scanner->out++ = *scanner->at++;
	}
}

/* Up to and with `end`, or to the end of the text. */
static void copy_through(struct scanner *scanner, const char *end)
{
	const char *found = strstr(scanner->at, end);

	copy(scanner, found ? (size_t)(found - scanner->at) + strlen(end) : SIZE_MAX);
}

static void copy_string(struct scanner *scanner)
{
	copy(scanner, 1);
	while (*scanner->at && *scanner->at != '"')
		copy(scanner, *scanner->at == '\\' ? 2 : 1);
	copy(scanner, 1);
}

/* The digits, or hex digits behind 0x, of a number with a sign or without; 0 when it is no whole number. */
static size_t integer_length(const char *text, int *ret_base)
{
	size_t sign = *text == '-' || *text == '+';

	if (!sign && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		*ret_base = 16;
		return 2 + strspn(text + 2, "0123456789abcdefABCDEF");
	}
	*ret_base = 10;
	return sign + strspn(text + sign, "0123456789");
}

static void copy_number(struct scanner *scanner)
{
	int base;
	size_t length = integer_length(scanner->at, &base), rest;
	bool narrow, is_long;
	long long number;

	rest = strspn(scanner->at + length, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.");
	is_long = rest && strspn(scanner->at + length, "L") == rest;
	if (rest && !is_long) { /* a fraction, or nonsense that libconfig will refuse */
		copy(scanner, length + rest);
		return;
	}
	errno = 0;
	number = strtoll(scanner->at, NULL, base);
	if (errno == ERANGE)
		problems_add(scanner->problems, scanner->file, scanner->line,
			     "the number %.*s does not fit into 64 bits", length > 64 ? 64 : (int)length, scanner->at);
	narrow = number >= INT_MIN && number <= INT_MAX;
	copy(scanner, length + rest);
	if (!narrow && !is_long)
		*scanner->out++ = 'L';
}

static void copy_token(struct scanner *scanner)
{
	const char *at = scanner->at;

	if (*at == '"') {
		copy_string(scanner);
	} else if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
		copy_through(scanner, "\n");
	} else if (at[0] == '/' && at[1] == '*') {
		copy(scanner, 2);
		copy_through(scanner, "*/");
	} else if (isalpha((unsigned char)*at) || *at == '*') {
		if (scanner->names++ == NAMES_MAX)
			problems_add(scanner->problems, scanner->file, scanner->line, "more than %d names, want fewer",
				     NAMES_MAX);
		copy(scanner, strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*"));
	} else if (isdigit((unsigned char)*at) || ((*at == '-' || *at == '+') && isdigit((unsigned char)at[1]))) {
		copy_number(scanner);
	} else {
		if (!strncmp(at, "@include", strlen("@include")))
			problems_add(scanner->problems, scanner->file, scanner->line,
				     "@include is not supported, write everything into this one file");
		copy(scanner, 1);
	}
}

int config_text_prepare(const char *file, const char *text, size_t size, struct problems *problems, char **ret_text)
{
	const char *nul = memchr(text, '\0', size);
	size_t problems_before = problems->count;
	struct scanner scanner = {.file = file, .at = text, .line = 1, .problems = problems};
	char *out;

	if (nul) {
		for (const char *at = text; at < nul; at++)
			scanner.line += *at == '\n';
		problems_add(problems, file, scanner.line, "has a NUL byte, want text");
		return -EINVAL;
	}
	/* A number that gets an L has ten digits at least. */
	out = malloc(size + size / 10 + 1);
	if (!out)
		return -ENOMEM;
	scanner.out = out;
	while (*scanner.at)
		copy_token(&scanner);
	*scanner.out = '\0';
	if (problems->count > problems_before) {
		free(out);
		return -EINVAL;
	}
	*ret_text = out;
	return 0;
}
