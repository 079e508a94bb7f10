// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * release.c - the half of struct attachment that is about its end: links deleted, leases given
 * back, for many containers in one go.
 */
#include <stdlib.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/str.h"

#include "netmgr/attachment.h"
#include "netmgr/netlink/link.h"
#include "netmgr/store.h"

static int delete_links(struct network_store *store, struct attachment *const *attachments,
			size_t count, struct error *err)
{
	const char **names = NULL;
	size_t name_count = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < attachments[i]->count; j++)
			*array_add(names, name_count) = attachments[i]->endpoints[j].host_interface;
	r = link_delete_many(store->route_fd, names, name_count, err);
	free(names);
	return r;
}

/* Networks that leases were taken from, each written once. */
static int release_leases(struct network_store *store, struct attachment *const *attachments,
			  size_t count, struct error *err)
{
	_cleanup_strv_ char **touched = NULL;
	int first = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < attachments[i]->count; j++) {
			const char *network = attachments[i]->endpoints[j].network;
			struct ipam_leases *leases;

			if (store_leases(store, network, &leases, err) < 0)
				return -err->code;
			if (ipam_release(leases, attachments[i]->container) &&
			    !strv_contains(touched, network))
				strv_append(&touched, network);
		}
	strv_foreach(network, touched) {
		struct error failure = ERROR_INIT;

		if (store_leases_write(store, network, &failure) >= 0)
			continue;
		if (first)
			log_warning("%s", failure.message);
		else
			*err = failure;
		first = -failure.code;
	}
	return first ? -err->code : 0;
}

int attachment_release(struct network_store *store, struct attachment *const *attachments,
		       size_t count, struct error *err)
{
	_cleanup_close_ int lock = -EBADF;
	size_t endpoints = 0;

	for (size_t i = 0; i < count; i++) {
		attachment_settle(attachments[i]);
		endpoints += attachments[i]->count;
	}
	if (!endpoints)
		return 0;
	/* Links first: an address is free once nothing bears it. */
	if (delete_links(store, attachments, count, err) < 0)
		return error_wrap(err, "delete links");
	lock = network_store_lock(store, err);
	if (lock < 0)
		return lock;
	return release_leases(store, attachments, count, err);
}

/* Whether the links of @name are deleted with its bridge. */
static bool takes_its_links(const struct network_store *store, const char *name)
{
	_cleanup_network_ struct network *network = NULL;
	struct error ignored = ERROR_INIT;

	return store_load(store, name, &network, &ignored) >= 0 && network->bridge[0] &&
	       !network->found_bridge && !network->driver->child;
}

static void drop_network(struct attachment *attachment, const char *name)
{
	for (size_t i = attachment->count; i-- > 0;)
		if (str_equal(attachment->endpoints[i].network, name))
			attachment_drop_endpoint(attachment, i);
}

static int release_network(struct network_store *store, const char *name,
			   struct attachment *const *attachments, size_t count, struct error *err)
{
	struct ipam_leases *leases;

	if (!takes_its_links(store, name))
		return 0;
	if (store_leases(store, name, &leases, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++)
		(void)ipam_release(leases, attachments[i]->container);
	/* It stays for those: then links go first. */
	if (ipam_leases_active(leases)) {
		store_leases_forget(store, name);
		return 0;
	}
	if (store_leases_write(store, name, err) < 0) {
		store_leases_forget(store, name);
		return -err->code;
	}
	for (size_t i = 0; i < count; i++)
		drop_network(attachments[i], name);
	return 0;
}

int attachment_release_ahead(struct network_store *store, struct attachment *const *attachments,
			     size_t count, const char *const *networks, size_t network_count,
			     struct error *err)
{
	_cleanup_close_ int lock = network_store_lock(store, err);

	if (lock < 0)
		return lock;
	for (size_t i = 0; i < count; i++)
		attachment_settle(attachments[i]);
	for (size_t i = 0; i < network_count; i++)
		if (release_network(store, networks[i], attachments, count, err) < 0)
			return error_wrap(err, "network %s", networks[i]);
	return 0;
}
