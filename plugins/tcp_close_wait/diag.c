/* SPDX-License-Identifier: Apache-2.0 */
#include "diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#define ASKS_A_MESSAGE 64
#define ASKS_FEWER 8 /* 64, 8, 1 */
#define DUMP_TRIES 3
#define FAMILIES 2
/*
 * The kernel answers inside of send(), and goes on with a dump inside of recv(): what is not there yet never comes. An
 * answer that is missing found no room, which recv() tells once as ENOBUFS.
 */
#define NEVER_WAIT MSG_DONTWAIT
#define TIMER_KEEPALIVE 2 /* idiag_timer, see get_tcp4_sock() of net/ipv4/tcp_ipv4.c */
/* The values are not told, so it is a guess; who restores them looks at them. A jiffy is at most 10 ms. */
#define PROBE_IDLE_MS (CW_PROBE_IDLE_S * 1000 + 10)

/* Sockets do not come into being in CLOSE_WAIT in the middle of nowhere: one buffer for this thread is enough. */
static _Alignas(8) char buffer[65536];

int cw_diag_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int room = 1 << 20;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

static struct inet_diag_req_v2 *request_put(struct nlmsghdr *header, uint16_t type, uint16_t flags, uint32_t sequence)
{
	struct inet_diag_req_v2 *request;

	header->nlmsg_type = type;
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	header->nlmsg_seq = sequence;
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	return request;
}

static int attribute_take(const struct nlattr *attribute, void *data)
{
	const struct nlattr **table = data;

	if (mnl_attr_get_type(attribute) <= INET_DIAG_MAX)
		table[mnl_attr_get_type(attribute)] = attribute;
	return MNL_CB_OK;
}

static uint8_t ulp_flags(const struct nlattr *ulp)
{
	const struct nlattr *nested;

	mnl_attr_for_each_nested(nested, ulp)
	{
		if (mnl_attr_get_type(nested) == INET_ULP_INFO_NAME && mnl_attr_get_payload_len(nested) >= 5 &&
		    memcmp(mnl_attr_get_payload(nested), "mptcp", 5) == 0)
			return CW_MPTCP | CW_ULP;
	}
	return CW_ULP;
}

static uint64_t silence_of(const struct nlattr *info_attribute, uint64_t tick_ns)
{
	struct tcp_info info = {0};
	size_t size = mnl_attr_get_payload_len(info_attribute);
	uint32_t least;
	uint64_t silence_ns;

	memcpy(&info, mnl_attr_get_payload(info_attribute), size < sizeof(info) ? size : sizeof(info));
	least = info.tcpi_last_data_sent;
	if (info.tcpi_last_data_recv < least)
		least = info.tcpi_last_data_recv;
	if (info.tcpi_last_ack_recv < least)
		least = info.tcpi_last_ack_recv;
	silence_ns = (uint64_t)least * 1000000;
	return silence_ns > tick_ns ? silence_ns - tick_ns : 0;
}

static int message_parse(const struct nlmsghdr *header, uint64_t tick_ns, struct cw_observation *ret_seen)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *table[INET_DIAG_MAX + 1] = {0};
	struct cw_observation seen = {0};
	size_t address;

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*message))
		return -EPROTO;
	mnl_attr_parse(header, sizeof(*message), attribute_take, table);
	if (!table[INET_DIAG_INFO])
		return -EPROTO;
	seen.cookie = message->id.idiag_cookie[0] | (uint64_t)message->id.idiag_cookie[1] << 32;
	seen.silence_ns = silence_of(table[INET_DIAG_INFO], tick_ns);
	seen.rqueue = message->idiag_rqueue;
	seen.wqueue = message->idiag_wqueue;
	seen.inode = message->idiag_inode;
	seen.state = message->idiag_state;
	if (seen.inode)
		seen.flags |= CW_ACCEPTED;
	if (message->idiag_timer == TIMER_KEEPALIVE)
		seen.flags |= CW_KEEPALIVE;
	if (message->idiag_timer == TIMER_KEEPALIVE && message->idiag_expires <= PROBE_IDLE_MS)
		seen.flags |= CW_PROBED;
	if (table[INET_DIAG_ULP_INFO])
		seen.flags |= ulp_flags(table[INET_DIAG_ULP_INFO]);
	seen.tuple.family = message->idiag_family;
	seen.tuple.local_port = ntohs(message->id.idiag_sport);
	seen.tuple.remote_port = ntohs(message->id.idiag_dport);
	seen.tuple.bound_if = message->id.idiag_if;
	address = message->idiag_family == AF_INET ? 4 : 16;
	memcpy(seen.tuple.local_addr, message->id.idiag_src, address);
	memcpy(seen.tuple.remote_addr, message->id.idiag_dst, address);
	*ret_seen = seen;
	return 0;
}

