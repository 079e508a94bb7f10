/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_PORTS_INTERNAL_H
#define COMPOSE_SUPERVISOR_NETWORK_PORTS_INTERNAL_H

/*
 * ports_internal.h - what the parts of ports.h share: ports.c holds them, ports_rules.c brings
 * traffic to them, ports_rows.c writes them down and shows them.
 */

#include <netinet/in.h>
#include <systemd/sd-event.h>

#include "common/map.h"

#include "netmgr/publish.h"

#include "compose/supervisor/network/ports.h"

struct proxy;

struct held_port {
	char key[INET6_ADDRSTRLEN + 16]; /* "IP:PORT/PROTOCOL" */
	int fds[2];
	struct publish publish;
	unsigned int refs;
	char *reserved; /* for a container of this service, which is about to be made; NULL: not */
	struct instance *owner; /* the one whose rules lead here */
	struct proxy *proxies[2];
};

/* What the next commit does for one container. */
struct pending {
	char owner[80];
	struct instance *instance; /* NULL: its rules go */
	void (*done)(struct instance *instance);
};

struct ports {
	struct supervisor *supervisor;
	struct map held; /* key: struct held_port */
	struct pending *pending;
	size_t pending_count;
	sd_event_source *timer;
};

/* What it is known by: an address, a port and a protocol of the host. */
void held_port_key(const struct publish *publish, char *key, size_t size);
const char *held_port_protocol(uint8_t protocol);
/* What the keeper calls its socket of a family (0: IPv4, 1: IPv6). */
void held_port_keeper_name(const struct held_port *held, int family, char *name, size_t size);
/* Gives the keeper copies of its sockets. */
void held_port_store(struct ports *ports, struct held_port *held);
/* @instance has it as well, from now on as its owner. */
void held_port_take(struct instance *instance, struct held_port *held);

/*
 * With the next commit: the rules of container @id, as @instance has them by then; NULL: they go.
 * @done (may be NULL) is called once they are in place.
 */
void ports_pend(struct ports *ports, const char *id, struct instance *instance,
		void (*done)(struct instance *instance));

#endif
