// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ports_rows.c - the part of ports.h that is about words: records on disk, rows of `ps`.
 */
#include <arpa/inet.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "netmgr/publish.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/network/ports_internal.h"
#include "compose/supervisor/observe.h"

static uint8_t protocol_from_name(const char *name)
{
	return str_equal(name, "udp")    ? IPPROTO_UDP
	       : str_equal(name, "sctp") ? IPPROTO_SCTP
					 : IPPROTO_TCP;
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
		json_put_string(row, "protocol", held_port_protocol(publish->protocol));
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
	held_port_key(&held->publish, held->key, sizeof(held->key));
	known = map_get(&ports->held, held->key);
	if (known) {
		free(held);
		return known;
	}
	for (int i = 0; i < 2; i++) {
		char name[KEEPER_PORT_NAME_MAX];

		held_port_keeper_name(held, i, name, sizeof(name));
		held->fds[i] = supervisor_claim_fd(supervisor, name);
	}
	/* The keeper is a new one: the port is most probably still free. */
	if (held->fds[0] < 0 && held->fds[1] < 0) {
		struct error err = ERROR_INIT;

		if (publish_hold(&held->publish, held->fds, &err) < 0)
			log_warning("port %s: %s", held->key, err.message);
		else
			held_port_store(ports, held);
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
		held_port_take(instance, held_from_json(ports, row));
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
		const char *protocol = held_port_protocol(publish->protocol);

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
