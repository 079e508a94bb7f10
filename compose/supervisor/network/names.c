// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/network/names.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/str.h"

#include "netmgr/dns/roster.h"

#include "compose/control/requests.h"

static struct dns_server *dns_of(struct supervisor *supervisor, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (supervisor->dns ||
	    dns_server_new(supervisor->event, &(struct dns_options){0}, &supervisor->dns, err) < 0)
		return supervisor->dns;
	path = str_printf("%s/names", paths_runtime());
	supervisor->roster =
		roster_new(supervisor->event, path, supervisor->project, supervisor->dns);
	return supervisor->dns;
}

/* As Docker has it: on the default bridge nobody has a name. */
bool names_are_on(const char *network)
{
	return !str_equal(network, "bridge");
}

/*
 * What its name server is to know for this one alone, "NAME:ALIAS": they follow whoever has the
 * name, to another address too. Of an id the name is its first 12 digits. The list is new.
 */
static char **links_of(const struct instance *instance)
{
	char **links = strv_dup(instance->service->links);

	strv_foreach(link, instance->service->external_links) {
		size_t length = strcspn(link, ":");
		bool is_id = length > 12 && strspn(link, "0123456789abcdef") == length;

		if (link[length]) {
			_cleanup_free_ char *row =
				str_printf("%.*s%s", is_id ? 12 : (int)length, link, link + length);

			strv_append(&links, row);
		}
	}
	return links;
}

/* What its name server knows of its networks. The list is new, the names are borrowed. */
static const char **networks_of(const struct instance *instance,
				struct dns_listener_options *options)
{
	const struct endpoint *endpoints = NULL;
	const char **networks;
	size_t count = 0, n = 0;

	if (instance->attachment)
		endpoints = attachment_endpoints(instance->attachment, &count);
	networks = new_array(const char *, count + 1);
	options->no_forward = count > 0;
	for (size_t i = 0; i < count; i++) {
		options->no_forward &= endpoints[i].internal;
		if (names_are_on(endpoints[i].network))
			networks[n++] = endpoints[i].network;
		if (!options->gateway4.s_addr && !endpoints[i].internal)
			options->gateway4 = endpoints[i].gateway4;
	}
	options->networks = networks;
	return networks;
}

int names_listen(struct instance *instance, int udp_fd, int tcp_fd, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	_cleanup_free_ const char **networks = NULL;
	_cleanup_strv_ char **links = links_of(instance);
	struct dns_listener_options options = {.container_id = instance->id};

	if (!dns_of(supervisor, err)) {
		close(udp_fd);
		close(tcp_fd);
		return -err->code;
	}
	networks = networks_of(instance, &options);
	options.links = (const char *const *)links;
	options.upstreams = (const char *const *)instance->service->dns;
	dns_listener_free(instance->dns);
	instance->dns = NULL;
	return dns_server_listen(supervisor->dns, udp_fd, tcp_fd, &options, &instance->dns, err);
}

void names_networks_changed(struct instance *instance)
{
	_cleanup_strv_ char **links = links_of(instance);
	struct dns_listener_options options = {.links = (const char *const *)links};
	_cleanup_free_ const char **networks = networks_of(instance, &options);

	if (instance->dns)
		dns_listener_networks(instance->dns, &options);
}

static const struct service_network *network_row(const struct instance *instance, const char *name)
{
	const struct service *service = instance->service;

	for (size_t i = 0; i < service->network_count; i++) {
		const struct network *network =
			project_network(instance->model->project, service->networks[i].name);

		if (str_equal(network ? network->name : service->networks[i].name, name))
			return &service->networks[i];
	}
	return NULL;
}

/* What it is called on one of its networks; new, the names themselves are borrowed. */
static const char **names_on(const struct instance *instance, const char *network, char *short_id)
{
	const struct service_network *row = network_row(instance, network);
	size_t aliases = row ? strv_length(row->aliases) : 0, n = 0;
	const char **names = new_array(const char *, aliases + 4);

	names[n++] = instance->name;
	if (!instance->oneoff || instance->use_aliases) {
		/* A single container's service is called as it was at first. */
		if (!str_starts_with(instance->supervisor->project, SINGLE_PREFIX))
			names[n++] = instance->service_name;
		for (size_t k = 0; k < aliases; k++)
			names[n++] = row->aliases[k];
	}
	memcpy(short_id, instance->id, 12);
	names[n++] = short_id;
	return names;
}

static void announce_on(struct instance *instance, const struct endpoint *endpoint)
{
	struct supervisor *supervisor = instance->supervisor;
	struct error err = ERROR_INIT;
	char short_id[13] = "";
	_cleanup_free_ const char **names = names_on(instance, endpoint->network, short_id);
	struct dns_names entry = {
		.network = endpoint->network,
		.container_id = instance->id,
		.names = names,
		.ipv4 = endpoint->ipv4,
		.ipv6 = endpoint->ipv6,
		.has_ipv4 = endpoint->has_ipv4,
		.has_ipv6 = endpoint->has_ipv6,
	};

	dns_server_add(supervisor->dns, &entry);
	if (roster_add(supervisor->roster, &entry, instance->pid, instance->start_ticks, &err) < 0)
		log_warning("%s: other projects do not find it by name: %s", instance->name,
			    err.message);
}

void names_announce(struct instance *instance)
{
	struct supervisor *supervisor = instance->supervisor;
	const struct endpoint *endpoints;
	struct error err = ERROR_INIT;
	size_t count = 0;

	/* Others may ask for it, though it has no listener itself. */
	if (instance->standby || instance->retired || !instance->attachment ||
	    !dns_of(supervisor, &err))
		return;
	endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++) {
		if (names_are_on(endpoints[i].network))
			announce_on(instance, &endpoints[i]);
	}
}

void names_withdraw(struct instance *instance)
{
	struct supervisor *supervisor = instance->supervisor;

	if (supervisor->dns) {
		dns_server_remove(supervisor->dns, NULL, instance->id);
		roster_remove(supervisor->roster, NULL, instance->id);
	}
	dns_listener_free(instance->dns);
	instance->dns = NULL;
}

void names_leave(struct instance *instance, const char *network)
{
	struct supervisor *supervisor = instance->supervisor;

	if (!supervisor->dns)
		return;
	dns_server_remove(supervisor->dns, network, instance->id);
	roster_remove(supervisor->roster, network, instance->id);
}

void names_flush(struct supervisor *supervisor)
{
	if (supervisor->roster)
		roster_flush(supervisor->roster);
}

void names_settle(struct supervisor *supervisor)
{
	struct error err = ERROR_INIT;

	if (dns_of(supervisor, &err))
		roster_settle(supervisor->roster);
}
