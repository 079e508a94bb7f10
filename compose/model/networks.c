// SPDX-License-Identifier: GPL-2.0-or-later
/* networks.c - `networks`: what a service says of each, and the top-level ones. */
#include <arpa/inet.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static void check_address(struct decoder *d, const struct node *node, const struct slot *slot,
			  int family, const char *what)
{
	unsigned char address[16];
	char **text = slot->field;

	if (decode_string_if_any(d, node, text) && inet_pton(family, *text, address) != 1)
		decode_problem(d, node, "must be an %s address, not \"%s\"", what, *text);
}

static void ipv4_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	check_address(d, node, slot, AF_INET, "IPv4");
}

static void ipv6_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	check_address(d, node, slot, AF_INET6, "IPv6");
}

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static const struct shape shape_ipv4 = {ipv4_decode, string_encode, string_release};
static const struct shape shape_ipv6 = {ipv6_decode, string_encode, string_release};

/* What an endpoint has beside its addresses; Docker, too, passes over the others. */
static void endpoint_opts_decode(struct decoder *d, const struct node *node,
				 const struct slot *slot)
{
	static const char *const known[] = {"com.docker.network.endpoint.ifname",
					    "com.docker.network.endpoint.sysctls"};

	shape_options.decode(d, node, slot);
	if (node->kind != NODE_MAPPING)
		return;
	node_foreach(option, node) {
		const char *meant = str_suggest(option->key, known, ARRAY_SIZE(known));
		bool heeded = false;
		char why[160];

		array_foreach(name, known)
			heeded = heeded || !strcmp(option->key, *name);
		if (heeded)
			continue;
		(void)snprintf(why, sizeof(why), "there are %s and %s%s%s%s", known[0], known[1],
			       meant ? "; did you mean '" : "", meant ? meant : "",
			       meant ? "'?" : "");
		decoder_push(d, option->key);
		decode_unheeded(d, option, why);
		decoder_pop(d);
	}
}

static json_t *options_encode(const struct slot *slot)
{
	return shape_options.encode(slot);
}

static void options_release(const struct slot *slot)
{
	shape_options.release(slot);
}

static const struct shape shape_endpoint_opts = {endpoint_opts_decode, options_encode,
						 options_release};

#define ON(field) offsetof(struct service_network, field), NO_FIELD
/* clang-format off */
static const struct attribute service_network_attributes[] = {
	{"aliases",        ON(aliases),        &shape_strings, MERGE_LIST},
	{"driver_opts",    ON(driver_opts),    &shape_endpoint_opts},
	{"gw_priority",    ON(gw_priority),    &shape_int},
	{"interface_name", ON(interface_name), &shape_string},
	{"ipv4_address",   ON(ipv4_address),   &shape_ipv4},
	{"ipv6_address",   ON(ipv6_address),   &shape_ipv6},
	{"link_local_ips", ON(link_local_ips), &shape_strings, MERGE_LIST},
	{"mac_address",    ON(mac_address),    &shape_string},
	{"priority",       ON(priority),       &shape_int},
};
/* clang-format on */
static const struct schema service_network_schema = {"network", service_network_attributes,
						     ARRAY_SIZE(service_network_attributes),
						     offsetof(struct service_network, rest)};

struct node *decode_names(struct decoder *d, const struct node *sequence)
{
	struct node *mapping = node_new(NODE_MAPPING, &sequence->at);
	size_t i = 0;

	decode_unique_items(d, sequence);
	node_foreach(item, sequence) {
		decoder_push_index(d, i++);
		if (item->kind == NODE_STRING)
			node_set(mapping, item->text, node_new(NODE_NULL, &item->at));
		else
			decode_wrong_type(d, item, "a string");
		decoder_pop(d);
	}
	return mapping;
}

static void service_networks_decode(struct decoder *d, const struct node *node,
				    const struct slot *slot)
{
	_cleanup_node_ struct node *mapping = NULL;
	struct service_network **items = slot->field;

	if (node->kind == NODE_SEQUENCE) {
		mapping = decode_names(d, node);
		node = mapping;
	}
	decode_objects(d, node, slot);
	for (size_t i = 0; i < *slot->count; i++) {
		const struct node *said = node_get(node, (*items)[i].name);

		(*items)[i].given = said && said->kind != NODE_NULL;
	}
}

static json_t *service_networks_encode(const struct slot *slot)
{
	const struct service_network *items = *(struct service_network **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_object();
	for (size_t i = 0; i < *slot->count; i++)
		json_object_set_new_nocheck(
			json, items[i].name,
			items[i].given ? encode_object(&service_network_schema, &items[i])
				       : json_null());
	return json;
}

const struct shape shape_service_networks = {
	.decode = service_networks_decode,
	.encode = service_networks_encode,
	.release = release_objects,
	.schema = &service_network_schema,
	.element_size = sizeof(struct service_network),
	.key_offset = offsetof(struct service_network, name),
	.elements = true,
	.nullable = true,
};

static void prefix_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	unsigned char address[16];
	char **text = slot->field, plain[64];
	const char *slash;
	int length = -1;

	if (!decode_string(d, node, text))
		return;
	slash = strchr(*text, '/');
	if (slash && (size_t)(slash - *text) < sizeof(plain) && slash[1] &&
	    strspn(slash + 1, "0123456789") == strlen(slash + 1) && strlen(slash) < 5) {
		memcpy(plain, *text, (size_t)(slash - *text));
		plain[slash - *text] = '\0';
		length = atoi(slash + 1);
		if (inet_pton(AF_INET, plain, address) == 1 && length <= 32)
			return;
		if (inet_pton(AF_INET6, plain, address) == 1 && length <= 128)
			return;
	}
	decode_problem(d, node, "must be a subnet as \"172.28.0.0/16\", not \"%s\"", *text);
}

