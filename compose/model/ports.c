// SPDX-License-Identifier: GPL-2.0-or-later
/* ports.c - `ports`: [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL], ranges, and the long form. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

/* Of one project: each of them is a row here and a rule in the firewall. */
#define PORTS_MAX 500000

static const char *const protocol_names[] = {
	[PORT_TCP] = "tcp", [PORT_UDP] = "udp", [PORT_SCTP] = "sctp"};

struct range {
	unsigned int first, last;
};

void port_release(struct port *port)
{
	free(port->name);
	free(port->mode);
	free(port->app_protocol);
	free(port->host_ip);
	free(port->published);
	json_decref(port->rest);
}

static bool parse_number(const char *s, size_t n, unsigned int *ret)
{
	unsigned int value = 0;

	if (!n || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		value = value * 10 + (unsigned int)(s[i] - '0');
	}
	*ret = value;
	return value <= UINT16_MAX;
}

static bool parse_range(const char *s, struct range *ret)
{
	const char *dash = strchr(s, '-');
	size_t length = dash ? (size_t)(dash - s) : strlen(s);

	if (!parse_number(s, length, &ret->first))
		return false;
	ret->last = ret->first;
	if (dash && !parse_number(dash + 1, strlen(dash + 1), &ret->last))
		return false;
	return ret->first <= ret->last;
}

static bool parse_protocol(const char *s, enum port_protocol *ret)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(protocol_names); i++) {
		if (!strcasecmp(s, protocol_names[i])) {
			*ret = (enum port_protocol)i;
			return true;
		}
	}
	return false;
}

static bool is_address(const char *s)
{
	unsigned char address[16];
	char plain[INET6_ADDRSTRLEN + 1];
	size_t zone = strcspn(s, "%");

	if (zone >= sizeof(plain))
		return false;
	memcpy(plain, s, zone);
	plain[zone] = '\0';
	return inet_pton(AF_INET, plain, address) == 1 || inet_pton(AF_INET6, plain, address) == 1;
}

/* A spec cut into its parts, which point into @text. */
struct parts {
	char *text, *address, *published, *target;
};

static void cut_last(char *s, char **ret_before, char **ret_last)
{
	char *colon = s ? strrchr(s, ':') : NULL;

	if (colon)
		*colon = '\0';
	*ret_before = colon ? s : NULL;
	*ret_last = colon ? colon + 1 : s;
}

static int split_parts(struct parts *parts, const char *spec, struct error *err)
{
	char *before, *bracket;

	cut_last(parts->text, &before, &parts->target);
	bracket = before && *before == '[' ? strchr(before, ']') : NULL;
	if (bracket && bracket[1] != ':')
		return error_set(err, EINVAL,
				 "invalid port \"%s\": [ADDRESS] without a port behind", spec);
	if (bracket) {
		*bracket = '\0';
		parts->address = before + 1;
		parts->published = bracket + 2;
	} else {
		cut_last(before, &parts->address, &parts->published);
	}
	if (parts->address && !is_address(parts->address))
		return error_set(err, EINVAL, "invalid IP address: %s", parts->address);
	if (!*parts->target)
		return error_set(err, EINVAL, "no port specified: %s<empty>", spec);
	return 0;
}

static int compare_targets(const void *a, const void *b)
{
	char x[8], y[8];

	snprintf(x, sizeof(x), "%u", ((const struct port *)a)->target);
	snprintf(y, sizeof(y), "%u", ((const struct port *)b)->target);
	return strcmp(x, y);
}

static int add_rows(const struct parts *parts, enum port_protocol protocol, const char *spec,
		    struct port **rows, size_t *count, struct error *err)
{
	struct range target, published = {0};
	const char *host = parts->published && *parts->published ? parts->published : NULL;
	size_t before = *count;
	unsigned int n;

	if (!parse_range(parts->target, &target) || !target.first)
		return error_set(err, EINVAL, "invalid containerPort: %s", parts->target);
	if (host && !parse_range(host, &published))
		return error_set(err, EINVAL, "invalid hostPort: %s", host);
	n = target.last - target.first + 1;
	if (host && n > 1 && published.last - published.first + 1 != n)
		return error_set(err, EINVAL,
				 "invalid ranges specified for container and host Ports: %s and %s "
				 "(%u host ports for %u container ports)",
				 parts->target, host, published.last - published.first + 1, n);
	for (unsigned int i = 0; i < n; i++) {
		struct port *port = array_add(*rows, *count);

		port->mode = alloc_string("ingress");
		port->host_ip = alloc_string(parts->address);
		port->target = (uint16_t)(target.first + i);
		port->protocol = protocol;
		if (host && n > 1)
			port->published = str_printf("%u", published.first + i);
		else
			port->published = alloc_string(host);
	}
	/* In the order of docker compose, which sorts the rows of a range as texts. */
	qsort(*rows + before, n, sizeof(**rows), compare_targets);
	return 0;
}

