/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FORESEE_H
#define NETMGR_FORESEE_H

/*
 * foresee.h - whether networks could be made and containers attached, once some that are there
 * have gone: what network_create() and attachment_prepare() would refuse, in their words, while
 * nothing is made and no lease is taken.
 *
 * One look holds the store's lock from its begin to its end. It is told first what goes, then what
 * comes, in the order of coming: each keeps clear of those before it.
 */

#include "netmgr/network.h"

struct foresight;

/* @going: networks, @leaving: ids of containers whose leases will be free. NULL-terminated. */
int foresee_begin(struct network_store *store, const char *const *going, const char *const *leaving,
		  struct foresight **ret, struct error *err);
int foresee_network(struct foresight *foresight, const char *name,
		    const struct network_options *options, struct error *err);
/*
 * @wish's container_id is any text that tells the container apart, and that a message may show. A
 * network that is neither there nor foreseen is passed over.
 */
int foresee_endpoint(struct foresight *foresight, const struct endpoint_options *wish,
		     struct error *err);
void foresee_end(struct foresight *foresight);

#endif