static int dump_error(const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

	return mnl_nlmsg_get_payload_len(header) < sizeof(*error) ? -EPROTO : error->error;
}

/* One datagram of a dump: 1 when it was the last. */
static int dump_datagram(struct cw_dump *dump, size_t length)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	int left = (int)length, r;

	for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
		struct cw_observation seen;

		if (header->nlmsg_seq != dump->sequence)
			continue; /* of one that was given up */
		dump->again |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (header->nlmsg_type == NLMSG_DONE)
			return 1;
		if (header->nlmsg_type == NLMSG_ERROR)
			return dump_error(header);
		if (message_parse(header, dump->tick_ns, &seen) < 0)
			continue; /* on its way to another state: it is none of ours */
		r = seen.state == CW_TCP_CLOSE_WAIT ? dump->take(&seen, dump->arg) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int dump_ask(struct cw_dump *dump)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request = request_put(header, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, ++dump->sequence);

	request->sdiag_family = dump->family == 0 ? AF_INET : AF_INET6;
	request->idiag_states = 1U << CW_TCP_CLOSE_WAIT;
	dump->again = false;
	dump->asked = send(dump->fd, header, header->nlmsg_len, 0) >= 0;
	return dump->asked ? 0 : -errno;
}

/* 1 when it was the last of the family. */
static int dump_read(struct cw_dump *dump)
{
	ssize_t got = recv(dump->fd, buffer, sizeof(buffer), NEVER_WAIT);

	if (got >= 0)
		return dump_datagram(dump, (size_t)got);
	if (errno == ENOBUFS) {
		dump->again = true;
		return 0;
	}
	return errno == EAGAIN ? -ENOBUFS : -errno; /* the kernel stopped in the middle, for good */
}

int cw_diag_dump_on(struct cw_dump *dump)
{
	int r = dump->asked ? 0 : dump_ask(dump);

	if (r == 0)
		r = dump_read(dump);
	if (r <= 0)
		return r < 0 ? r : 1;
	dump->asked = false;
	if (dump->again)
		return ++dump->tries < DUMP_TRIES ? 1 : -EINTR;
	dump->tries = 0;
	return ++dump->family < FAMILIES;
}

int cw_diag_dump(int fd, uint64_t tick_ns, int (*take)(struct cw_observation *seen, void *arg), void *arg)
{
	struct cw_dump dump = {.fd = fd, .tick_ns = tick_ns, .take = take, .arg = arg};
	int r;

	do
		r = cw_diag_dump_on(&dump);
	while (r == 1);
	return r;
}

static int nothing_take(struct cw_observation *seen, void *arg)
{
	(void)seen;
	(void)arg;
	return 0;
}

int cw_diag_probe(void)
{
	int fd = cw_diag_open(), r;

	if (fd < 0)
		return fd;
	r = cw_diag_dump(fd, 0, nothing_take, NULL);
	close(fd);
	return r;
}

