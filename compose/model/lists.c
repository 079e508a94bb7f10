// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <string.h>

#include "common/alloc.h"
#include "common/map.h"

#include "compose/model/shapes.h"

static void items_decode(struct decoder *d, const struct node *node, char ***list, bool numbers)
{
	size_t i = 0, count = strv_length(*list);

	node_foreach(item, node) {
		char *text = NULL;

		decoder_push_index(d, i++);
		if (numbers ? decode_text(d, item, &text) : decode_string(d, item, &text)) {
			*array_add(*list, count) = text;
			*array_add(*list, count) = NULL;
			count--;
		}
		decoder_pop(d);
	}
	decode_unique_items(d, node);
}

static void strings_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_sequence_kind(d, node))
		items_decode(d, node, slot->field, false);
}

/* 80 and "80" come from two files: once is enough. */
static void drop_repeated(char **list)
{
	struct map seen = {0};
	char **kept = list;

	for (char **at = list; at && *at; at++) {
		if (map_set(&seen, *at, list))
			free(*at);
		else
			*kept++ = *at;
	}
	if (list)
		*kept = NULL;
	map_done(&seen, NULL);
}

static void texts_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (!decode_sequence_kind(d, node))
		return;
	items_decode(d, node, slot->field, true);
	drop_repeated(*(char ***)slot->field);
}

static void string_list_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (node->kind == NODE_STRING)
		strv_append(slot->field, node->text);
	else
		strings_decode(d, node, slot);
}

static json_t *strings_encode(const struct slot *slot)
{
	char **list = *(char ***)slot->field;
	json_t *json;

	if (!list || !*list)
		return NULL;
	json = json_array();
	strv_foreach(s, list)
		json_array_append_new(json, json_string_nocheck(s));
	return json;
}

static void strings_release(const struct slot *slot)
{
	strv_free(*(char ***)slot->field);
	*(char ***)slot->field = NULL;
}

const struct shape shape_strings = {strings_decode, strings_encode, strings_release};
const struct shape shape_texts = {texts_decode, strings_encode, strings_release};
const struct shape shape_string_list = {string_list_decode, strings_encode, strings_release};

/* "80", "8000-8010", "53/udp" */
static bool is_exposed_port(const char *s)
{
	unsigned int first = 0, last = 0;
	char protocol[8] = "";
	int n = 0;

	if (sscanf(s, "%5u%n", &first, &n) != 1)
		return false;
	s += n;
	last = first;
	if (*s == '-') {
		if (sscanf(s, "-%5u%n", &last, &n) != 1)
			return false;
		s += n;
	}
	if (*s == '/') {
		if (sscanf(s, "/%7[a-zA-Z]%n", protocol, &n) != 1)
			return false;
		s += n;
	}
	return !*s && first && first <= last && last <= UINT16_MAX;
}

static void expose_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	texts_decode(d, node, slot);
	strv_foreach(s, *(char ***)slot->field)
		if (!is_exposed_port(s))
			decode_problem(d, node, "invalid port \"%s\" (\"80\", \"53/udp\", ...)", s);
}

const struct shape shape_expose = {expose_decode, strings_encode, strings_release};
