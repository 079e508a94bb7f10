// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/inbound.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "netmgr/netns.h"

#define REPLY_SIZE 32768
#define STATE(n)   (1U << (n))

/* The kernel's numbers of TCP states; its header hides them behind others of the same name. */
enum {
	ESTABLISHED = 1,
	SYN_RECV = 3,
	FIN_WAIT1 = 4,
	CLOSE_WAIT = 8,
	LAST_ACK = 9,
	LISTEN = 10,
	CLOSING = 11,
	NEW_SYN_RECV = 12
};

struct census {
	bool listening[UINT16_MAX + 1];
	size_t connected[UINT16_MAX + 1];
};

static bool is_loopback(const struct inet_diag_msg *row)
{
	const uint8_t *to = (const uint8_t *)row->id.idiag_dst;
	static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};

	if (row->idiag_family == AF_INET)
		return to[0] == 127;
	return memcmp(to, &in6addr_loopback, 16) == 0 || memcmp(to, mapped, sizeof(mapped)) == 0;
}

static void count_row(struct census *census, const struct inet_diag_msg *row)
{
	uint16_t port = ntohs(row->id.idiag_sport);

	if (row->idiag_state == LISTEN)
		census->listening[port] = true;
	else if (!is_loopback(row))
		census->connected[port]++;
}

/* 1: the end; 0: more follows. */
static int read_rows(struct census *census, const char *buffer, size_t size, struct error *err)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)buffer;
	unsigned int left = (unsigned int)size;

	for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return 1;
		if (header->nlmsg_type == NLMSG_ERROR)
			return error_set(err, EIO, "the kernel does not list its sockets");
		if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			count_row(census, NLMSG_DATA(header));
	}
	return 0;
}

static int list(int fd, uint8_t family, struct census *census, struct error *err)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = STATE(ESTABLISHED) | STATE(SYN_RECV) | STATE(FIN_WAIT1) |
					 STATE(CLOSE_WAIT) | STATE(LAST_ACK) | STATE(LISTEN) |
					 STATE(CLOSING) | STATE(NEW_SYN_RECV)},
	};
	_cleanup_free_ char *buffer = new_array(char, REPLY_SIZE);
	int r = 0;

	if (send(fd, &request, sizeof(request), 0) < 0)
		return error_errno(err, "ask the kernel for its sockets");
	/* The kernel writes each part as we read it: none of this waits for anybody. */
	while (r == 0) {
		ssize_t n = recv(fd, buffer, REPLY_SIZE, 0);

		if (n <= 0)
			return error_errno(err, "list the sockets");
		r = read_rows(census, buffer, (size_t)n, err);
	}
	return r < 0 ? r : 0;
}

int inbound_count(int netns_fd, struct error *err)
{
	_cleanup_close_ int fd =
		netns_socket(netns_fd, AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG, err);
	_cleanup_free_ struct census *census = NULL;
	size_t count = 0;

	if (fd < 0)
		return fd;
	census = new (struct census);
	if (list(fd, AF_INET, census, err) < 0 || list(fd, AF_INET6, census, err) < 0)
		return -err->code;
	for (size_t port = 0; port <= UINT16_MAX; port++)
		if (census->listening[port])
			count += census->connected[port];
	return (int)count;
}

int inbound_watch(int netns_fd, struct error *err)
{
	_cleanup_close_ int fd = netns_socket(netns_fd, AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK,
					      NETLINK_SOCK_DIAG, err);
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1U << (SKNLGRP_INET_TCP_DESTROY - 1) |
			     1U << (SKNLGRP_INET6_TCP_DESTROY - 1),
	};

	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, "listen for sockets that end");
	return TAKE_FD(fd);
}
