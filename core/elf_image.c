/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read into memory rather than mapped: a file that shrinks under a mapping would be a SIGBUS. Own code rather than libelf,
 * which reads sections: the dynamic linker does not look at those, and a descriptor must be read as it would load it.
 */
#include "elf_image.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_private.h"
#include "refusal.h"

#if __BYTE_ORDER != __LITTLE_ENDIAN || __SIZEOF_POINTER__ != 8
#error "elf_image.c reads 64-bit little-endian files: teach it this machine's"
#endif

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#elif defined(__riscv)
#define MACHINE EM_RISCV
#else
#error "elf_image.c and elf_relocation.c lack this machine: add its ELF number and the relocations of pointers in data"
#endif

#define DYNAMIC_MAX 1024

static const char *machine_name(unsigned int machine, char buffer[32])
{
	switch (machine) {
	case EM_386:
		return "i386";
	case EM_X86_64:
		return "x86-64";
	case EM_ARM:
		return "32-bit ARM";
	case EM_AARCH64:
		return "AArch64";
	case EM_RISCV:
		return "RISC-V";
	default:
		snprintf(buffer, 32, "ELF machine %u", machine);
		return buffer;
	}
}

/* The bytes that the file has from `address` on to the end of its segment, and how many zeros follow them in memory. */
static const unsigned char *bytes_at(const struct elf_image *image, uint64_t address, uint64_t *ret_size,
				     uint64_t *ret_zeros)
{
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		uint64_t skipped = address - segment->p_vaddr;

		if (address < segment->p_vaddr || skipped >= segment->p_memsz)
			continue;
		if (skipped > segment->p_filesz)
			skipped = segment->p_filesz;
		*ret_size = segment->p_filesz - skipped;
		*ret_zeros = segment->p_memsz - (address - segment->p_vaddr) - *ret_size;
		return image->file + segment->p_offset + skipped;
	}
	return NULL;
}

int elf_image_read(const struct elf_image *image, uint64_t address, void *ret_bytes, size_t size)
{
	uint64_t available, zeros;
	const unsigned char *bytes = bytes_at(image, address, &available, &zeros);
	size_t from_file;

	if (!bytes || size > available + zeros)
		return -EFAULT;
	from_file = size < available ? size : available;
	memcpy(ret_bytes, bytes, from_file);
	memset((unsigned char *)ret_bytes + from_file, 0, size - from_file);
	return 0;
}

int elf_image_string(const struct elf_image *image, uint64_t address, size_t max, char **ret_string)
{
	uint64_t available, zeros;
	const unsigned char *bytes = bytes_at(image, address, &available, &zeros);
	size_t length;
	char *string;

	if (!bytes)
		return -EFAULT;
	length = strnlen((const char *)bytes, available < max + 1 ? available : max + 1);
	if (length > max)
		return -E2BIG;
	if (length == available && zeros == 0)
		return -EFAULT;
	string = strndup((const char *)bytes, length);
	if (!string)
		return -ENOMEM;
	*ret_string = string;
	return 0;
}

static int read_dynamic(struct elf_image *image, const Elf64_Phdr *table)
{
	for (uint64_t i = 0; i < table->p_memsz / sizeof(Elf64_Dyn) && i < DYNAMIC_MAX; i++) {
		Elf64_Dyn entry;
		int error = elf_image_read(image, table->p_vaddr + i * sizeof(entry), &entry, sizeof(entry));

		if (error < 0)
			return error;
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_GNU_HASH)
			image->gnu_hash = entry.d_un.d_ptr;
		else if (entry.d_tag > 0 && entry.d_tag <= DT_RELR)
			image->dynamic[entry.d_tag] = entry.d_un.d_val;
	}
	return 0;
}

static int check_header(const Elf64_Ehdr *header, const char *path, char **ret_refusal)
{
	const char *wanted = machine_name(MACHINE, (char[32]){0});

	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(ret_refusal, -ENOEXEC,
			      "%s: not an ELF file, want a shared object: build it as a plugin, or move it out of this "
			      "folder",
			      path);
	if (header->e_machine != MACHINE)
		return refuse(ret_refusal, -ENOEXEC,
			      "%s: built for %s, this ghostbuster runs on %s: install the plugin's build for %s", path,
			      machine_name(header->e_machine, (char[32]){0}), wanted, wanted);
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(ret_refusal, -ENOEXEC,
			      "%s: ELF class %u, byte order %u, want 64-bit little-endian: rebuild the plugin for %s",
			      path, header->e_ident[EI_CLASS], header->e_ident[EI_DATA], wanted);
	if (header->e_type != ET_DYN)
		return refuse(ret_refusal, -ENOEXEC,
			      "%s: ELF type %u, want a shared object (type %u): link the plugin with -shared", path,
			      header->e_type, ET_DYN);
	return 0;
}

