// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/sha256.h"
#include "common/str.h"

#include "netmgr/network.h"

#include "compose/cli/inspect/inspect.h"
#include "compose/cli/inspect/inspect_parts.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct network_store *, network_store_close);
DEFINE_CLEANUP(struct network_info *, network_info_free);

static bool runs(const struct container_record *record)
{
	return json_get_int(record->container, "pid", 0) > 0;
}

/* Docker's ports: what is published has rows, what is only exposed has null. */
static json_t *ports(const struct container_record *record)
{
	json_t *object, *row;
	size_t i;

	if (!runs(record))
		return json_object();
	object = inspect_exposed(record, json_null);
	json_array_foreach(json_object_get(record->container, "publishers"), i, row) {
		_cleanup_free_ char *key = str_printf("%d/%s", (int)json_get_int(row, "target", 0),
						      json_get_string(row, "protocol") ?: "tcp");
		int published = (int)json_get_int(row, "published", 0);
		json_t *rows = json_object_get(object, key);

		if (!published)
			continue;
		if (!json_is_array(rows)) {
			rows = json_array();
			json_object_set_new(object, key, rows);
		}
		json_array_append_new(rows, json_pack("{s:s, s:o}", "HostIp",
						      json_get_string(row, "url") ?: "", "HostPort",
						      json_sprintf("%d", published)));
	}
	return object;
}

static const json_t *endpoint_of(const struct container_record *record, const char *network)
{
	const json_t *attachment = json_object_get(record->record, "attachment");
	json_t *endpoint;
	size_t i;

	json_array_foreach(json_object_get(attachment, "endpoints"), i, endpoint) {
		if (runs(record) && str_equal(json_get_string(endpoint, "network"), network))
			return endpoint;
	}
	return NULL;
}

static const struct service_network *row_of(const struct container_record *record,
					    const char *network)
{
	for (size_t i = 0; i < record->service->network_count; i++) {
		const struct service_network *row = &record->service->networks[i];
		const struct network *declared = project_network(record->project, row->name);

		if (str_equal(declared ? declared->name : row->name, network))
			return row;
	}
	return NULL;
}

static char *network_id(struct network_store *store, const char *network)
{
	_cleanup_(cleanup_network_info_free) struct network_info *info = NULL;
	struct error gone = ERROR_INIT;

	if (!store || network_inspect(store, network, &info, &gone) < 0)
		return alloc_string("");
	return alloc_string(info->id);
}

void inspect_endpoint_id(const char *container_id, const char *network, char ret[SHA256_HEX_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, container_id, strlen(container_id));
	sha256_update(&sha, network, strlen(network));
	sha256_hex(&sha, ret);
}

static void put_endpoint_id(json_t *object, const struct container_record *record,
			    const char *network)
{
	char hex[SHA256_HEX_SIZE];

	inspect_endpoint_id(json_get_string(record->container, "id") ?: "", network, hex);
	json_put_string(object, "EndpointID", hex);
}

static void put_names(json_t *object, const struct container_record *record,
		      const struct service_network *row, const char *network)
{
	const char *id = json_get_string(record->container, "id") ?: "";
	_cleanup_free_ char *short_id = alloc_string_n(id, strnlen(id, 12));
	_cleanup_strv_ char **names = NULL;

	inspect_put_list(object, "Aliases", row ? row->aliases : NULL);
	if (!str_equal(network, "bridge")) {
		strv_append(&names, json_get_string(record->container, "name") ?: "");
		strv_foreach(alias, row ? row->aliases : NULL) {
			if (!strv_contains(names, alias))
				strv_append(&names, alias);
		}
		if (!strv_contains(names, record->service->name))
			strv_append(&names, record->service->name);
		strv_append(&names, short_id);
	}
	inspect_put_list(object, "DNSNames", names);
}

static json_t *network_row(const struct container_record *record, struct network_store *store,
			   const char *network)
{
	const struct service_network *row = row_of(record, network);
	const json_t *end = endpoint_of(record, network);
	_cleanup_free_ char *id = network_id(store, network);
	json_t *object = json_object();

	json_object_set_new(object, "IPAMConfig", json_null());
	if (row && (row->ipv4_address || row->ipv6_address)) {
		json_t *wished = json_object();

		json_put_string(wished, "IPv4Address", row->ipv4_address);
		json_put_string(wished, "IPv6Address", row->ipv6_address);
		json_object_set_new(object, "IPAMConfig", wished);
	}
	json_object_set_new(object, "Links", json_null());
	json_object_set_new(object, "DriverOpts", json_null());
	inspect_put_text(object, "MacAddress", json_get_string(end, "mac"));
	json_put_int(object, "GwPriority", json_get_int(end, "gw_priority", 0));
	json_put_string(object, "NetworkID", id);
	if (end)
		put_endpoint_id(object, record, network);
	else
		json_put_string(object, "EndpointID", "");
	inspect_put_text(object, "Gateway", json_get_string(end, "gateway4"));
	inspect_put_text(object, "IPAddress", json_get_string(end, "ipv4"));
	json_put_int(object, "IPPrefixLen", json_get_int(end, "prefix4", 0));
	inspect_put_text(object, "IPv6Gateway", json_get_string(end, "gateway6"));
	inspect_put_text(object, "GlobalIPv6Address", json_get_string(end, "ipv6"));
	json_put_int(object, "GlobalIPv6PrefixLen", json_get_int(end, "prefix6", 0));
	put_names(object, record, row, network);
	return object;
}

static json_t *networks(const struct container_record *record)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	const char *mode = record->service->network_mode;
	struct error err = ERROR_INIT;
	json_t *object = json_object(), *row;
	size_t i;

	(void)network_store_open(paths_root(), &store, &err);
	json_array_foreach(json_object_get(record->container, "networks"), i, row) {
		const char *name = json_get_string(row, "name") ?: "";

		json_object_set_new(object, name, network_row(record, store, name));
	}
	if (mode && !json_object_size(object) && !strchr(mode, ':'))
		json_object_set_new(object, mode, network_row(record, store, mode));
	return object;
}

/* What docker once had for the default network alone, and scripts still read. */
static void put_legacy(json_t *settings, const json_t *bridge)
{
	static const char *const texts[] = {"EndpointID", "Gateway",     "GlobalIPv6Address",
					    "IPAddress",  "IPv6Gateway", "MacAddress"};
	static const char *const numbers[] = {"GlobalIPv6PrefixLen", "IPPrefixLen"};

	array_foreach(key, texts)
		inspect_put_text(settings, *key, json_get_string(bridge, *key));
	array_foreach(key, numbers)
		json_put_int(settings, *key, json_get_int(bridge, *key, 0));
}

json_t *inspect_network_settings(const struct container_record *record)
{
	json_t *settings = json_object(), *list = networks(record);
	_cleanup_free_ char *key =
		str_printf("/proc/%d/ns/net", (int)json_get_int(record->container, "pid", 0));

	inspect_put_text(settings, "Bridge", NULL);
	inspect_put_text(settings, "SandboxID",
			 runs(record) ? json_get_string(record->container, "id") : NULL);
	inspect_put_text(settings, "SandboxKey", runs(record) ? key : NULL);
	json_object_set_new(settings, "Ports", ports(record));
	put_legacy(settings, json_object_get(list, "bridge"));
	json_object_set_new(settings, "Networks", list);
	return settings;
}
