/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies what a descriptor points to out of the file's image: strings and option tables, each with its bound. What the
 * values mean is descriptor.c's business.
 */
#ifndef CORE_DESCRIPTOR_READER_H
#define CORE_DESCRIPTOR_READER_H

#include <stddef.h>
#include <stdint.h>

#include <eghostbuster/plugin.h>

#include "elf_image.h"

struct descriptor_reader {
	const struct elf_image *image;
	const char *path; /* begins each sentence */
	size_t text_size; /* bytes of all strings so far */
	uint32_t stride;  /* sizeof(struct gb_option) as the plugin was compiled */
	char **ret_refusal;
};

/*
 * The string that the pointer at `address` leads to, NULL when it is NULL; to be freed. `what` names it in a refusal:
 * "its summary". A refusal for control characters, too: all of them are shown to people, in one line each.
 */
int descriptor_read_text(struct descriptor_reader *reader, uint64_t address, const char *what, const char **ret_text);

/*
 * The table that the pointer at `address` leads to, its entries of our size. NULL when `count` is 0. On failure nothing
 * is left to be freed.
 */
int descriptor_read_options(struct descriptor_reader *reader, uint64_t address, uint32_t count,
			    const struct gb_option **ret_options);
void descriptor_free_options(const struct gb_option *options, uint32_t count);

#endif