static int read_segments(struct elf_image *image, const Elf64_Ehdr *header, const char *path, Elf64_Phdr *ret_dynamic,
			 char **ret_refusal)
{
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > SEGMENTS_MAX ||
	    header->e_phoff > image->size || header->e_phnum * sizeof(Elf64_Phdr) > image->size - header->e_phoff)
		return refuse(
			ret_refusal, -ENOEXEC,
			"%s: its table of %u segments is not inside of the file's %zu bytes: the file is damaged, "
			"install it again",
			path, header->e_phnum, image->size);
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, image->file + header->e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type == PT_DYNAMIC)
			*ret_dynamic = segment;
		if (segment.p_type != PT_LOAD)
			continue;
		if (segment.p_offset > image->size || segment.p_filesz > image->size - segment.p_offset ||
		    segment.p_filesz > segment.p_memsz || segment.p_vaddr + segment.p_memsz < segment.p_vaddr)
			return refuse(ret_refusal, -ENOEXEC,
				      "%s: segment %u is not inside of the file's %zu bytes: the file is cut off or "
				      "damaged, install it again",
				      path, i, image->size);
		image->segments[image->segment_count++] = segment;
	}
	return 0;
}

static int read_file(struct elf_image *image, int fd, const char *path, char **ret_refusal)
{
	struct stat stat;
	size_t done = 0;

	if (fstat(fd, &stat) < 0)
		return refuse(ret_refusal, -errno, "%s: cannot read: %s", path, strerror(errno));
	if (stat.st_size > ELF_IMAGE_FILE_MAX)
		return refuse(ret_refusal, -EFBIG,
			      "%s: %lld bytes, want at most %u: strip the plugin (strip --strip-debug)", path,
			      (long long)stat.st_size, ELF_IMAGE_FILE_MAX);
	image->size = (size_t)stat.st_size;
	image->file = calloc(1, image->size + 1);
	if (!image->file)
		return refuse(ret_refusal, -ENOMEM, "%s: cannot read: %s", path, strerror(ENOMEM));
	while (done < image->size) {
		ssize_t count = pread(fd, image->file + done, image->size - done, (off_t)done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return refuse(ret_refusal, -errno, "%s: cannot read: %s", path, strerror(errno));
		if (count == 0)
			break;
		done += (size_t)count;
	}
	image->size = done; /* less when it shrank meanwhile */
	return 0;
}

static int parse(struct elf_image *image, const char *path, char **ret_refusal)
{
	Elf64_Phdr dynamic = {0};
	Elf64_Ehdr header = {0};
	int error;

	memcpy(&header, image->file, image->size < sizeof(header) ? image->size : sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && image->size < sizeof(header))
		return refuse(ret_refusal, -ENOEXEC,
			      "%s: %zu bytes, less than an ELF header: the file is cut off, install it again", path,
			      image->size);
	error = check_header(&header, path, ret_refusal);
	if (error == 0)
		error = read_segments(image, &header, path, &dynamic, ret_refusal);
	if (error < 0)
		return error;
	error = read_dynamic(image, &dynamic);
	if (error == 0)
		error = elf_relocations_read(image);
	if (error < 0)
		return refuse(ret_refusal, error,
			      "%s: its dynamic table or relocations cannot be read (%s): the file is damaged, install "
			      "it again",
			      path, strerror(-error));
	return 0;
}

int elf_image_open(int fd, const char *path, struct elf_image **ret_image, char **ret_refusal)
{
	struct elf_image *image = calloc(1, sizeof(*image));
	int error;

	if (!image)
		return refuse(ret_refusal, -ENOMEM, "%s: cannot read: %s", path, strerror(ENOMEM));
	error = read_file(image, fd, path, ret_refusal);
	if (error == 0)
		error = parse(image, path, ret_refusal);
	if (error < 0) {
		elf_image_free(image);
		return error;
	}
	*ret_image = image;
	return 0;
}

void elf_image_free(struct elf_image *image)
{
	if (!image)
		return;
	free(image->relocations);
	free(image->file);
	free(image);
}
