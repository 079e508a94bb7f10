// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "netmgr/proxy.h"
#include "netmgr/publish.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/network/ports_internal.h"

static uint8_t protocol_number(enum port_protocol protocol)
{
	static const uint8_t numbers[] = {
		[PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP};

	return numbers[protocol];
}

const char *held_port_protocol(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : protocol == IPPROTO_SCTP ? "sctp" : "tcp";
}

struct ports *ports_new(struct supervisor *supervisor)
{
	struct ports *ports = new (struct ports);

	ports->supervisor = supervisor;
	return ports;
}

void held_port_key(const struct publish *publish, char *key, size_t size)
{
	snprintf(key, size, "%s:%u/%s", publish->host_ip, publish->host_port,
		 held_port_protocol(publish->protocol));
}

void held_port_keeper_name(const struct held_port *held, int family, char *name, size_t size)
{
	snprintf(name, size, "port:%s:%c", held->key, family ? '6' : '4');
}

static void held_free(struct ports *ports, struct held_port *held, bool drop)
{
	char name[KEEPER_PORT_NAME_MAX];

	map_remove(&ports->held, held->key);
	for (int i = 0; i < 2; i++) {
		proxy_free(held->proxies[i]);
		if (held->fds[i] < 0)
			continue;
		close(held->fds[i]);
		held_port_keeper_name(held, i, name, sizeof(name));
		if (drop)
			keeper_client_drop(ports->supervisor->keeper, name);
	}
	free(held->reserved);
	free(held);
}

void ports_free(struct ports *ports)
{
	if (!ports)
		return;
	map_foreach(entry, &ports->held)
		held_free(ports, entry->value, false);
	map_done(&ports->held, NULL);
	sd_event_source_disable_unref(ports->timer);
	free(ports->pending);
	free(ports);
}

/* Where a network of the service has its ports published unless they say so; NULL: everywhere. */
static const char *default_binding(const struct project *project, const struct service *service)
{
	for (size_t i = 0; project && i < service->network_count; i++) {
		const struct network *network = project_network(project, service->networks[i].name);
		const char *ip =
			network ? mapping_get(&network->driver_opts,
					      "com.docker.network.bridge.host_binding_ipv4")
				: NULL;

		if (ip && *ip && !str_equal(ip, "0.0.0.0"))
			return ip;
	}
	return NULL;
}

/* The request that a row of `ports` is: what is not decided yet stays 0. */
static void publish_of(const struct port *port, const char *binding, struct publish *ret)
{
	char *end;

	*ret = (struct publish){
		.container_port = port->target,
		.protocol = protocol_number(port->protocol),
	};
	snprintf(ret->host_ip, sizeof(ret->host_ip), "%s", port->host_ip ?: binding ?: "");
	if (!port->published || !port->published[0])
		return;
	ret->host_first = (uint16_t)strtoul(port->published, &end, 10);
	ret->host_last = *end == '-' ? (uint16_t)strtoul(end + 1, NULL, 10) : ret->host_first;
	if (ret->host_first == ret->host_last) {
		ret->host_port = ret->host_first;
		ret->host_first = ret->host_last = 0;
	}
}

void held_port_store(struct ports *ports, struct held_port *held)
{
	char names[2][KEEPER_PORT_NAME_MAX];
	const char *list[2];
	int fds[2];
	size_t count = 0;

	for (int i = 0; i < 2; i++) {
		if (held->fds[i] < 0)
			continue;
		held_port_keeper_name(held, i, names[count], sizeof(names[count]));
		list[count] = names[count];
		fds[count++] = held->fds[i];
	}
	(void)keeper_client_store(ports->supervisor->keeper, list, fds, count);
}

static int hold_new(struct ports *ports, const struct publish *wish, struct held_port **ret,
		    struct error *err)
{
	struct held_port *held = new (struct held_port);
	int r;

	held->publish = *wish;
	held->fds[0] = held->fds[1] = -EBADF;
	r = publish_hold(&held->publish, held->fds, err);
	if (r < 0) {
		free(held);
		return r;
	}
	held_port_key(&held->publish, held->key, sizeof(held->key));
	map_set(&ports->held, held->key, held);
	held_port_store(ports, held);
	*ret = held;
	return 0;
}

static int is_taken(const struct service *service, const struct held_port *held, struct error *err)
{
	const char *port = held->key[0] == ':' ? held->key + 1 : held->key;
	const char *by = "service ", *name = held->reserved;

	if (held->owner) {
		by = "container ";
		name = held->owner->name;
	} else if (!strcmp(held->reserved, service->name)) {
		by = "another container of it";
		name = "";
	}
	return error_set(err, EADDRINUSE, "service %s: port %s is already taken by %s%s",
			 service->name, port, by, name);
}

int ports_reserve(struct ports *ports, const struct project *project, const struct service *service,
		  const struct instance *instance, struct error *err)
{
	const char *binding = default_binding(project, service);

	for (size_t i = 0; i < service->port_count; i++) {
		struct publish wish;
		struct held_port *held;
		char key[sizeof(held->key)];
		int r;

		publish_of(&service->ports[i], binding, &wish);
		if (!wish.host_port)
			continue;
		held_port_key(&wish, key, sizeof(key));
		held = map_get(&ports->held, key);
		if (held && held->owner && held->owner == instance)
			continue;
		if (held && (held->reserved || (held->owner && !held->owner->leaving)))
			return is_taken(service, held, err);
		r = held ? 0 : hold_new(ports, &wish, &held, err);
		if (r < 0)
			return error_wrap(err, "service %s", service->name);
		if (!held->reserved)
			held->reserved = alloc_string(service->name);
	}
	return 0;
}

void ports_unreserve(struct ports *ports)
{
	map_foreach(entry, &ports->held) {
		struct held_port *held = entry->value;

		free(held->reserved);
		held->reserved = NULL;
		if (!held->refs)
			held_free(ports, held, true);
	}
}

static bool holds(const struct instance *instance, const struct held_port *held)
{
	for (size_t i = 0; i < instance->port_count; i++)
		if (instance->ports[i] == held)
			return true;
	return false;
}

void held_port_take(struct instance *instance, struct held_port *held)
{
	if (holds(instance, held))
		return;
	held->refs++;
	held->owner = instance;
	*array_add(instance->ports, instance->port_count) = held;
}

/* The host's and another container's network publish nothing of their own. */
static bool publishes(const struct service *service)
{
	return !service->network_mode || str_equal(service->network_mode, "bridge");
}

int ports_hold(struct instance *instance, struct error *err)
{
	struct ports *ports = instance->supervisor->ports;
	const struct service *service = instance->service;
	const char *binding = default_binding(instance->model->project, service);

	if (!publishes(service))
		return 0;
	for (size_t i = 0; i < service->port_count; i++) {
		struct publish wish;
		struct held_port *held = NULL;
		char key[sizeof(held->key)];
		int r = 0;

		publish_of(&service->ports[i], binding, &wish);
		if (wish.host_port) {
			held_port_key(&wish, key, sizeof(key));
			held = map_get(&ports->held, key);
		}
		if (held && held->owner && held->owner != instance && instance_runs(held->owner))
			r = error_set(err, EADDRINUSE, "port %s is already taken by container %s",
				      key[0] == ':' ? key + 1 : key, held->owner->name);
		else if (!held)
			r = hold_new(ports, &wish, &held, err);
		if (r < 0) {
			ports_release(instance);
			return r;
		}
		/* The port it leads to may have changed since the one before held it. */
		held->publish.container_port = wish.container_port;
		held_port_take(instance, held);
	}
	return 0;
}

static void let_go(struct instance *instance, struct held_port *held)
{
	for (int k = 0; k < 2 && held->owner == instance; k++) {
		proxy_free(held->proxies[k]);
		held->proxies[k] = NULL;
	}
	if (held->owner == instance)
		held->owner = NULL;
	if (--held->refs == 0 && !held->reserved)
		held_free(instance->supervisor->ports, held, true);
}

void ports_release(struct instance *instance)
{
	struct ports *ports = instance->supervisor->ports;

	/* Its sockets may have gone with a supervisor that was killed before the rules did. */
	if (!instance->port_count && !instance->service->port_count)
		return;
	for (size_t i = 0; i < instance->port_count; i++)
		let_go(instance, instance->ports[i]);
	free(instance->ports);
	instance->ports = NULL;
	instance->port_count = 0;
	ports_pend(ports, instance->id, NULL, NULL);
}

/* One that it has already, decided when it was started, and that is still what is asked for. */
static struct held_port *still_wanted(const struct instance *instance,
				      const struct ports_exchange *exchange,
				      const struct publish *wish)
{
	for (size_t i = 0; i < exchange->count; i++) {
		struct held_port *held = exchange->before[i];
		const struct publish *has = &held->publish;

		if (has->container_port == wish->container_port &&
		    has->protocol == wish->protocol && str_equal(has->host_ip, wish->host_ip) &&
		    (!wish->host_first ||
		     (has->host_port >= wish->host_first && has->host_port <= wish->host_last)) &&
		    !holds(instance, held))
			return held;
	}
	return NULL;
}

static int exchange_one(struct instance *instance, const struct ports_exchange *exchange,
			struct publish *wish, struct error *err)
{
	struct ports *ports = instance->supervisor->ports;
	struct held_port *held;
	char key[sizeof(held->key)];

	held_port_key(wish, key, sizeof(key));
	held = wish->host_port ? map_get(&ports->held, key)
			       : still_wanted(instance, exchange, wish);
	if (held && held->owner && held->owner != instance && held->owner != exchange->from &&
	    instance_runs(held->owner))
		return error_set(err, EADDRINUSE, "port %s is already taken by container %s",
				 key[0] == ':' ? key + 1 : key, held->owner->name);
	if (!held && hold_new(ports, wish, &held, err) < 0)
		return -err->code;
	held->publish.container_port = wish->container_port;
	held_port_take(instance, held);
	return 0;
}

int ports_exchange(struct instance *instance, struct instance *from, const struct model *model,
		   const struct service *service, struct ports_exchange *ret, struct error *err)
{
	const char *binding = default_binding(model->project, service);
	int r = 0;

	*ret = (struct ports_exchange){from, from->ports, from->port_count};
	from->ports = NULL;
	from->port_count = 0;
	for (size_t i = 0; r == 0 && publishes(service) && i < service->port_count; i++) {
		struct publish wish;

		publish_of(&service->ports[i], binding, &wish);
		r = exchange_one(instance, ret, &wish, err);
	}
	if (r < 0)
		ports_exchange_undo(instance, ret);
	return r;
}

/* Where they lead to is looked at anew when the rules are made. */
void ports_exchange_undo(struct instance *instance, struct ports_exchange *exchange)
{
	struct instance *from = exchange->from;

	for (size_t i = 0; i < instance->port_count; i++)
		let_go(instance, instance->ports[i]);
	free(instance->ports);
	instance->ports = NULL;
	instance->port_count = 0;
	if (!from)
		return;
	from->ports = exchange->before;
	from->port_count = exchange->count;
	for (size_t i = 0; i < from->port_count; i++)
		from->ports[i]->owner = from;
	*exchange = (struct ports_exchange){0};
}

static void published_anew(struct instance *instance)
{
}

void ports_exchange_finish(struct instance *instance, struct ports_exchange *exchange)
{
	struct ports *ports = instance->supervisor->ports;
	struct instance *from = exchange->from;

	if (!from)
		return;
	if (!from->port_count)
		ports_pend(ports, from->id, NULL, NULL);
	ports_publish(instance, published_anew);
	ports_flush(ports);
	/* Only now: a connection that comes in between still finds somebody. */
	for (size_t i = 0; i < exchange->count; i++) {
		struct held_port *held = exchange->before[i];

		if (holds(instance, held))
			held->refs--;
		else
			let_go(from, held);
	}
	free(exchange->before);
	*exchange = (struct ports_exchange){0};
}

void ports_settle(struct ports *ports)
{
	ports_unreserve(ports);
}
