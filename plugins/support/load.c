/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

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

uint64_t program_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) < 0)
		return 0;
	return info.recursion_misses;
}
