/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and sizes as people write them. */
#ifndef CORE_UNITS_H
#define CORE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Holds the longest text of duration_format() and of size_format(). */
#define UNITS_TEXT_MAX 64

/*
 * "90s", "1h30m", "250ms", "2d": whole numbers with a unit (ns, us, ms, s, m, h, d), the larger unit first and each at
 * most once; or one number of seconds.
 * -EINVAL when it is no duration, -ERANGE when it is one that is negative or too long.
 */
int duration_parse(const char *text, uint64_t *ret_ns);

/* "64M", "4096", "2g": a whole number of bytes, or of k, M, G, T: powers of 1024, in either case. Errors as above. */
int size_parse(const char *text, uint64_t *ret_bytes);

/* The shortest exact text that the parser reads back as the same value: "1m30s", "30d", "0s". Returns `buf`. */
const char *duration_format(uint64_t ns, char *buf, size_t buf_size);

/* The same for a size: "64M", "1000", "0". Returns `buf`. */
const char *size_format(uint64_t bytes, char *buf, size_t buf_size);

#endif
