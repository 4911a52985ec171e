/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols by their name, through the hash tables that the dynamic linker uses. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "elf_private.h"

#define CHAIN_MAX (1u << 20)

int elf_symbol_read(const struct elf_image *image, uint32_t index, Elf64_Sym *ret_symbol)
{
	return elf_image_read(image, image->dynamic[DT_SYMTAB] + (uint64_t)index * sizeof(*ret_symbol), ret_symbol,
			      sizeof(*ret_symbol));
}

static bool is_exported_as(const struct elf_image *image, const Elf64_Sym *symbol, const char *name)
{
	unsigned int bind = ELF64_ST_BIND(symbol->st_info), visibility = ELF64_ST_VISIBILITY(symbol->st_other);
	size_t size = strlen(name) + 1;
	char found[256];

	return symbol->st_shndx != SHN_UNDEF && (bind == STB_GLOBAL || bind == STB_WEAK) &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED) && size <= sizeof(found) &&
	       elf_image_read(image, image->dynamic[DT_STRTAB] + symbol->st_name, found, size) == 0 &&
	       memcmp(found, name, size) == 0;
}

/* DT_GNU_HASH: { bucket count, first hashed symbol, bloom words, shift }, bloom filter, buckets, chains. */
static int find_by_gnu_hash(const struct elf_image *image, const char *name, Elf64_Sym *ret_symbol)
{
	uint32_t header[4], hash = 5381, index, chained;
	uint64_t buckets, chains;
	Elf64_Sym symbol;

	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		hash = hash * 33 + *c;
	if (elf_image_read(image, image->gnu_hash, header, sizeof(header)) < 0 || header[0] == 0)
		return -ENOENT;
	buckets = image->gnu_hash + sizeof(header) + (uint64_t)header[2] * sizeof(uint64_t);
	chains = buckets + (uint64_t)header[0] * sizeof(uint32_t);
	if (elf_image_read(image, buckets + hash % header[0] * sizeof(index), &index, sizeof(index)) < 0 ||
	    index < header[1])
		return -ENOENT;
	for (uint32_t steps = 0; steps < CHAIN_MAX; steps++, index++) {
		if (elf_image_read(image, chains + (uint64_t)(index - header[1]) * sizeof(chained), &chained,
				   sizeof(chained)) < 0)
			return -ENOENT;
		if ((chained | 1) == (hash | 1) && elf_symbol_read(image, index, &symbol) == 0 &&
		    is_exported_as(image, &symbol, name)) {
			*ret_symbol = symbol;
			return 0;
		}
		if (chained & 1)
			return -ENOENT;
	}
	return -ENOENT;
}

/* DT_HASH: { bucket count, symbol count }, buckets, chains. */
static int find_by_sysv_hash(const struct elf_image *image, const char *name, Elf64_Sym *ret_symbol)
{
	uint64_t table = image->dynamic[DT_HASH];
	uint32_t header[2], hash = 0, index;
	Elf64_Sym symbol;

	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		hash = (hash << 4) + *c;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	if (elf_image_read(image, table, header, sizeof(header)) < 0 || header[0] == 0 ||
	    elf_image_read(image, table + sizeof(header) + hash % header[0] * sizeof(index), &index, sizeof(index)) < 0)
		return -ENOENT;
	for (uint32_t steps = 0; index != STN_UNDEF && steps < CHAIN_MAX; steps++) {
		if (elf_symbol_read(image, index, &symbol) == 0 && is_exported_as(image, &symbol, name)) {
			*ret_symbol = symbol;
			return 0;
		}
		if (elf_image_read(image, table + sizeof(header) + ((uint64_t)header[0] + index) * sizeof(index),
				   &index, sizeof(index)) < 0)
			return -ENOENT;
	}
	return -ENOENT;
}

int elf_image_symbol(const struct elf_image *image, const char *name, struct elf_symbol *ret_symbol)
{
	Elf64_Sym symbol;
	int error = image->gnu_hash ? find_by_gnu_hash(image, name, &symbol) : find_by_sysv_hash(image, name, &symbol);

	if (error < 0)
		return error;
	*ret_symbol = (struct elf_symbol){
		.address = symbol.st_value, .size = symbol.st_size, .type = ELF64_ST_TYPE(symbol.st_info)};
	return 0;
}
