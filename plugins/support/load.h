/* SPDX-License-Identifier: Apache-2.0 */
/* Loading BPF programs. */
#ifndef PLUGINS_SUPPORT_LOAD_H
#define PLUGINS_SUPPORT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <bpf/libbpf.h>

/*
 * While forms are tried that the kernel may refuse, libbpf's pages are kept from the log; the last line is what a person may
 * need. Begun and ended around the tries, on one thread.
 */
libbpf_print_fn_t last_words_begin(void);
const char *last_words_end(libbpf_print_fn_t before); /* "" when there were none; valid until the next begin */

/* Whether the kernel's BTF has a function, type, ... of this name, of at most 250 bytes: only the names are read, which takes a
 * twentieth of what it takes to understand all of it. False when there is none, or no BTF. */
bool kernel_btf_has(const char *name);

/* Events that came while the program ran already on that processor, and were lost (Linux 5.12; else 0). */
uint64_t program_misses(const struct bpf_program *program);

#endif
