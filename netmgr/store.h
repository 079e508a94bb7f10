/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_STORE_H
#define NETMGR_STORE_H

/*
 * store.h - networks on disk: what network.c and attachment.c share.
 *
 * Several processes use one folder. Who holds the lock sees and makes whole states only.
 */

#include <sys/stat.h>

#include "common/cleanup.h"

#include "netmgr/driver.h"
#include "netmgr/ipam.h"
#include "netmgr/network.h"

struct network {
	char *name;
	char id[65];
	const struct network_driver *driver;
	json_t *driver_opts, *labels; /* objects */
	bool internal, attachable;
	struct ipam_pool pool4, pool6;
	int64_t created_nsec;
	/* the bridge driver's reading of driver_opts */
	char bridge[16];           /* "": it has none */
	bool found_bridge;         /* was there before us: stays when the network goes */
	unsigned int mtu;          /* 0: the kernel's default */
	char interface_prefix[12]; /* inside: "eth" */
	bool masquerade, icc, direct, address_on_bridge;
	char trusted[4][16]; /* host interfaces by which its addresses are reached */
	/* the child drivers': @bridge is the parent */
	const char *link_kind; /* "macvlan", "ipvlan"; NULL: veth into a bridge */
	uint32_t link_mode, link_flags;
	bool device_route; /* the default route has no gateway */
};

void network_free(struct network *network);
DEFINE_CLEANUP(struct network *, network_free);
#define _cleanup_network_ _cleanup_(cleanup_network_free)

struct lease_file; /* one network's leases, remembered between calls */

struct network_store {
	int dir;      /* networks/ */
	int route_fd; /* rtnetlink of the host */
	struct lease_file *files;
	size_t file_count;
};

/* Waits. The fd holds the lock. */
int network_store_lock(const struct network_store *store, struct error *err);
bool store_name_valid(const char *name);
/* -ENOENT: no such network. */
int store_load(const struct network_store *store, const char *name, struct network **ret,
	       struct error *err);
json_t *store_record(const struct network *network); /* as on disk */
/* Publishes a new network under its name. */
int store_add(const struct network_store *store, const struct network *network, struct error *err);
int store_remove(struct network_store *store, const char *name, struct error *err);
/* Sorted; strv. */
int store_names(const struct network_store *store, char ***ret, struct error *err);

/* The store's own copy, current as long as the lock is held. */
int store_leases(struct network_store *store, const char *name, struct ipam_leases **ret,
		 struct error *err);
int store_leases_write(struct network_store *store, const char *name, struct error *err);
/* After changes that were not written: the next store_leases() reads the file again. */
void store_leases_forget(struct network_store *store, const char *name);

#endif
