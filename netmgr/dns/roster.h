/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_ROSTER_H
#define NETMGR_DNS_ROSTER_H

/*
 * roster.h - names of containers that several processes have on one network.
 *
 *     PATH/NETWORK/OWNER: a line (roster_line.h) for each container of that owner
 *
 * Each owner writes its own files only, whole, and watches the folders of the networks it is on;
 * so nobody locks, asks or waits. An entry counts as long as its container's first process lives,
 * which every reader sees for itself: whoever wrote it may be dead, and be started again.
 */

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "netmgr/dns/server.h"

struct roster;

/* @owner is a file's name, without a dot in front. What others have goes to @dns (borrowed). */
struct roster *roster_new(sd_event *event, const char *path, const char *owner,
			  struct dns_server *dns);
/* Leaves all networks; @dns must still be there. */
void roster_free(struct roster *roster);

/*
 * Others find the container from now on (within a millisecond or so), and we find theirs at once.
 * Replaces what was said of it on this network.
 */
int roster_add(struct roster *roster, const struct dns_names *names, pid_t pid,
	       uint64_t start_ticks, struct error *err);
/* @network NULL: on all of them. */
void roster_remove(struct roster *roster, const char *network, const char *container_id);
/* What was changed can be read by the others when this returns. */
void roster_flush(struct roster *roster);
/* Everything that is to be there was added: removes what an earlier process of ours left. */
void roster_settle(struct roster *roster);

#endif
