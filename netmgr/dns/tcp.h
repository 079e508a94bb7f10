/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_TCP_H
#define NETMGR_DNS_TCP_H

/*
 * tcp.h - DNS over TCP (RFC 7766): connections of one container, each with a length before every
 * message, many questions at a time, and answers in any order. Bounded in number, and closed after
 * ten seconds without a question under way.
 */

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct dns_tcp;
struct dns_connection;

struct dns_tcp_ops {
	void (*query)(void *userdata, struct dns_connection *connection, const uint8_t *data,
		      size_t size);
	/* The connection is going: forget it. */
	void (*closed)(void *userdata, struct dns_connection *connection);
};

/* Borrows @fd, a bound socket; listens on it. 0 or -errno. */
int dns_tcp_new(sd_event *event, int fd, const struct dns_tcp_ops *ops, void *userdata,
		struct dns_tcp **ret);
void dns_tcp_free(struct dns_tcp *tcp);

/* Each query is answered by exactly one of these, unless the connection was closed. */
void dns_connection_reply(struct dns_connection *connection, const uint8_t *data, size_t size);

#endif