static void gateway_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	unsigned char address[16];
	char **text = slot->field;

	if (decode_string_if_any(d, node, text) && inet_pton(AF_INET, *text, address) != 1 &&
	    inet_pton(AF_INET6, *text, address) != 1)
		decode_problem(d, node, "must be an address, not \"%s\"", *text);
}

static const struct shape shape_prefix = {prefix_decode, string_encode, string_release};
static const struct shape shape_gateway = {gateway_decode, string_encode, string_release};

#define POOL(field) offsetof(struct ipam_config, field), NO_FIELD
/* clang-format off */
static const struct attribute pool_attributes[] = {
	{"subnet",        POOL(subnet),        &shape_prefix},
	{"gateway",       POOL(gateway),       &shape_gateway},
	{"ip_range",      POOL(ip_range),      &shape_prefix},
	{"aux_addresses", POOL(aux_addresses), &shape_options},
};
/* clang-format on */
static const struct schema pool_schema = {"ipam config", pool_attributes,
					  ARRAY_SIZE(pool_attributes),
					  offsetof(struct ipam_config, rest)};

static void pools_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		struct ipam_config *pool =
			array_add(*(struct ipam_config **)slot->field, *slot->count);

		decoder_push_index(d, i++);
		decode_object(d, item, &pool_schema, pool);
		decoder_pop(d);
	}
}

static json_t *pools_encode(const struct slot *slot)
{
	const struct ipam_config *pools = *(struct ipam_config **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++)
		json_array_append_new(json, encode_object(&pool_schema, &pools[i]));
	return json;
}

static void pools_release(const struct slot *slot)
{
	struct ipam_config **pools = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		release_object(&pool_schema, &(*pools)[i]);
	free(TAKE_PTR(*pools));
	*slot->count = 0;
}

static const struct shape shape_pools = {pools_decode, pools_encode, pools_release, &pool_schema,
					 .elements = true};

static void ipam_driver_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_string(d, node, slot->field) && *node->text && strcmp(node->text, "default"))
		decode_unheeded(d, node, "addresses are berth's own to give");
}

static void ipam_options_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	shape_options.decode(d, node, slot);
	if (node->count)
		decode_unheeded(d, node, "they are for drivers of Docker's plugins");
}

static const struct shape shape_ipam_driver = {ipam_driver_decode, string_encode, string_release};
/* docker compose, too, reads them and forgets them. */
static json_t *ipam_options_encode(const struct slot *slot)
{
	(void)slot;
	return NULL;
}

static const struct shape shape_ipam_options = {ipam_options_decode, ipam_options_encode,
						options_release};

#define NETWORK(field) offsetof(struct network, field), NO_FIELD
/* clang-format off */
static const struct attribute ipam_attributes[] = {
	{"driver",  NETWORK(ipam.driver),                                                                &shape_ipam_driver},
	{"config",  offsetof(struct network, ipam.configs), offsetof(struct network, ipam.config_count), &shape_pools,   MERGE_IPAM},
	{"options", NETWORK(ipam.options),                                                               &shape_ipam_options},
};
/* clang-format on */
static const struct schema ipam_schema = {"ipam", ipam_attributes, ARRAY_SIZE(ipam_attributes),
					  offsetof(struct network, ipam.rest)};

/* Its fields are the network's own, so the slot is the network. */
static void ipam_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_object(d, node, &ipam_schema, slot->field);
}

static json_t *ipam_encode(const struct slot *slot)
{
	return encode_object(&ipam_schema, slot->field);
}

static void ipam_release(const struct slot *slot)
{
	release_object(&ipam_schema, slot->field);
}

const struct shape shape_ipam = {ipam_decode, ipam_encode, ipam_release, &ipam_schema};

/* clang-format off */
static const struct attribute network_attributes[] = {
	{"name",        NETWORK(name),        &shape_name},
	{"driver",      NETWORK(driver),      &shape_string},
	{"driver_opts", NETWORK(driver_opts), &shape_options},
	{"ipam",        NO_FIELD, NO_FIELD,   &shape_ipam},
	{"external",    NETWORK(external),    &shape_external},
	{"internal",    NETWORK(internal),    &shape_bool},
	{"attachable",  NETWORK(attachable),  &shape_bool},
	{"labels",      NETWORK(labels),      &shape_labels,   MERGE_MAPPING},
	{"enable_ipv4", NETWORK(enable_ipv4), &shape_tristate},
	{"enable_ipv6", NETWORK(enable_ipv6), &shape_tristate},
};
/* clang-format on */
const struct schema network_schema = {"network", network_attributes, ARRAY_SIZE(network_attributes),
				      offsetof(struct network, rest)};
