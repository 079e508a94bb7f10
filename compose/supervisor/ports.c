// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/ports.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/firewall/firewall.h"
#include "netmgr/proxy.h"
#include "netmgr/publish.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/keeper_client.h"
#include "compose/supervisor/observe.h"

#define COMMIT_LATEST_USEC (50 * USEC_PER_MSEC)

struct held_port {
	char key[INET6_ADDRSTRLEN + 16]; /* "IP:PORT/PROTOCOL" */
	int fds[2];
	struct publish publish;
	unsigned int refs;
	bool reserved;
	struct instance *owner; /* the one whose rules lead here */
	struct proxy *proxies[2];
};

/* What the next commit does for one container. */
struct pending {
	char owner[80];
	struct instance *instance; /* NULL: its rules go */
	void (*done)(struct instance *instance);
};

struct ports {
	struct supervisor *supervisor;
	struct map held; /* key: struct held_port */
	struct pending *pending;
	size_t pending_count;
	sd_event_source *timer;
};

static uint8_t protocol_number(enum port_protocol protocol)
{
	static const uint8_t numbers[] = {
		[PORT_TCP] = IPPROTO_TCP, [PORT_UDP] = IPPROTO_UDP, [PORT_SCTP] = IPPROTO_SCTP};

	return numbers[protocol];
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : protocol == IPPROTO_SCTP ? "sctp" : "tcp";
}

static uint8_t protocol_from_name(const char *name)
{
	return str_equal(name, "udp")    ? IPPROTO_UDP
	       : str_equal(name, "sctp") ? IPPROTO_SCTP
					 : IPPROTO_TCP;
}

struct ports *ports_new(struct supervisor *supervisor)
{
	struct ports *ports = new (struct ports);

	ports->supervisor = supervisor;
	return ports;
}

static void make_key(const struct publish *publish, char *key, size_t size)
{
	snprintf(key, size, "%s:%u/%s", publish->host_ip, publish->host_port,
		 protocol_name(publish->protocol));
}

static void keeper_name(const struct held_port *held, int family, char *name, size_t size)
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
		keeper_name(held, i, name, sizeof(name));
		if (drop)
			keeper_client_drop(ports->supervisor->keeper, name);
	}
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

static void held_store(struct ports *ports, struct held_port *held)
{
	char names[2][KEEPER_PORT_NAME_MAX];
	const char *list[2];
	int fds[2];
	size_t count = 0;

	for (int i = 0; i < 2; i++) {
		if (held->fds[i] < 0)
			continue;
		keeper_name(held, i, names[count], sizeof(names[count]));
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
	make_key(&held->publish, held->key, sizeof(held->key));
	map_set(&ports->held, held->key, held);
	held_store(ports, held);
	*ret = held;
	return 0;
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
		make_key(&wish, key, sizeof(key));
		held = map_get(&ports->held, key);
		if (held && held->owner && held->owner == instance)
			continue;
		if (held && (held->reserved || (held->owner && !held->owner->leaving)))
			return error_set(err, EADDRINUSE,
					 "service %s: port %s is already taken by %s%s",
					 service->name, key[0] == ':' ? key + 1 : key,
					 held->owner ? "container " : "another container of it",
					 held->owner ? held->owner->name : "");
		r = held ? 0 : hold_new(ports, &wish, &held, err);
		if (r < 0)
			return error_wrap(err, "service %s", service->name);
		held->reserved = true;
	}
	return 0;
}

void ports_unreserve(struct ports *ports)
{
	map_foreach(entry, &ports->held) {
		struct held_port *held = entry->value;

		held->reserved = false;
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

static void take(struct instance *instance, struct held_port *held)
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
			make_key(&wish, key, sizeof(key));
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
		take(instance, held);
	}
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	ports_flush(data);
	return 0;
}

/* @instance NULL: its rules go. */
static void pending_add(struct ports *ports, const char *id, struct instance *instance,
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

	if (!instance->port_count)
		return;
	for (size_t i = 0; i < instance->port_count; i++)
		let_go(instance, instance->ports[i]);
	free(instance->ports);
	instance->ports = NULL;
	instance->port_count = 0;
	pending_add(ports, instance->id, NULL, NULL);
}

