// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/netlink/batch.h"

#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/cleanup.h"

int netlink_open(int protocol, struct error *err)
{
	int fd, on = 1, bytes = 1 << 20;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return error_errno(err, "netlink: open a socket");
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	/* Answers do not repeat the request: they stay small however big that was. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

void batch_put(struct batch *batch, const void *data, size_t size)
{
	size_t aligned = NLMSG_ALIGN(size);
	struct nlmsghdr *header;

	if (batch->size + aligned > batch->capacity) {
		batch->capacity = (batch->size + aligned) * 2;
		batch->data = alloc_resize(batch->data, batch->capacity, 1);
	}
	memset(batch->data + batch->size, 0, aligned);
	if (size)
		memcpy(batch->data + batch->size, data, size);
	batch->size += aligned;
	header = (struct nlmsghdr *)(batch->data + batch->message);
	header->nlmsg_len = batch->size - batch->message;
}

void batch_message(struct batch *batch, uint16_t type, uint16_t flags, const void *body,
		   size_t size)
{
	struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_flags = flags | NLM_F_REQUEST,
		.nlmsg_seq = ++batch->count,
	};

	batch->message = batch->size;
	batch_put(batch, &header, sizeof(header));
	batch_put(batch, body, size);
}

void batch_attr(struct batch *batch, uint16_t type, const void *data, size_t size)
{
	struct nlattr attr = {.nla_len = NLA_HDRLEN + size, .nla_type = type};

	batch_put(batch, &attr, sizeof(attr));
	batch_put(batch, data, size);
}

void batch_attr_u8(struct batch *batch, uint16_t type, uint8_t value)
{
	batch_attr(batch, type, &value, sizeof(value));
}

void batch_attr_u16(struct batch *batch, uint16_t type, uint16_t value)
{
	batch_attr(batch, type, &value, sizeof(value));
}

void batch_attr_u32(struct batch *batch, uint16_t type, uint32_t value)
{
	batch_attr(batch, type, &value, sizeof(value));
}

void batch_attr_string(struct batch *batch, uint16_t type, const char *value)
{
	batch_attr(batch, type, value, strlen(value) + 1);
}

size_t batch_nest(struct batch *batch, uint16_t type)
{
	size_t at = batch->size;

	batch_attr(batch, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void batch_nest_end(struct batch *batch, size_t nest)
{
	struct nlattr *attr = (struct nlattr *)(batch->data + nest);

	attr->nla_len = batch->size - nest;
}

void batch_done(struct batch *batch)
{
	free(batch->data);
	*batch = (struct batch){0};
}

/* What the kernel adds in words to an errno, or NULL. */
static const char *extended_text(const struct nlmsghdr *message)
{
	const struct nlmsgerr *answer = NLMSG_DATA(message);
	const struct nlattr *table[NLMSGERR_ATTR_MSG + 1];
	size_t skip = sizeof(*answer);

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(message->nlmsg_flags & NLM_F_CAPPED) && answer->msg.nlmsg_len > sizeof(answer->msg))
		skip += NLMSG_ALIGN(answer->msg.nlmsg_len) - sizeof(answer->msg);
	if (message->nlmsg_len < NLMSG_HDRLEN + skip)
		return NULL;
	netlink_parse((const uint8_t *)answer + skip, message->nlmsg_len - NLMSG_HDRLEN - skip,
		      table, NLMSGERR_ATTR_MSG);
	return table[NLMSGERR_ATTR_MSG] ? netlink_attr_data(table[NLMSGERR_ATTR_MSG]) : NULL;
}

static void take_answer(const struct nlmsghdr *message, int ignore, struct error *err)
{
	const struct nlmsgerr *answer = NLMSG_DATA(message);
	const char *text;

	if (!answer->error || answer->error == -ignore || err->code)
		return;
	text = extended_text(message);
	if (text)
		error_code(err, answer->error, "the kernel says: %s", text);
	else
		error_code(err, answer->error, "the kernel refuses");
}

/* Reads answers until that of message @last, or of message 0, which speaks for the whole. */
static int wait_for_answer(int fd, uint32_t last, int ignore, struct error *err)
{
	union {
		struct nlmsghdr header;
		uint8_t bytes[8192];
	} buffer;

	for (;;) {
		const struct nlmsghdr *message = &buffer.header;
		ssize_t size = recv(fd, &buffer, sizeof(buffer), 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return error_errno(err, "netlink: read the answer");
		for (; NLMSG_OK(message, (size_t)size); message = NLMSG_NEXT(message, size)) {
			if (message->nlmsg_type != NLMSG_ERROR)
				continue;
			take_answer(message, ignore, err);
			if (message->nlmsg_seq == last || message->nlmsg_seq == 0)
				return -err->code;
		}
	}
}

int netlink_transact(int fd, void *data, size_t size, uint32_t count, int ignore, struct error *err)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nlmsghdr *message = data;
	size_t left = size;

	while (NLMSG_OK(message, left) && message->nlmsg_seq != count)
		message = NLMSG_NEXT(message, left);
	message->nlmsg_flags |= NLM_F_ACK;
	while (sendto(fd, data, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		if (errno != EINTR)
			return error_errno(err, "netlink: send");
	return wait_for_answer(fd, count, ignore, err);
}

int batch_send(struct batch *batch, int fd, int ignore, struct error *err)
{
	if (!batch->count)
		return 0;
	return netlink_transact(fd, batch->data, batch->size, batch->count, ignore, err);
}

int netlink_dump(int fd, struct batch *batch, netlink_each each, void *data, struct error *err)
{
	_cleanup_free_ uint8_t *buffer = alloc(1 << 16);
	int result = 0;

	((struct nlmsghdr *)batch->data)->nlmsg_flags |= NLM_F_DUMP;
	if (send(fd, batch->data, batch->size, 0) < 0)
		return error_errno(err, "netlink: send");
	for (;;) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		ssize_t size = recv(fd, buffer, 1 << 16, 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return error_errno(err, "netlink: read the answer");
		for (; NLMSG_OK(message, (size_t)size); message = NLMSG_NEXT(message, size)) {
			const struct nlmsgerr *answer = NLMSG_DATA(message);

			if (message->nlmsg_type == NLMSG_DONE)
				return result;
			if (message->nlmsg_type == NLMSG_ERROR)
				return error_code(err, answer->error,
						  "netlink: the kernel refuses");
			if (result >= 0)
				result = each(message, data);
		}
	}
}

void netlink_parse(const void *start, size_t size, const struct nlattr **table, unsigned int max)
{
	const struct nlattr *attr = start;

	memset(table, 0, (max + 1) * sizeof(*table));
	while (size >= sizeof(*attr) && attr->nla_len >= sizeof(*attr) && attr->nla_len <= size) {
		unsigned int type = attr->nla_type & NLA_TYPE_MASK;
		size_t step = NLA_ALIGN(attr->nla_len);

		if (type <= max)
			table[type] = attr;
		if (step >= size)
			break;
		size -= step;
		attr = (const struct nlattr *)((const uint8_t *)attr + step);
	}
}

const void *netlink_attr_data(const struct nlattr *attr)
{
	return (const uint8_t *)attr + NLA_HDRLEN;
}

size_t netlink_attr_size(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

uint32_t netlink_attr_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (attr && netlink_attr_size(attr) >= sizeof(value))
		memcpy(&value, netlink_attr_data(attr), sizeof(value));
	return value;
}