static void ask_put(struct inet_diag_req_v2 *request, const struct cw_diag_ask *ask)
{
	size_t address = ask->tuple->family == AF_INET ? 4 : 16;

	request->sdiag_family = (uint8_t)ask->tuple->family;
	request->idiag_states =
		1U << CW_TCP_CLOSE_WAIT; /* the kernel ignores it here: cookie and re-reading are what counts */
	request->id.idiag_sport = htons(ask->tuple->local_port);
	request->id.idiag_dport = htons(ask->tuple->remote_port);
	memcpy(request->id.idiag_src, ask->tuple->local_addr, address);
	memcpy(request->id.idiag_dst, ask->tuple->remote_addr, address);
	request->id.idiag_if = ask->tuple->bound_if;
	request->id.idiag_cookie[0] = (uint32_t)ask->cookie;
	request->id.idiag_cookie[1] = (uint32_t)(ask->cookie >> 32);
}

/* An answer to the ask with this sequence number, counted from `first`. */
static void answer_take(const struct nlmsghdr *header, uint64_t tick_ns, struct cw_diag_ask *asks, size_t count)
{
	struct cw_diag_ask *ask;

	if (header->nlmsg_seq == 0 || header->nlmsg_seq > count)
		return;
	ask = &asks[header->nlmsg_seq - 1];
	if (header->nlmsg_type == NLMSG_ERROR)
		ask->error = dump_error(header);
	else
		ask->error = message_parse(header, tick_ns, &ask->seen);
}

/* Reads until the last ask is answered: the kernel answers in order. -ENOBUFS: some of them are not. */
static int answers_read(int fd, uint64_t tick_ns, struct cw_diag_ask *asks, size_t count)
{
	bool lost = false;

	while (asks[count - 1].error == -EINPROGRESS) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), NEVER_WAIT);
		const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
		int left = (int)got;

		if (got < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (got < 0)
			return errno == EAGAIN ? -ENOBUFS : -errno;
		for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
			answer_take(header, tick_ns, asks, count);
	}
	return lost ? -ENOBUFS : 0;
}

static int asks_send(int fd, uint16_t type, struct cw_diag_ask *asks, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		struct nlmsghdr *header = mnl_nlmsg_put_header(buffer + length);
		bool acknowledge = type == SOCK_DESTROY && i + 1 == count;

		ask_put(request_put(header, type, acknowledge ? NLM_F_ACK : 0, (uint32_t)i + 1), &asks[i]);
		asks[i].error = -EINPROGRESS;
		length += MNL_ALIGN(header->nlmsg_len);
	}
	return send(fd, buffer, length, 0) < 0 ? -errno : 0;
}

int cw_diag_get(int fd, uint64_t tick_ns, struct cw_diag_ask *asks, size_t count)
{
	size_t most = ASKS_A_MESSAGE, some;
	int r = 0;

	for (size_t at = 0; at < count && r == 0; at += some) {
		some = count - at < most ? count - at : most;
		r = asks_send(fd, SOCK_DIAG_BY_FAMILY, asks + at, some);
		if (r == 0)
			r = answers_read(fd, tick_ns, asks + at, some);
		if (r == -ENOBUFS && most > 1) { /* the same once more, fewer at a time */
			most /= ASKS_FEWER;
			some = 0;
			r = 0;
		}
	}
	return r;
}

int cw_diag_destroy(int fd, struct cw_diag_ask *asks, size_t count)
{
	int r = 0;

	for (size_t at = 0; at < count && r == 0; at += ASKS_A_MESSAGE) {
		size_t some = count - at < ASKS_A_MESSAGE ? count - at : ASKS_A_MESSAGE;

		r = asks_send(fd, SOCK_DESTROY, asks + at, some);
		if (r == 0)
			r = answers_read(fd, 0, asks + at, some);
		if (r == -ENOBUFS) /* it was done all the same, and is not asked for twice: the caller looks again */
			r = 0;
		/* Only the last asked for an acknowledgement, an error is answered in any case. */
		for (size_t i = 0; i < some && r == 0; i++)
			if (asks[at + i].error == -EINPROGRESS)
				asks[at + i].error = 0;
	}
	return r;
}
