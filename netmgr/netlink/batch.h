/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_NETLINK_BATCH_H
#define NETMGR_NETLINK_BATCH_H

/*
 * batch.h - netlink messages, many to a system call.
 *
 * A batch is built where memory may be had. Sending it needs none, so that a child between clone3
 * and execve can do it. The kernel works through all messages of a batch, whichever of them fail.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct batch {
	uint8_t *data;
	size_t size, capacity;
	size_t message; /* where the one being built starts */
	uint32_t count; /* messages; their sequence numbers are 1..count */
};

/* A close-on-exec socket (NETLINK_ROUTE, NETLINK_NETFILTER) of the caller's network namespace. */
int netlink_open(int protocol, struct error *err);

/* Begins a message: NLM_F_REQUEST is added to @flags, @body is the family's header. */
void batch_message(struct batch *batch, uint16_t type, uint16_t flags, const void *body,
		   size_t size);
/* Attributes of the message being built. */
void batch_attr(struct batch *batch, uint16_t type, const void *data, size_t size);
void batch_attr_u8(struct batch *batch, uint16_t type, uint8_t value);
void batch_attr_u16(struct batch *batch, uint16_t type, uint16_t value);
void batch_attr_u32(struct batch *batch, uint16_t type, uint32_t value);
void batch_attr_string(struct batch *batch, uint16_t type, const char *value);
/* Opens a nested attribute; batch_nest_end() takes what this returned. */
size_t batch_nest(struct batch *batch, uint16_t type);
void batch_nest_end(struct batch *batch, size_t nest);
/* Raw bytes inside a nested attribute (a header such as VETH_INFO_PEER's ifinfomsg). */
void batch_put(struct batch *batch, const void *data, size_t size);
void batch_done(struct batch *batch);

/*
 * Sends @size bytes that hold @count messages and waits for what the kernel says. The last
 * message asks for an answer, the others speak up only when they fail. @ignore is an errno value
 * that is none (0: there is no such). The first failure is the one reported.
 */
int netlink_transact(int fd, void *data, size_t size, uint32_t count, int ignore,
		     struct error *err);
int batch_send(struct batch *batch, int fd, int ignore, struct error *err);

/*
 * Sends the one message of @batch with NLM_F_DUMP and calls @each for every answer; a negative
 * value from it ends the dump and is returned (without @err).
 */
struct nlmsghdr;
typedef int (*netlink_each)(const struct nlmsghdr *message, void *data);
int netlink_dump(int fd, struct batch *batch, netlink_each each, void *data, struct error *err);

/* Attributes from @start: @table[type] points at each of a type up to @max; the rest is NULL. */
struct nlattr;
void netlink_parse(const void *start, size_t size, const struct nlattr **table, unsigned int max);
const void *netlink_attr_data(const struct nlattr *attr);
size_t netlink_attr_size(const struct nlattr *attr);
uint32_t netlink_attr_u32(const struct nlattr *attr); /* 0 when it is NULL or short */

#endif
