// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sockets.c - `x-berth.socket` of a service: what it is listened at for it, before it runs. One
 * address, a list of them, or rows {listen, name}.
 */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

/* sd_listen_fds_with_names(3), systemd.socket(5) FileDescriptorName=. */
#define NAME_MAX_BYTES 255

static void listen_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	if (decode_text(d, node, &text) && listen_parse(text, slot->field, &err) < 0)
		decode_problem(d, node, "%s", err.message);
}

static void name_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **name = slot->field;

	if (!decode_string(d, node, name))
		return;
	for (const char *c = *name; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127 || *c == ':') {
			decode_problem(d, node,
				       "\"%s\" is no name of a socket: printable characters other "
				       "than blanks and \":\"",
				       *name);
			return;
		}
	if (!**name || strlen(*name) > NAME_MAX_BYTES)
		decode_problem(d, node, "must have 1 to %d characters", NAME_MAX_BYTES);
}

static void name_release(const struct slot *slot)
{
	free(TAKE_PTR(*(char **)slot->field));
}

static const struct shape shape_listen = {listen_decode};
static const struct shape shape_socket_name = {name_decode, NULL, name_release};

#define SOCKET(field) offsetof(struct service_socket, field), NO_FIELD
/* clang-format off */
static const struct attribute socket_attributes[] = {
	{"listen", SOCKET(address), &shape_listen},
	{"name",   SOCKET(name),    &shape_socket_name},
};
/* clang-format on */
static const struct schema socket_schema = {"socket", socket_attributes,
					    ARRAY_SIZE(socket_attributes), NO_FIELD};

static void row_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct service_socket *rows, *row = rows_add(slot);
	const struct slot address = {.field = &row->address};

	if (node->kind != NODE_MAPPING) {
		listen_decode(d, node, &address);
	} else {
		decode_object(d, node, &socket_schema, row);
		if (!node_get(node, "listen"))
			decode_problem(d, node, "needs an address to listen at: listen");
	}
	rows = *(struct service_socket **)slot->field;
	for (size_t i = 0; i + 1 < *slot->count; i++)
		if (row->address.type && listen_same(&rows[i].address, &row->address))
			decode_problem(d, node, "is listened at already");
}

static void sockets_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (node->kind != NODE_SEQUENCE) {
		row_decode(d, node, slot);
		return;
	}
	node_foreach(item, node) {
		decoder_push_index(d, i++);
		if (i > SERVICE_SOCKETS_MAX) {
			decode_problem(d, item, "is one socket too many: %d at most",
				       SERVICE_SOCKETS_MAX);
			decoder_pop(d);
			return;
		}
		row_decode(d, item, slot);
		decoder_pop(d);
	}
}

const struct shape shape_sockets = {
	sockets_decode,  NULL, release_rows, &socket_schema, sizeof(struct service_socket),
	.elements = true};
