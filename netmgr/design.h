/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DESIGN_H
#define NETMGR_DESIGN_H

/*
 * design.h - what a network will be: driver, options, subnets. Nothing is made of it here.
 */

#include "netmgr/store.h"

/* What will be otherwise by the time that it is made. */
struct design_changes {
	const char *const *going; /* names of networks, NULL-terminated; may be NULL */
	struct network *const *coming;
	size_t coming_count;
};

/* Under the store's lock, into an empty @ret; @changes may be NULL. -EADDRINUSE: a subnet. */
int design_network(const struct network_store *store, const char *name,
		   const struct network_options *options, const struct design_changes *changes,
		   struct network *ret, struct error *err);

#endif
