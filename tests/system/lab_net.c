/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

void lab_net_make(struct lab_net *net)
{
	*net = (struct lab_net){0};
	lab_actor_start(&net->keeper, NULL, "lab-keeper");
	snprintf(net->path, sizeof(net->path), "/proc/%d/ns/net", net->keeper.pid);
}

void lab_net_make_named(struct lab_net *net, const char *name)
{
	char target[64];
	int fd;

	lab_net_make(net);
	snprintf(net->name, sizeof(net->name), "%s", name);
	snprintf(target, sizeof(target), "/run/netns/%s", net->name);
	mkdir("/run/netns", 0755);
	fd = open(target, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	lab_works(fd >= 0, "%s", target);
	close(fd);
	lab_works(mount(net->path, target, "none", MS_BIND, NULL) == 0, "%s", target);
	snprintf(net->path, sizeof(net->path), "%s", target);
}

void lab_net_delete(struct lab_net *net)
{
	if (net->name[0]) {
		lab_works(umount2(net->path, MNT_DETACH) == 0, "%s", net->path);
		lab_works(unlink(net->path) == 0, "%s", net->path);
	}
	lab_actor_kill(&net->keeper);
	*net = (struct lab_net){.keeper = {.control = -1}};
}

struct nsid_request {
	struct nlmsghdr header;
	struct rtgenmsg message;
	char attributes[64];
};

static void put(struct nsid_request *request, unsigned short type, int value)
{
	struct nlattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + sizeof(value);
	memcpy((char *)attribute + NLA_HDRLEN, &value, sizeof(value));
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

/* Sends and takes the answer: 0 for an acknowledgement or a reply, else -errno. */
static long converse(struct nsid_request *request)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	union {
		struct nlmsghdr header;
		char bytes[1024];
	} answer;
	const struct nlmsgerr *error = NLMSG_DATA(&answer.header);

	if (fd < 0 || send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(0))
		return -errno;
	return answer.header.nlmsg_type == NLMSG_ERROR ? error->error : 0;
}

static long deed_nsid_set(const long *args)
{
	struct nsid_request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
						  .nlmsg_type = RTM_NEWNSID,
						  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};

	put(&request, NETNSA_PID, (int)args[0]);
	put(&request, NETNSA_NSID, (int)args[1]);
	return converse(&request);
}

/* The answer is the id again, or -1 in it when the namespace is none that has one. */
static long deed_nsid_get(const long *args)
{
	struct nsid_request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
						  .nlmsg_type = RTM_GETNSID,
						  .nlmsg_flags = NLM_F_REQUEST}};

	put(&request, NETNSA_NSID, (int)args[0]);
	return converse(&request);
}

void lab_net_watch(const struct lab_net *observer, const struct lab_net *net, int id)
{
	lab_must(&observer->keeper, deed_nsid_set, net->keeper.pid, id);
	lab_require(lab_net_alive(observer, id), "the id of a namespace is not known");
}

bool lab_net_alive(const struct lab_net *observer, int id)
{
	return lab_do(&observer->keeper, deed_nsid_get, id) == 0;
}

/* One line of /proc/net/tcp or tcp6: addresses end in ":PORT", all hexadecimal. */
static bool parse_line(const char *line, struct lab_socket *ret_socket, unsigned int *ret_local,
		       unsigned int *ret_remote)
{
	return sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%x %x %lx:%lx %*x:%*x %*x %*u %*d %lu", ret_local,
		      ret_remote, (unsigned int *)&ret_socket->state, &ret_socket->send_queue,
		      &ret_socket->receive_queue, &ret_socket->inode) == 6;
}

/* Calls `fn` with each socket until it returns true. */
static void each_socket(const struct lab_net *net,
			bool (*fn)(const struct lab_socket *socket, unsigned int local, unsigned int remote, void *arg),
			void *arg)
{
	static const char *const tables[] = {"tcp", "tcp6"};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		_cleanup_fclose_ FILE *file = NULL;
		struct lab_socket socket;
		unsigned int local, remote;
		char path[64], line[512];

		snprintf(path, sizeof(path), "/proc/%d/net/%s", net->keeper.pid, tables[i]);
		file = fopen(path, "re");
		lab_works(file, "%s", path);
		while (fgets(line, sizeof(line), file))
			if (parse_line(line, &socket, &local, &remote) && fn(&socket, local, remote, arg))
				return;
	}
}

struct search {
	unsigned int local, remote, count;
	int state;
	struct lab_socket found;
};

static bool is_it(const struct lab_socket *socket, unsigned int local, unsigned int remote, void *arg)
{
	struct search *search = arg;

	if (local != search->local || remote != search->remote)
		return false;
	search->found = *socket;
	return true;
}

struct lab_socket lab_net_socket(const struct lab_net *net, unsigned int local, unsigned int remote)
{
	struct search search = {.local = local, .remote = remote};

	each_socket(net, is_it, &search);
	return search.found;
}

static bool count_it(const struct lab_socket *socket, unsigned int local, unsigned int remote, void *arg)
{
	struct search *search = arg;

	(void)remote;
	search->count += local == search->local && socket->state == search->state;
	return false;
}

unsigned int lab_net_count(const struct lab_net *net, unsigned int local, int state)
{
	struct search search = {.local = local, .state = state};

	each_socket(net, count_it, &search);
	return search.count;
}

void lab_net_wait_state(const struct lab_net *net, unsigned int local, unsigned int remote, int state)
{
	uint64_t end = lab_now_ms() + LAB_PATIENCE_MS;
	int seen;

	while ((seen = lab_net_socket(net, local, remote).state) != state) {
		lab_require(lab_now_ms() < end, "the socket %u -> %u is in state %d, not %d", local, remote, seen,
			    state);
		lab_sleep_ms(5);
	}
}
