/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers in data as the dynamic linker would leave them. */
#include <errno.h>
#include <stdlib.h>

#include "elf_private.h"

#if defined(__x86_64__)
#define RELOCATION_RELATIVE R_X86_64_RELATIVE
#define RELOCATION_ABSOLUTE R_X86_64_64
#elif defined(__aarch64__)
#define RELOCATION_RELATIVE R_AARCH64_RELATIVE
#define RELOCATION_ABSOLUTE R_AARCH64_ABS64
#elif defined(__riscv)
#define RELOCATION_RELATIVE R_RISCV_RELATIVE
#define RELOCATION_ABSOLUTE R_RISCV_64
#endif

#define RELOCATIONS_MAX (1u << 20)

static int compare_relocations(const void *left, const void *right)
{
	const struct relocation *a = left, *b = right;

	return a->where < b->where ? -1 : a->where > b->where;
}

int elf_image_pointer(const struct elf_image *image, uint64_t address, uint64_t *ret_pointer)
{
	const struct relocation key = {.where = address}, *found = NULL;
	uint64_t pointer;
	Elf64_Sym symbol;
	int error;

	if (image->relocation_count)
		found = bsearch(&key, image->relocations, image->relocation_count, sizeof(key), compare_relocations);
	if (!found) {
		error = elf_image_read(image, address, &pointer, sizeof(pointer));
		if (error < 0)
			return error;
		/* A number that nothing relocates is no address of this file. */
		*ret_pointer = pointer ? ELF_IMAGE_ELSEWHERE : 0;
		return 0;
	}
	if (found->type == RELOCATION_RELATIVE) {
		pointer = found->addend;
	} else if (found->type == RELOCATION_ABSOLUTE) {
		error = elf_symbol_read(image, found->symbol, &symbol);
		if (error < 0)
			return error;
		pointer = symbol.st_shndx == SHN_UNDEF ? ELF_IMAGE_ELSEWHERE : symbol.st_value + found->addend;
	} else {
		return -ENOTSUP;
	}
	*ret_pointer = pointer ? pointer : ELF_IMAGE_ELSEWHERE; /* 0 would be the start of the file, not NULL */
	return 0;
}

static int add_relocation(struct elf_image *image, const struct relocation *relocation)
{
	size_t count = image->relocation_count;

	if (count >= RELOCATIONS_MAX)
		return -E2BIG;
	if ((count & (count - 1)) == 0) { /* doubles at 0, 1, 2, 4, ... */
		struct relocation *grown =
			reallocarray(image->relocations, count ? 2 * count : 1, sizeof(*image->relocations));

		if (!grown)
			return -ENOMEM;
		image->relocations = grown;
	}
	image->relocations[image->relocation_count++] = *relocation;
	return 0;
}

static int add_rela(struct elf_image *image)
{
	uint64_t count = image->dynamic[DT_RELASZ] / sizeof(Elf64_Rela);
	int error = 0;

	for (uint64_t i = 0; i < count && error == 0; i++) {
		Elf64_Rela rela;

		error = elf_image_read(image, image->dynamic[DT_RELA] + i * sizeof(rela), &rela, sizeof(rela));
		if (error == 0)
			error = add_relocation(image, &(struct relocation){.where = rela.r_offset,
									   .addend = (uint64_t)rela.r_addend,
									   .type = ELF64_R_TYPE(rela.r_info),
									   .symbol = ELF64_R_SYM(rela.r_info)});
	}
	return error;
}

/* The word at `where` holds its own addend. */
static int add_relative(struct elf_image *image, uint64_t where)
{
	struct relocation relocation = {.where = where, .type = RELOCATION_RELATIVE};
	int error = elf_image_read(image, where, &relocation.addend, sizeof(relocation.addend));

	return error < 0 ? error : add_relocation(image, &relocation);
}

/* DT_RELR: an even word is an address, an odd one the bitmap of the 63 words that follow the last. */
static int add_relr(struct elf_image *image)
{
	uint64_t count = image->dynamic[DT_RELRSZ] / sizeof(uint64_t), next = 0;
	int error = 0;

	for (uint64_t i = 0; i < count && error == 0; i++) {
		uint64_t word;

		error = elf_image_read(image, image->dynamic[DT_RELR] + i * sizeof(word), &word, sizeof(word));
		if (error < 0)
			return error;
		if (!(word & 1)) {
			error = add_relative(image, word);
			next = word + sizeof(word);
			continue;
		}
		for (unsigned int bit = 1; bit < 64 && error == 0; bit++)
			if (word >> bit & 1)
				error = add_relative(image, next + (bit - 1) * sizeof(word));
		next += 63 * sizeof(word);
	}
	return error;
}

int elf_relocations_read(struct elf_image *image)
{
	int error = image->dynamic[DT_RELA] ? add_rela(image) : 0;

	if (error == 0 && image->dynamic[DT_RELR])
		error = add_relr(image);
	if (error == 0 && image->relocation_count)
		qsort(image->relocations, image->relocation_count, sizeof(*image->relocations), compare_relocations);
	return error;
}