int ports_parse(const char *spec, struct port **rows, size_t *count, struct error *err)
{
	_cleanup_free_ char *text = alloc_string(spec);
	struct parts parts = {.text = text};
	enum port_protocol protocol = PORT_TCP;
	char *slash = strrchr(text, '/');
	int r;

	if (slash && !parse_protocol(slash + 1, &protocol))
		return error_set(err, EINVAL, "invalid proto: %s", slash + 1);
	if (slash)
		*slash = '\0';
	r = split_parts(&parts, spec, err);
	if (r < 0)
		return r;
	return add_rows(&parts, protocol, spec, rows, count, err);
}

static void target_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	int64_t value = 0;

	if (!decode_int(d, node, &value))
		return;
	if (value < 1 || value > UINT16_MAX)
		decode_problem(d, node, "must be a port, between 1 and 65535");
	else
		*(uint16_t *)slot->field = (uint16_t)value;
}

static json_t *target_encode(const struct slot *slot)
{
	return json_integer(*(uint16_t *)slot->field);
}

static void published_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **published = slot->field;
	struct range range;

	if (!decode_text(d, node, published))
		return;
	if (**published && !parse_range(*published, &range))
		decode_problem(d, node, "invalid hostPort: %s", *published);
	if (!**published)
		free(TAKE_PTR(*published));
}

static json_t *text_encode(const struct slot *slot)
{
	const char *text = *(char **)slot->field;

	return text && *text ? json_string_nocheck(text) : NULL;
}

static void text_release(const struct slot *slot)
{
	free(TAKE_PTR(*(char **)slot->field));
}

static void host_ip_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **address = slot->field;

	if (!decode_string(d, node, address))
		return;
	if (!**address)
		free(TAKE_PTR(*address));
	else if (!is_address(*address))
		decode_problem(d, node, "invalid IP address: %s", *address);
}

static void protocol_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char *text = NULL;

	if (decode_string(d, node, &text) && !parse_protocol(text, slot->field))
		decode_problem(d, node, "invalid proto: %s", text);
	free(text);
}

static json_t *protocol_encode(const struct slot *slot)
{
	return json_string(protocol_names[*(enum port_protocol *)slot->field]);
}

static const struct shape shape_target = {target_decode, target_encode, NULL};
static const struct shape shape_published = {published_decode, text_encode, text_release};
static const struct shape shape_host_ip = {host_ip_decode, text_encode, text_release};
static const struct shape shape_protocol = {protocol_decode, protocol_encode, NULL};

#define PORT(field) offsetof(struct port, field), NO_FIELD
/* clang-format off */
static const struct attribute port_attributes[] = {
	{"name",         PORT(name),         &shape_string},
	{"mode",         PORT(mode),         &shape_string},
	{"host_ip",      PORT(host_ip),      &shape_host_ip},
	{"target",       PORT(target),       &shape_target},
	{"published",    PORT(published),    &shape_published},
	{"protocol",     PORT(protocol),     &shape_protocol},
	{"app_protocol", PORT(app_protocol), &shape_string},
};
/* clang-format on */
static const struct schema port_schema = {"port", port_attributes, ARRAY_SIZE(port_attributes),
					  offsetof(struct port, rest)};

json_t *port_encode(const struct port *port)
{
	return encode_object(&port_schema, port);
}

static void decode_long(struct decoder *d, const struct node *item, const struct slot *slot)
{
	struct port *port = array_add(*(struct port **)slot->field, *slot->count);

	decode_object(d, item, &port_schema, port);
	if (!port->mode)
		port->mode = alloc_string("ingress");
	if (!node_get(item, "target"))
		decode_problem(d, item, "is missing a target port");
}

static void decode_port(struct decoder *d, const struct node *item, const struct slot *slot)
{
	struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;

	if (item->kind == NODE_MAPPING)
		decode_long(d, item, slot);
	else if (decode_text(d, item, &text) &&
		 ports_parse(text, slot->field, slot->count, &err) < 0)
		decode_problem(d, item, "%s", err.message);
}

static void port_key(const void *row, struct strbuf *text)
{
	const struct port *port = row;

	strbuf_addf(text, "%s:%s:%u/%d", port->host_ip ? port->host_ip : "0.0.0.0",
		    port->published ? port->published : "", port->target, (int)port->protocol);
}

static void release_row(void *row)
{
	port_release(row);
}

static void ports_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		size_t before = *slot->count;

		if (d->ports > PORTS_MAX)
			return;
		decoder_push_index(d, i++);
		decode_port(d, item, slot);
		d->ports += *slot->count - before;
		if (d->ports > PORTS_MAX)
			decode_problem(d, item, "the project has more than %d ports", PORTS_MAX);
		decoder_pop(d);
	}
	decode_unique_items(d, node);
	rows_unify(*(void **)slot->field, slot->count, sizeof(struct port), port_key, release_row);
}

static json_t *ports_encode(const struct slot *slot)
{
	const struct port *ports = *(struct port **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++)
		json_array_append_new(json, port_encode(&ports[i]));
	return json;
}

static void ports_release(const struct slot *slot)
{
	struct port **ports = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		port_release(&(*ports)[i]);
	free(TAKE_PTR(*ports));
	*slot->count = 0;
}

const struct shape shape_ports = {ports_decode, ports_encode, ports_release, &port_schema,
				  .elements = true};
