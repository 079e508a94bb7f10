// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static void add_host(struct decoder *d, const struct node *node, const struct slot *slot,
		     const char *name, const char *address)
{
	struct extra_host *host;
	unsigned char binary[16];
	size_t length = strlen(address);
	_cleanup_free_ char *plain = NULL;

	if (length > 2 && address[0] == '[' && address[length - 1] == ']')
		plain = alloc_string_n(address + 1, length - 2);
	else
		plain = alloc_string(address);
	if (!*name || (strcmp(plain, "host-gateway") && inet_pton(AF_INET, plain, binary) != 1 &&
		       inet_pton(AF_INET6, plain, binary) != 1)) {
		decode_problem(d, node, "invalid address \"%s\" for host \"%s\"", address, name);
		return;
	}
	host = array_add(*(struct extra_host **)slot->field, *slot->count);
	host->name = alloc_string(name);
	host->address = TAKE_PTR(plain);
}

/* "name=address", or "name:address" as it was written before IPv6. */
static void decode_entry(struct decoder *d, const struct node *item, const struct slot *slot)
{
	const char *separator;
	_cleanup_free_ char *name = NULL;

	if (item->kind != NODE_STRING) {
		decode_wrong_type(d, item, "a string");
		return;
	}
	separator = strchr(item->text, '=');
	if (!separator)
		separator = strchr(item->text, ':');
	if (!separator) {
		decode_problem(d, item, "invalid additional host, missing IP: %s", item->text);
		return;
	}
	name = alloc_string_n(item->text, (size_t)(separator - item->text));
	add_host(d, item, slot, name, separator + 1);
}

static void decode_named(struct decoder *d, const struct node *child, const struct slot *slot)
{
	size_t i = 0;

	if (child->kind == NODE_STRING) {
		add_host(d, child, slot, child->key, child->text);
		return;
	}
	if (child->kind != NODE_SEQUENCE) {
		decode_wrong_type(d, child, "a string or a list of strings");
		return;
	}
	node_foreach(item, child) {
		decoder_push_index(d, i++);
		if (item->kind == NODE_STRING)
			add_host(d, item, slot, child->key, item->text);
		else
			decode_wrong_type(d, item, "a string");
		decoder_pop(d);
	}
}

static int compare_hosts(const void *a, const void *b)
{
	const struct extra_host *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->address, y->address);
}

/* "h:1.2.3.4" here and {h: 1.2.3.4} there are the same. */
static void drop_repeated(struct extra_host *hosts, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		if (kept && !compare_hosts(&hosts[kept - 1], &hosts[i])) {
			free(hosts[i].name);
			free(hosts[i].address);
		} else {
			hosts[kept++] = hosts[i];
		}
	}
	*count = kept;
}

static void extra_hosts_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct extra_host **hosts = slot->field;
	size_t i = 0;

	if (node_is_scalar(node)) {
		decode_wrong_type(d, node, "a mapping or a list");
		return;
	}
	node_foreach(child, node) {
		if (node->kind == NODE_MAPPING)
			decoder_push(d, child->key);
		else
			decoder_push_index(d, i++);
		if (node->kind == NODE_MAPPING)
			decode_named(d, child, slot);
		else
			decode_entry(d, child, slot);
		decoder_pop(d);
	}
	if (*slot->count)
		qsort(*hosts, *slot->count, sizeof(**hosts), compare_hosts);
	drop_repeated(*hosts, slot->count);
}

static json_t *extra_hosts_encode(const struct slot *slot)
{
	const struct extra_host *hosts = *(struct extra_host **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++)
		json_array_append_new(json, json_sprintf("%s=%s", hosts[i].name, hosts[i].address));
	return json;
}

static void extra_hosts_release(const struct slot *slot)
{
	struct extra_host **hosts = slot->field;

	for (size_t i = 0; i < *slot->count; i++) {
		free((*hosts)[i].name);
		free((*hosts)[i].address);
	}
	free(TAKE_PTR(*hosts));
	*slot->count = 0;
}

const struct shape shape_extra_hosts = {extra_hosts_decode, extra_hosts_encode,
					extra_hosts_release};
