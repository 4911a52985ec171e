/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the control socket: its request comes in, its answer goes out. Non-blocking; knows no epoll. */
#ifndef CORE_CONTROL_CLIENT_H
#define CORE_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"

struct control_client {
	int fd;
	uint64_t progress_ns; /* when it was accepted, or last took a piece of its answer */
	size_t request_length;
	char request[CONTROL_REQUEST_MAX];
	char *answer; /* owned; NULL while the request is coming in */
	size_t answer_length, answer_sent;
};

/* Takes the descriptor over. A peer that may not ask has its refusal as answer. -ENOMEM. */
int control_client_new(int fd, uint64_t now_ns, struct control_client **ret_client);
void control_client_free(struct control_client *client);

/* Reads, answers, writes, as far as it goes. 0 while there is more to come, 1 when the client is done with or gone. */
int control_client_serve(struct control_client *client, control_answer answer, void *arg, uint64_t now_ns);

/* When it has had enough time. */
uint64_t control_client_deadline_ns(const struct control_client *client);

/* What to wait for: EPOLLIN or EPOLLOUT. */
uint32_t control_client_events(const struct control_client *client);

#endif
