// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/dead.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "common/str.h"

#include "netmgr/netlink/link.h"

enum interface_state { INTERFACE_UNKNOWN, INTERFACE_MISSING, INTERFACE_EMPTY, INTERFACE_IN_USE };
enum verdict { UNDECIDED, DEAD, ALIVE };

struct port {
	uint8_t protocol;
	uint16_t port;
};

struct trace {
	bool container;
	size_t interfaces, missing, empty;
	struct port *ports;
	size_t port_count;
	enum verdict verdict;
};

void dead_owners_init(struct dead_owners *dead)
{
	*dead = (struct dead_owners){.socket = -EBADF};
}

static void trace_free(void *data)
{
	struct trace *trace = data;

	free(trace->ports);
	free(trace);
}

void dead_owners_done(struct dead_owners *dead)
{
	map_done(&dead->owners, trace_free);
	map_done(&dead->interfaces, NULL);
	cleanup_close_fd(&dead->socket);
	dead->socket = -EBADF;
}

static struct trace *trace_of(struct dead_owners *dead, const char *owner)
{
	struct trace *trace = map_get(&dead->owners, owner);

	if (trace)
		return trace;
	trace = new (struct trace);
	trace->container = str_starts_with(owner, "container:");
	(void)map_set(&dead->owners, owner, trace);
	return trace;
}

/* In doubt it is in use. */
static enum interface_state look(struct dead_owners *dead, const char *name)
{
	_cleanup_strv_ char **ports = NULL;
	struct error ignored = ERROR_INIT;
	int index;

	if (dead->socket < 0)
		dead->socket = netlink_open(NETLINK_ROUTE, &ignored);
	if (dead->socket < 0)
		return INTERFACE_IN_USE;
	index = link_index(dead->socket, name);
	if (index < 0)
		return index == -ENODEV ? INTERFACE_MISSING : INTERFACE_IN_USE;
	if (link_ports(dead->socket, (unsigned int)index, &ports, &ignored) < 0)
		return INTERFACE_IN_USE;
	return ports ? INTERFACE_IN_USE : INTERFACE_EMPTY;
}

void dead_owners_see_interface(struct dead_owners *dead, const char *owner, const char *interface)
{
	struct trace *trace = trace_of(dead, owner);
	enum interface_state state =
		(enum interface_state)(uintptr_t)map_get(&dead->interfaces, interface);

	if (state == INTERFACE_UNKNOWN) {
		state = look(dead, interface);
		(void)map_set(&dead->interfaces, interface, (void *)(uintptr_t)state);
	}
	trace->interfaces++;
	trace->missing += state == INTERFACE_MISSING;
	trace->empty += state == INTERFACE_EMPTY;
}

void dead_owners_see_port(struct dead_owners *dead, const char *owner, uint8_t protocol,
			  uint16_t port)
{
	struct trace *trace = trace_of(dead, owner);

	*array_add(trace->ports, trace->port_count) = (struct port){protocol, port};
}

/* "0: 00000000:1F90 00000000:0000 0A ..." of a socket that waits for others (tcp) or is bound. */
static bool file_has(const char *path, unsigned int wanted, bool listening)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned int port, state;

		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &state) == 2 &&
		    port == wanted && (!listening || state == 0x0a))
			return true;
	}
	return false;
}

static bool is_held(const struct port *port)
{
	if (port->protocol == IPPROTO_TCP)
		return file_has("/proc/self/net/tcp", port->port, true) ||
		       file_has("/proc/self/net/tcp6", port->port, true);
	if (port->protocol == IPPROTO_UDP)
		return file_has("/proc/self/net/udp", port->port, false) ||
		       file_has("/proc/self/net/udp6", port->port, false);
	return true;
}

static bool is_dead(const struct trace *trace)
{
	if (!trace->interfaces || trace->missing == trace->interfaces)
		return trace->interfaces > 0;
	if (!trace->container || trace->missing + trace->empty < trace->interfaces)
		return false;
	for (size_t i = 0; i < trace->port_count; i++)
		if (is_held(&trace->ports[i]))
			return false;
	return true;
}

bool dead_owners_has(struct dead_owners *dead, const char *owner)
{
	struct trace *trace = map_get(&dead->owners, owner);

	if (!trace)
		return false;
	if (trace->verdict == UNDECIDED)
		trace->verdict = is_dead(trace) ? DEAD : ALIVE;
	return trace->verdict == DEAD;
}
