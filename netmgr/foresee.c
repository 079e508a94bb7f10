// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/foresee.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/str.h"

#include "netmgr/attachment.h"
#include "netmgr/design.h"

/* A network with the leases that it will have. */
struct prospect {
	struct network *network;
	struct ipam_leases leases;
};

struct foresight {
	struct network_store *store;
	int lock;
	const char *const *going, *const *leaving;
	struct network **coming; /* the prospects' */
	size_t coming_count;
	struct map prospects; /* by name */
};

int foresee_begin(struct network_store *store, const char *const *going, const char *const *leaving,
		  struct foresight **ret, struct error *err)
{
	int lock = network_store_lock(store, err);

	if (lock < 0)
		return lock;
	*ret = new (struct foresight);
	(*ret)->store = store;
	(*ret)->lock = lock;
	(*ret)->going = going;
	(*ret)->leaving = leaving;
	return 0;
}

static struct prospect *add_prospect(struct foresight *foresight, struct network *network)
{
	struct prospect *prospect = new (struct prospect);

	prospect->network = network;
	map_set(&foresight->prospects, network->name, prospect);
	return prospect;
}

int foresee_network(struct foresight *foresight, const char *name,
		    const struct network_options *options, struct error *err)
{
	const struct design_changes changes = {foresight->going, foresight->coming,
					       foresight->coming_count};
	_cleanup_network_ struct network *network = new (struct network);
	int r = design_network(foresight->store, name, options, &changes, network, err);

	if (r >= 0 && network->driver->check)
		r = network->driver->check(network, foresight->store->route_fd, err);
	if (r < 0)
		return error_wrap(err, "network %s", name);
	if (map_get(&foresight->prospects, name))
		return 0;
	*array_add(foresight->coming, foresight->coming_count) = network;
	add_prospect(foresight, TAKE_PTR(network));
	return 0;
}

static bool contains(const char *const *list, const char *name)
{
	for (; list && *list; list++)
		if (str_equal(*list, name))
			return true;
	return false;
}

static void copy_leases(const struct foresight *foresight, const struct ipam_leases *from,
			struct ipam_leases *to)
{
	for (size_t i = 0; i < from->count; i++) {
		struct ipam_lease *copy;

		if (contains(foresight->leaving, from->items[i].container))
			continue;
		copy = array_add(to->items, to->count);
		*copy = from->items[i];
		copy->container = alloc_string(from->items[i].container);
	}
}

static int find_prospect(struct foresight *foresight, const char *name, struct prospect **ret,
			 struct error *err)
{
	struct ipam_leases *leases;
	struct network *network;
	int r;

	*ret = map_get(&foresight->prospects, name);
	if (*ret || contains(foresight->going, name))
		return 0;
	r = store_load(foresight->store, name, &network, err);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	*ret = add_prospect(foresight, network);
	r = store_leases(foresight->store, name, &leases, err);
	if (r >= 0)
		copy_leases(foresight, leases, &(*ret)->leases);
	return r;
}

int foresee_endpoint(struct foresight *foresight, const struct endpoint_options *wish,
		     struct error *err)
{
	struct prospect *prospect;
	struct ipam_lease *lease;
	int r = find_prospect(foresight, wish->network, &prospect, err);

	if (r < 0 || !prospect || !prospect->network->driver->addresses)
		return r;
	r = endpoint_check(wish, err);
	if (r >= 0)
		r = ipam_lease(&prospect->leases, &prospect->network->pool4,
			       &prospect->network->pool6, wish, &lease, err);
	return r < 0 ? error_wrap(err, "network %s", wish->network) : 0;
}

static void prospect_free(void *data)
{
	struct prospect *prospect = data;

	network_free(prospect->network);
	ipam_leases_done(&prospect->leases);
	free(prospect);
}

void foresee_end(struct foresight *foresight)
{
	if (!foresight)
		return;
	free(foresight->coming);
	map_done(&foresight->prospects, prospect_free);
	close(foresight->lock);
	free(foresight);
}
