/* SPDX-License-Identifier: Apache-2.0 */
/* What elf_image.c, elf_symbol.c and elf_relocation.c share. */
#ifndef CORE_ELF_PRIVATE_H
#define CORE_ELF_PRIVATE_H

#include <elf.h>

#include "elf_image.h"

#define SEGMENTS_MAX 128

/* Absent in the elf.h of glibc before 2.36. */
#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR 36
#endif

struct relocation {
	uint64_t where;
	uint64_t addend;
	uint32_t type;
	uint32_t symbol;
};

struct elf_image {
	unsigned char *file;
	size_t size;
	Elf64_Phdr segments[SEGMENTS_MAX]; /* the PT_LOAD ones, each inside of the file */
	size_t segment_count;
	uint64_t dynamic[DT_RELR + 1]; /* by tag; 0 when absent */
	uint64_t gnu_hash;
	struct relocation *relocations; /* sorted by `where` */
	size_t relocation_count;
};

/* The index-th entry of the dynamic symbol table. -EFAULT. */
int elf_symbol_read(const struct elf_image *image, uint32_t index, Elf64_Sym *ret_symbol);

/* Reads all of them. -EFAULT, -E2BIG, -ENOMEM. */
int elf_relocations_read(struct elf_image *image);

#endif