void ports_forget(struct ports *ports, const char *container_id)
{
	pending_add(ports, container_id, NULL, NULL);
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
	if (!publish->has_ipv4) {
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
	pending_add(instance->supervisor->ports, instance->id, instance, done);
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

	make_key(wish, key, sizeof(key));
	held = wish->host_port ? map_get(&ports->held, key)
			       : still_wanted(instance, exchange, wish);
	if (held && held->owner && held->owner != instance && held->owner != exchange->from &&
	    instance_runs(held->owner))
		return error_set(err, EADDRINUSE, "port %s is already taken by container %s",
				 key[0] == ':' ? key + 1 : key, held->owner->name);
	if (!held && hold_new(ports, wish, &held, err) < 0)
		return -err->code;
	held->publish.container_port = wish->container_port;
	take(instance, held);
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
		pending_add(ports, from->id, NULL, NULL);
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
		pending_add(instance->supervisor->ports, instance->id, instance, NULL);
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
		pending_add(ports, instance->id, instance, NULL);
}

void ports_settle(struct ports *ports)
{
	ports_unreserve(ports);
}

json_t *ports_to_json(const struct instance *instance)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < instance->port_count; i++) {
		const struct publish *publish = &instance->ports[i]->publish;
		json_t *row = json_object();

		json_put_string(row, "ip", publish->host_ip);
		json_put_int(row, "port", publish->host_port);
		json_put_int(row, "target", publish->container_port);
		json_put_string(row, "protocol", protocol_name(publish->protocol));
		json_array_append_new(rows, row);
	}
	return rows;
}

static struct held_port *held_from_json(struct ports *ports, const json_t *row)
{
	struct held_port *held = new (struct held_port), *known;
	struct supervisor *supervisor = ports->supervisor;

	snprintf(held->publish.host_ip, sizeof(held->publish.host_ip), "%s",
		 json_get_string(row, "ip") ?: "");
	held->publish.host_port = (uint16_t)json_get_int(row, "port", 0);
	held->publish.container_port = (uint16_t)json_get_int(row, "target", 0);
	held->publish.protocol = protocol_from_name(json_get_string(row, "protocol"));
	make_key(&held->publish, held->key, sizeof(held->key));
	known = map_get(&ports->held, held->key);
	if (known) {
		free(held);
		return known;
	}
	for (int i = 0; i < 2; i++) {
		char name[KEEPER_PORT_NAME_MAX];

		keeper_name(held, i, name, sizeof(name));
		held->fds[i] = supervisor_claim_fd(supervisor, name);
	}
	/* The keeper is a new one: the port is most probably still free. */
	if (held->fds[0] < 0 && held->fds[1] < 0) {
		struct error err = ERROR_INIT;

		if (publish_hold(&held->publish, held->fds, &err) < 0)
			log_warning("port %s: %s", held->key, err.message);
		else
			held_store(ports, held);
	}
	map_set(&ports->held, held->key, held);
	return held;
}

void ports_from_json(struct instance *instance, const json_t *json)
{
	struct ports *ports = instance->supervisor->ports;
	size_t i;
	json_t *row;

	if (!instance->pid)
		return;
	json_array_foreach(json, i, row)
		take(instance, held_from_json(ports, row));
}

static void publisher_row(json_t *rows, const char *url, unsigned int target,
			  unsigned int published, const char *protocol)
{
	json_t *row = json_object();

	json_put_string(row, "url", url);
	json_put_int(row, "target", target);
	json_put_int(row, "published", published);
	json_put_string(row, "protocol", protocol);
	json_array_append_new(rows, row);
}

static bool is_published(const struct instance *instance, unsigned int target, uint8_t protocol)
{
	for (size_t i = 0; i < instance->port_count; i++) {
		const struct publish *publish = &instance->ports[i]->publish;

		if (publish->container_port == target && publish->protocol == protocol)
			return true;
	}
	return false;
}

static void exposed_rows(json_t *rows, const struct instance *instance, char *const *exposed)
{
	strv_foreach(text, exposed) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;
		const char *protocol;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		protocol = *end == '/' ? end + 1 : "tcp";
		for (unsigned long port = first; port && port <= last && port < 65536; port++)
			if (!is_published(instance, (unsigned int)port,
					  protocol_from_name(protocol)))
				publisher_row(rows, "", (unsigned int)port, 0, protocol);
	}
}

json_t *ports_publishers(const struct instance *instance)
{
	json_t *rows = json_array();
	struct error err = ERROR_INIT;
	const struct image *image;

	if (!instance->pid)
		return rows;
	for (size_t i = 0; i < instance->port_count; i++) {
		const struct publish *publish = &instance->ports[i]->publish;
		const char *protocol = protocol_name(publish->protocol);

		if (publish->host_ip[0]) {
			publisher_row(rows, publish->host_ip, publish->container_port,
				      publish->host_port, protocol);
			continue;
		}
		publisher_row(rows, "0.0.0.0", publish->container_port, publish->host_port,
			      protocol);
		if (instance->ports[i]->fds[1] >= 0)
			publisher_row(rows, "::", publish->container_port, publish->host_port,
				      protocol);
	}
	exposed_rows(rows, instance, instance->service->expose);
	image = observe_image(instance->supervisor, instance->image_id, &err);
	if (image)
		exposed_rows(rows, instance, image->exposed_ports);
	return rows;
}
