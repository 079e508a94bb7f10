// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/networks_foresee.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/foresee.h"

#include "compose/control/place.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/networks.h"
#include "compose/supervisor/translate/translate.h"

DEFINE_CLEANUP(struct foresight *, foresee_end);

/* One whose making nothing but the machine's last free subnet could stand in the way of. */
static bool is_plain(const struct network *network)
{
	return !network->driver && !network->driver_opts.count && !network->ipam.config_count;
}

static bool wishes(const struct service *service, const struct service_network *row)
{
	return row->ipv4_address || row->ipv6_address || row->mac_address || row->link_local_ips ||
	       row->interface_name || row->driver_opts.count || service->mac_address;
}

static const struct network *network_made(const struct converge *converge,
					  const struct operation *operation)
{
	return operation->kind == OP_CREATE_NETWORK
		       ? project_network(converge_project(converge), operation->key)
		       : NULL;
}

static const struct service *service_made(const struct converge *converge,
					  const struct operation *operation)
{
	const struct model *model = operation->oneoff ? converge->oneoff.model : converge->model;

	return model && operation->kind == OP_CREATE_CONTAINER
		       ? project_service(model->project, operation->service)
		       : NULL;
}

static bool has_wishes(const struct converge *converge)
{
	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		const struct network *network = network_made(converge, operation);
		const struct service *service = service_made(converge, operation);

		if (network && !is_plain(network))
			return true;
		for (size_t n = 0; service && n < service->network_count; n++)
			if (wishes(service, &service->networks[n]))
				return true;
	}
	return false;
}

/* New lists, whose words are the plan's. */
static void what_goes(const struct converge *converge, const char ***ret_going,
		      const char ***ret_leaving)
{
	const struct plan *plan = converge->plan;
	size_t going = 0, leaving = 0;

	*ret_going = new_array(const char *, plan->count + 1);
	*ret_leaving = new_array(const char *, plan->count + 1);
	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *operation = &plan->operations[i];

		if (operation->kind == OP_REMOVE_NETWORK)
			(*ret_going)[going++] = operation->name;
		if (operation->kind == OP_REMOVE_CONTAINER && operation->id)
			(*ret_leaving)[leaving++] = operation->id;
	}
}

static int foresee_networks(const struct converge *converge, struct foresight *foresight,
			    struct error *err)
{
	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		const struct network *network = network_made(converge, operation);
		struct network_wish wish;
		int r;

		if (!network)
			continue;
		network_wish_init(&wish, network);
		r = foresee_network(foresight, operation->name, &wish.options, err);
		network_wish_done(&wish);
		if (r < 0)
			return place_under(err, "networks", network->key, NULL);
	}
	return 0;
}

static int under_service(struct error *err, const struct service *service,
			 const struct service_network *row)
{
	error_wrap(err, "service %s", service->name);
	if (service->mac_address && !row->mac_address && strstr(err->message, "mac_address"))
		return place_under(err, "services", service->name, "mac_address", NULL);
	return place_under(err, "services", service->name, "networks", row->name, NULL);
}

/* Nothing forbids it, and neither of the two will be reached reliably. */
static void warn_of_same(struct converge *converge, struct map *seen,
			 const struct operation *operation, const struct endpoint_options *wish)
{
	_cleanup_free_ char *key = NULL, *text = NULL;
	const char *other;

	if (!wish->mac_address)
		return;
	key = str_printf("%s %s", wish->network, wish->mac_address);
	other = map_set(seen, key, operation->name);
	if (!other)
		return;
	text = str_printf("network %s: %s and %s have the same mac_address, %s", wish->network,
			  other, operation->name, wish->mac_address);
	converge_warn(converge, text);
}

static int foresee_container(struct converge *converge, struct foresight *foresight,
			     struct map *seen, const struct operation *operation, struct error *err)
{
	const struct service *service = service_made(converge, operation);

	for (size_t i = 0; service && i < service->network_count; i++) {
		const struct service_network *row = &service->networks[i];
		struct endpoint_options wish;

		if (!wishes(service, row))
			continue;
		translate_endpoint_row(converge_project(converge), service, row, operation->name,
				       &wish);
		if (foresee_endpoint(foresight, &wish, err) < 0)
			return under_service(err, service, row);
		warn_of_same(converge, seen, operation, &wish);
	}
	return 0;
}

int networks_foresee(struct converge *converge, struct error *err)
{
	_cleanup_(cleanup_foresee_end) struct foresight *foresight = NULL;
	_cleanup_free_ const char **going = NULL, **leaving = NULL;
	struct map seen = {0};
	int r;

	if (!has_wishes(converge))
		return 0;
	what_goes(converge, &going, &leaving);
	r = foresee_begin(converge->supervisor->networks, going, leaving, &foresight, err);
	if (r >= 0)
		r = foresee_networks(converge, foresight, err);
	for (size_t i = 0; r >= 0 && i < converge->plan->count; i++)
		r = foresee_container(converge, foresight, &seen, &converge->plan->operations[i],
				      err);
	map_done(&seen, NULL);
	return r;
}
