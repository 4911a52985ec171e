/* SPDX-License-Identifier: Apache-2.0 */
/* Loading BPF programs, and what user space tells them. */
#ifndef PLUGINS_SUPPORT_LOAD_H
#define PLUGINS_SUPPORT_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>

/*
 * While forms are tried that the kernel may refuse, libbpf's pages are kept from the log; the last line is what a person may
 * need. Begun and ended around the tries, on one thread.
 */
libbpf_print_fn_t last_words_begin(void);
const char *last_words_end(libbpf_print_fn_t before); /* "" when there were none; valid until the next begin */

/*
 * A hash map of u32 to u8 as a set: first all wanted are added, then what is not wanted is removed, so that in between the
 * programs miss none. -errno of the kernel.
 */
int set_add(int map, const uint32_t *wanted, size_t count);
void set_keep(int map, const uint32_t *wanted, size_t count);

/* Events that came while the program ran already on that processor, and were lost (Linux 5.12; else 0). */
uint64_t program_misses(const struct bpf_program *program);

#endif
