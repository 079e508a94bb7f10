/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_WATCH_H
#define NETMGR_FIREWALL_WATCH_H

/*
 * watch.h - whether others changed the host's rules so that ours may not be in force any more: a
 * firewall or an engine started after us has made the chain whose policy drops, or cleared what
 * there was. Told by the kernel (nf_tables' notifications); nobody polls.
 */

#include <stdbool.h>

#include "common/error.h"

/* Readable when something changed; the caller's to close. -ENOTSUP: our rules are not nftables'. */
int firewall_watch_open(struct error *err);
/* Takes all that was told. True: network_mend_rules() is due. */
bool firewall_watch_read(int fd);

#endif
