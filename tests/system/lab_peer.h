/* SPDX-License-Identifier: Apache-2.0 */
/* Deeds of the tests that ask the peer: options as an application reads them, and what the peer's side is like. */
#ifndef TESTS_SYSTEM_LAB_PEER_H
#define TESTS_SYSTEM_LAB_PEER_H

long deed_option_read(const long *args); /* fd, level, option -> int value */
long deed_fin_timeout(const long *args); /* seconds: tcp_fin_timeout of the actor's namespace */
long deed_loopback(const long *args);    /* up or down */
long deed_leak_many(const long *args);   /* port, count: listens, connects to itself, accepts, forgets -> leaked */

#endif
