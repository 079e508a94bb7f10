/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_DEAD_H
#define NETMGR_FIREWALL_DEAD_H

/*
 * dead.h - owners of rules that are gone without a word: keeper and supervisor were killed, and
 * what they knew was thrown away.
 *
 * A network is gone with its bridge. A container is, too; or when nothing is attached to its bridge
 * any more and nobody holds its ports, which whoever starts a container does before all else. One
 * that still runs, though nobody looks after it, is on its bridge, and keeps what it has.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/map.h"

struct dead_owners {
	struct map owners;     /* name: struct trace, see the .c file */
	struct map interfaces; /* name: what it is, asked once */
	int socket;            /* rtnetlink; -EBADF: not needed yet */
};

void dead_owners_init(struct dead_owners *dead);
void dead_owners_done(struct dead_owners *dead);

/* Its rules name this interface, or lead a port of the host somewhere (@protocol: IPPROTO_*). */
void dead_owners_see_interface(struct dead_owners *dead, const char *owner, const char *interface);
void dead_owners_see_port(struct dead_owners *dead, const char *owner, uint8_t protocol,
			  uint16_t port);
/* Once everything of its was seen. */
bool dead_owners_has(struct dead_owners *dead, const char *owner);

#endif
