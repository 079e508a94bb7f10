/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_NETWORK_H
#define NETMGR_NETWORK_H

/*
 * network.h - networks: a record and leases on disk, a bridge (or what the driver makes) in the
 * kernel, and attachments of containers.
 *
 *     networks/NAME/network.json, networks/NAME/leases.json, under networks/.lock
 *
 * Projects may share a network, so every change is made under its lock and read back from disk.
 * After a reboot a network's record is there and its bridge is not: network_ensure() makes it.
 */

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct network_store;

int network_store_open(const char *root, struct network_store **ret, struct error *err);
void network_store_close(struct network_store *store);

struct network_pool { /* a row of ipam.config */
	const char *subnet, *ip_range, *gateway;
	const json_t *aux_addresses; /* object name: address, or NULL */
};

struct network_options {
	const char *driver;        /* NULL: bridge */
	const json_t *driver_opts; /* objects of strings, or NULL */
	const json_t *labels;
	bool internal, attachable;
	bool enable_ipv6;
	bool disable_ipv4;
	const struct network_pool *pools; /* none: a small subnet out of the wide pool */
	size_t pool_count;
};

/* Owned; network_info_free(). */
struct network_info {
	char *name, *id /* 64 hex */, *driver, *bridge /* interface on the host, or NULL */;
	json_t *driver_opts, *labels;
	bool internal, attachable, ipv4, ipv6;
	char *subnet4, *gateway4, *subnet6, *gateway6; /* "172.20.3.0/24", "172.20.3.1" */
	int64_t created_nsec;
	size_t attachments; /* leases in use */
	json_t *record;     /* everything, as on disk */
};

/* -EEXIST: there is one of this name. -EADDRINUSE: the subnet overlaps another network or route. */
int network_create(struct network_store *store, const char *name,
		   const struct network_options *options, struct error *err);
int network_inspect(struct network_store *store, const char *name, struct network_info **ret,
		    struct error *err); /* -ENOENT */
void network_info_free(struct network_info *info);
int network_list(struct network_store *store, struct network_info ***ret, size_t *ret_count,
		 struct error *err);
/* Bridge and rules in the kernel as the record says: after a reboot, a flushed table. Idempotent.
 */
int network_ensure(struct network_store *store, const char *name, struct error *err);
/* The same for many, with one firewall commit. */
int network_ensure_many(struct network_store *store, const char *const *names, size_t count,
			struct error *err);
/*
 * The rules of many, where others took them away or made those that ours have to stand among
 * (firewall/watch.h). 1: so it was, and published ports may be gone, too; 0: all is there.
 */
int network_mend_rules(struct network_store *store, const char *const *names, size_t count,
		       struct error *err);
/* -EBUSY: containers are attached. -ENOENT: not there. Bridge, rules, record: all gone. */
int network_remove(struct network_store *store, const char *name, struct error *err);
/*
 * The same for many, with one firewall commit and one wait for the kernel: each bridge by itself
 * would cost some 20 ms. @errors: one a name, set by this; those without a code are gone.
 */
void network_remove_many(struct network_store *store, const char *const *names, size_t count,
			 struct error *errors);
/*
 * Bridges, parents that were made for a macvlan or ipvlan, and rules of those in which no container
 * runs are gone as after a reboot, the records stay: network_ensure() makes them again. -EBUSY: one
 * does, which of a bridge is looked at, and of the others is the caller's to know.
 */
void network_put_away_many(struct network_store *store, const char *const *names, size_t count,
			   struct error *errors);
/* One whose containers are known to be gone, whatever leases they left. -ENOENT. */
int network_remove_abandoned(struct network_store *store, const char *name, struct error *err);

/* One end of a container in one network. */
struct endpoint_options {
	const char *network;                                   /* its name */
	const char *container_id;                              /* lease's owner */
	const char *ipv4_address, *ipv6_address, *mac_address; /* wished; NULL: any */
	const char *const *link_local_ips;                     /* NULL-terminated, or NULL */
	const char *interface_name; /* inside; NULL: eth0, eth1 in order */
	int priority, gw_priority;  /* order of connecting; who gives the default route */
};

struct endpoint {
	char *network, *interface_name; /* inside the container */
	char *host_interface;           /* veth's other end */
	struct in_addr ipv4;
	struct in6_addr ipv6;
	bool has_ipv4, has_ipv6, internal;
	unsigned int prefix4, prefix6;
	struct in_addr gateway4;
	struct in6_addr gateway6;
	uint8_t mac[6];
};

/* Everything a container's network namespace gets: leases taken, netlink messages ready. */
struct attachment;

/*
 * Takes leases for all of a container's endpoints (on one lock) and prepares what the child
 * sends. No endpoints: only `lo`. Leases are freed by attachment_release().
 */
int attachment_prepare(struct network_store *store, const struct endpoint_options *endpoints,
		       size_t count, bool dns, struct attachment **ret, struct error *err);

/* For container_spec.network_hook: @data is the struct attachment. Makes links, addresses, routes,
 * the redirect of 127.0.0.11:53, and the DNS sockets (udp, tcp) that come back in @ret_fds. */
int attachment_hook(const void *data, int *ret_fds, size_t *ret_count, struct error *err);

/*
 * The links of a running container once more, with the same addresses, where they are gone: an
 * ordinary user's bridges and their ends of the links end with the last process that has their
 * network. @pidfd: of its process. 1: so it was; 0: they are there.
 */
int attachment_reconnect(struct network_store *store, struct attachment *attachment, int pidfd,
			 struct error *err);

/*
 * DNS sockets once more, for a running container of which nobody has them any more; @netns_fd: its
 * namespace, or the pidfd of a process in it. 1: in @ret_fds (udp, tcp), the caller's; 0: it has no
 * name server.
 */
int attachment_dns_again(const struct attachment *attachment, int netns_fd, int ret_fds[2],
			 struct error *err);

/* The child runs, or never will: closes the socket and frees the messages that only it needed. */
void attachment_settle(struct attachment *attachment);

const struct endpoint *attachment_endpoints(const struct attachment *attachment, size_t *ret_count);
/* For the container's record, and back after a supervisor's restart. */
json_t *attachment_to_json(const struct attachment *attachment);
int attachment_from_json(struct network_store *store, const json_t *json, struct attachment **ret,
			 struct error *err);
void attachment_free(struct attachment *attachment); /* the handle */

/* Gives leases of many containers back and deletes their links in one go (by link group). */
int attachment_release(struct network_store *store, struct attachment *const *attachments,
		       size_t count, struct error *err);
/*
 * Before network_remove_many() of @networks, which deletes links and bridges at once where each by
 * itself would cost the kernel a grace period: gives back the leases of @attachments there, unless
 * others keep the network. Those endpoints are then no longer attachment_release()'s.
 */
int attachment_release_ahead(struct network_store *store, struct attachment *const *attachments,
			     size_t count, const char *const *networks, size_t network_count,
			     struct error *err);

/* `network connect/disconnect` of a running container: done from outside through its netns fd. */
int attachment_connect(struct network_store *store, struct attachment *attachment, int netns_fd,
		       const struct endpoint_options *endpoint, struct error *err);
int attachment_disconnect(struct network_store *store, struct attachment *attachment, int netns_fd,
			  const char *network, struct error *err);

#endif
