/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define NAME_BYTES_MAX 250

static char last_words[512];

static int last_words_keep(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_words, sizeof(last_words), format, args);
		last_words[strcspn(last_words, "\n")] = 0;
	}
	return 0;
}

libbpf_print_fn_t last_words_begin(void)
{
	last_words[0] = 0;
	return libbpf_set_print(last_words_keep);
}

const char *last_words_end(libbpf_print_fn_t before)
{
	libbpf_set_print(before);
	return last_words;
}

/* Where the names are: each ends with a zero byte, and before the first there is one, too. */
static bool names_find(int fd, off_t at, off_t end, const char *wanted, size_t length)
{
	static char buffer[65536]; /* one thread, never re-entered */
	size_t kept = 0;

	while (at < end) {
		ssize_t got = pread(fd, buffer + kept, sizeof(buffer) - kept, at);

		if (got <= 0)
			return false;
		if (memmem(buffer, kept + (size_t)got, wanted, length))
			return true;
		at += got;
		kept += (size_t)got;
		if (kept >= length) { /* a name may go on in the next part */
			memmove(buffer, buffer + kept - (length - 1), length - 1);
			kept = length - 1;
		}
	}
	return false;
}

bool kernel_btf_has(const char *name)
{
	char wanted[NAME_BYTES_MAX + 2] = "";
	size_t length = strlen(name) + 2;
	struct btf_header header;
	bool found = false;
	int fd;

	if (length > sizeof(wanted))
		return false;
	memcpy(wanted + 1, name, length - 2);
	fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header) && header.magic == BTF_MAGIC)
		found = names_find(fd, (off_t)header.hdr_len + header.str_off,
				   (off_t)header.hdr_len + header.str_off + header.str_len, wanted, length);
	if (fd >= 0)
		close(fd);
	return found;
}

uint64_t program_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) < 0)
		return 0;
	return info.recursion_misses;
}
