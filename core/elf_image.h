/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared object read as data: symbols, bytes and pointers as they would be in memory, without loading it, so that none
 * of its code runs. What counts is what the dynamic linker uses (segments, the dynamic table, its hash and relocations);
 * section headers are not looked at. Any file is safe to open: every offset in it is checked.
 */
#ifndef CORE_ELF_IMAGE_H
#define CORE_ELF_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define ELF_IMAGE_FILE_MAX (64u << 20) /* bytes of a file */

/* A pointer that is set, to something that is not in this file. */
#define ELF_IMAGE_ELSEWHERE UINT64_MAX

struct elf_image;

struct elf_symbol {
	uint64_t address;
	uint64_t size;
	unsigned char type; /* STT_OBJECT, ... */
};

/*
 * Reads the shared object open at `fd`, which stays the caller's. On failure (not an ELF file, of another machine, cut
 * off) -errno, and *ret_refusal is a sentence that begins with `path`.
 */
int elf_image_open(int fd, const char *path, struct elf_image **ret_image, char **ret_refusal);
void elf_image_free(struct elf_image *image); /* NULL is fine */

/* A symbol that the file defines and exports (GLOBAL or WEAK, not hidden). -ENOENT. */
int elf_image_symbol(const struct elf_image *image, const char *name, struct elf_symbol *ret_symbol);

/* `size` bytes at a virtual address, relocations not applied; what the file leaves out (bss) is zero. -EFAULT. */
int elf_image_read(const struct elf_image *image, uint64_t address, void *ret_bytes, size_t size);

/*
 * The pointer at a virtual address with its relocation applied, as a virtual address of this file: 0 for NULL,
 * ELF_IMAGE_ELSEWHERE for one that leads out of it. -EFAULT, -ENOTSUP for a relocation that is not known.
 */
int elf_image_pointer(const struct elf_image *image, uint64_t address, uint64_t *ret_pointer);

/* The string at a virtual address, at most `max` bytes without the NUL; to be freed. -EFAULT, -E2BIG, -ENOMEM. */
int elf_image_string(const struct elf_image *image, uint64_t address, size_t max, char **ret_string);

#endif
