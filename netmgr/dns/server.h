/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_SERVER_H
#define NETMGR_DNS_SERVER_H

/*
 * server.h - the DNS server that containers see at 127.0.0.11.
 *
 * One server a supervisor; one listener (a UDP and a TCP socket opened inside the container's
 * network namespace) a container. Answers A, AAAA and PTR for names of the networks that the
 * asking container is attached to, from memory; forwards the rest to the host's resolvers, asked
 * from the host's network namespace. Hostile packets cost bounded time and memory.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "common/error.h"

struct dns_server;
struct dns_listener;

struct dns_options {
	const char *resolv_conf; /* NULL: /etc/resolv.conf; re-read when it changes */
};

int dns_server_new(sd_event *event, const struct dns_options *options, struct dns_server **ret,
		   struct error *err);
void dns_server_free(struct dns_server *server);

/* Names of one container on one network: its name, service, aliases, short id. */
struct dns_names {
	const char *network;
	const char *container_id;
	const char *const *names; /* NULL-terminated; the first is the one PTR answers with */
	struct in_addr ipv4;
	struct in6_addr ipv6;
	bool has_ipv4, has_ipv6;
	bool foreign; /* another process has this container: see roster.h */
};

/* Adds, or replaces by (network, container). */
void dns_server_add(struct dns_server *server, const struct dns_names *names);
/* Forgets a container on a network, or (NULL) on all of them: when it stops. */
void dns_server_remove(struct dns_server *server, const char *network, const char *container_id);

struct dns_listener_options {
	const char *container_id;
	const char *const *networks;  /* attached to, NULL-terminated */
	const char *const *upstreams; /* `dns:` of the service; NULL: the host's */
	const char *const *links;     /* "NAME:ALIAS": further names, for this one alone; or NULL */
	struct in_addr gateway4;      /* host.docker.internal; 0: not answered */
	/* Only on internal networks: nothing is forwarded, for names can carry data out, too. */
	bool no_forward;
};

/* Takes both fds. */
int dns_server_listen(struct dns_server *server, int udp_fd, int tcp_fd,
		      const struct dns_listener_options *options, struct dns_listener **ret,
		      struct error *err);
/* @options: networks, links, gateway4 and no_forward as they are from now on. */
void dns_listener_networks(struct dns_listener *listener,
			   const struct dns_listener_options *options);
void dns_listener_free(struct dns_listener *listener);

#endif
