// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ports_rules.c - the half of ports.h that brings traffic to what is held: firewall rules, many
 * containers' in one commit, and proxies.
 */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/firewall/firewall.h"
#include "netmgr/proxy.h"
#include "netmgr/publish.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/network/ports_internal.h"

#define COMMIT_LATEST_USEC (50 * USEC_PER_MSEC)

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	ports_flush(data);
	return 0;
}

/* @instance NULL: its rules go. */
void ports_pend(struct ports *ports, const char *id, struct instance *instance,
		void (*done)(struct instance *instance))
{
	struct pending *pending = NULL;
	char owner[80];

	snprintf(owner, sizeof(owner), "container:%s", id);
	for (size_t i = 0; i < ports->pending_count && !pending; i++)
		if (strcmp(ports->pending[i].owner, owner) == 0)
			pending = &ports->pending[i];
	if (!pending)
		pending = array_add(ports->pending, ports->pending_count);
	strcpy(pending->owner, owner);
	pending->instance = instance;
	pending->done = done;
	if (ports->timer)
		return;
	/* Others of the same group follow: one commit for all of them, but not much later. */
	(void)sd_event_add_time_relative(
		ports->supervisor->event, &ports->timer, CLOCK_MONOTONIC,
		instance && !executor_births(ports->supervisor->executor) ? 0 : COMMIT_LATEST_USEC,
		1, on_timer, ports);
}

void ports_forget(struct ports *ports, const char *container_id)
{
	ports_pend(ports, container_id, NULL, NULL);
}

/* Where the rules lead: the first network of its that leads outside. */
static const struct endpoint *outward_endpoint(const struct instance *instance)
{
	const struct endpoint *endpoints, *found = NULL;
	size_t count = 0;

	if (!instance->attachment)
		return NULL;
	endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++) {
		if (!found || (found->internal && !endpoints[i].internal))
			found = &endpoints[i];
	}
	return found;
}

static void fill_target(struct instance *instance, struct held_port *held,
			const struct endpoint *endpoint)
{
	struct network_info *info =
		map_get(&instance->supervisor->networks_ready, endpoint->network);

	held->publish.ipv4 = endpoint->ipv4;
	held->publish.has_ipv4 = endpoint->has_ipv4;
	held->publish.ipv6 = endpoint->ipv6;
	held->publish.has_ipv6 = endpoint->has_ipv6;
	snprintf(held->publish.bridge, sizeof(held->publish.bridge), "%s",
		 info && info->bridge ? info->bridge : "");
}

/*
 * What packet rules cannot do: ::1, IPv6 to a container without it, hosts without rules, and a
 * host's network that is not ours to make rules in.
 */
static void start_proxy(struct instance *instance, struct held_port *held, int family)
{
	const struct publish *publish = &held->publish;
	struct sockaddr_in to4 = {.sin_family = AF_INET,
				  .sin_port = htons(publish->container_port),
				  .sin_addr = publish->ipv4};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(publish->container_port),
				   .sin6_addr = publish->ipv6};
	const struct sockaddr *to = (const struct sockaddr *)&to4;
	socklen_t size = sizeof(to4);
	struct error err = ERROR_INIT;

	if (held->fds[family] < 0 || publish->protocol == IPPROTO_SCTP)
		return;
	if (family == 0 && !str_equal(firewall_backend(), "none") && !rootless())
		return;
	/* Of one family with the client, a proxy can bear its address. */
	if (!publish->has_ipv4 || (family == 1 && rootless() && publish->has_ipv6)) {
		to = (const struct sockaddr *)&to6;
		size = sizeof(to6);
	}
	/* Who is connected through the one that there is stays connected. */
	if (held->proxies[family])
		proxy_retarget(held->proxies[family], to, size);
	else if (proxy_new(instance->supervisor->event, held->fds[family], publish->protocol, to,
			   size, &held->proxies[family], &err) < 0)
		log_warning("%s: port %s: %s", instance->name, held->key, err.message);
}

void ports_publish(struct instance *instance, void (*done)(struct instance *instance))
{
	const struct endpoint *endpoint = outward_endpoint(instance);

	if (!instance->port_count || !endpoint) {
		done(instance);
		return;
	}
	for (size_t i = 0; i < instance->port_count; i++) {
		instance->ports[i]->owner = instance;
		fill_target(instance, instance->ports[i], endpoint);
		for (int family = 0; family < 2; family++)
			start_proxy(instance, instance->ports[i], family);
	}
	ports_pend(instance->supervisor->ports, instance->id, instance, done);
}

void ports_flush(struct ports *ports)
{
	size_t count = ports->pending_count;
	_cleanup_free_ struct pending *pending = TAKE_PTR(ports->pending);
	_cleanup_free_ struct firewall_change *changes = NULL;
	struct error err = ERROR_INIT;

	ports->timer = sd_event_source_disable_unref(ports->timer);
	ports->pending_count = 0;
	if (!count)
		return;
	changes = new_array(struct firewall_change, count);
	for (size_t i = 0; i < count; i++) {
		struct instance *instance = pending[i].instance;
		struct publish *rows = NULL;

		changes[i].owner = pending[i].owner;
		if (!instance)
			continue;
		rows = new_array(struct publish, instance->port_count + 1);
		for (size_t k = 0; k < instance->port_count; k++)
			rows[k] = instance->ports[k]->publish;
		changes[i].ports = rows;
		changes[i].port_count = instance->port_count;
	}
	if (firewall_publish(changes, count, &err) < 0)
		log_error("publish ports: %s", err.message);
	for (size_t i = 0; i < count; i++) {
		free((void *)changes[i].ports);
		if (pending[i].instance && pending[i].done)
			pending[i].done(pending[i].instance);
	}
}

void ports_resume(struct instance *instance)
{
	const struct endpoint *endpoint = outward_endpoint(instance);

	for (size_t i = 0; endpoint && i < instance->port_count; i++) {
		instance->ports[i]->owner = instance;
		fill_target(instance, instance->ports[i], endpoint);
		for (int family = 0; family < 2; family++)
			start_proxy(instance, instance->ports[i], family);
	}
	/* Whether the rules went in before the supervisor died is not known: once more. */
	if (endpoint && instance->port_count)
		ports_pend(instance->supervisor->ports, instance->id, instance, NULL);
}

void ports_renew(struct instance *instance)
{
	struct ports *ports = instance->supervisor->ports;

	for (size_t i = 0; i < ports->pending_count; i++)
		if (ports->pending[i].instance == instance)
			return;
	/* Otherwise its rules are not in yet, or another one's. */
	if (instance_runs(instance) && instance->port_count && !instance->standby &&
	    !instance->retired && outward_endpoint(instance))
		ports_pend(ports, instance->id, instance, NULL);
}
