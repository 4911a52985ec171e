/* SPDX-License-Identifier: Apache-2.0 */
/* Linux capabilities as masks (1 << CAP_...). They belong to the calling thread and the threads it starts later. */
#ifndef CORE_CAPABILITY_H
#define CORE_CAPABILITY_H

#include <stddef.h>
#include <stdint.h>

/* Whether all of `mask` are in the effective set: 0, or -EPERM with the missing ones (ret_missing may be NULL). */
int capability_have(uint64_t mask, uint64_t *ret_missing);

/*
 * Keeps of the permitted and effective sets what is in `mask`, clears inheritable and ambient, and takes all else out of
 * the bounding set, as far as CAP_SETPCAP is there (it is dropped last). *ret_bounding_left (may be NULL): what is outside
 * of `mask` and stays in the bounding set; harmless to a daemon that executes nothing, but worth a line.
 * -errno, after which the sets are what they were or smaller. Checked by reading them back: -EIO when more is left.
 */
int capability_drop_all_but(uint64_t mask, uint64_t *ret_bounding_left);

/* "CAP_NET_ADMIN" of 12; -EINVAL for a number without a name. */
#define CAPABILITY_NAME_SIZE 32
int capability_name(unsigned int number, char ret_name[CAPABILITY_NAME_SIZE]);

/* 12 of "CAP_NET_ADMIN", "cap_net_admin" or "net_admin"; -ENOENT. */
int capability_number(const char *name, unsigned int *ret_number);

/* "CAP_NET_ADMIN, CAP_BPF" in the order of the numbers; "none"; numbers without a name as "CAP_63". */
#define CAPABILITY_TEXT_SIZE 2048
void capability_text(uint64_t mask, char ret_text[CAPABILITY_TEXT_SIZE]);

#endif
