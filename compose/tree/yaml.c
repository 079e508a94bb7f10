// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/yaml.h"

#include <string.h>
#include <yaml.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/tree/yaml_hint.h"

struct builder {
	const struct source *source;
	yaml_parser_t parser;
	struct map anchors;      /* name to struct node, borrowed from the tree */
	struct node **discarded; /* may be anchored, so they live until the document ends */
	size_t discarded_count;
	struct node **open; /* collections being read, for aliases to themselves */
	size_t depth;
	size_t nodes;
	/*
	 * Nodes that aliases add are counted apart: a file of plain nodes may be as large as a
	 * file may be, it is the copies that multiply.
	 */
	size_t copies;
	struct error *err;
};

static struct position mark_position(const struct builder *b, const yaml_mark_t *mark)
{
	return (struct position){b->source, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

static int parser_error(struct builder *b)
{
	const yaml_parser_t *parser = &b->parser;
	struct position at = mark_position(b, &parser->problem_mark);
	char hint[128];

	if (!parser->problem)
		return error_at(b->err, &at, "yaml: cannot be read");
	return error_at(b->err, &at, "yaml: line %u: %s%s%s%s", at.line,
			parser->context ? parser->context : "", parser->context ? ", " : "",
			parser->problem,
			yaml_hint(b->source->text ?: "", at.line, parser->problem,
				  (uint32_t)parser->context_mark.line + 1, hint, sizeof(hint)));
}

static int next_event(struct builder *b, yaml_event_t *event)
{
	if (!yaml_parser_parse(&b->parser, event))
		return parser_error(b);
	return 0;
}

static enum node_tag tag_of(const yaml_char_t *tag)
{
	if (tag && !strcmp((const char *)tag, "!reset"))
		return NODE_RESET;
	if (tag && !strcmp((const char *)tag, "!override"))
		return NODE_OVERRIDE;
	return NODE_UNTAGGED;
}

static int remember_anchor(struct builder *b, const yaml_char_t *anchor, struct node *node)
{
	if (anchor)
		map_set(&b->anchors, (const char *)anchor, node);
	return 0;
}

static int build_alias(struct builder *b, const yaml_event_t *event, struct node **ret)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct node *target = map_get(&b->anchors, name);
	struct position at = mark_position(b, &event->start_mark);

	if (!target)
		return error_at(b->err, &at,
				"yaml: unknown anchor '%s' referenced: there is no &%s above it",
				name, name);
	for (size_t i = 0; i < b->depth; i++)
		if (b->open[i] == target)
			return error_at(b->err, &at, "yaml: anchor '%s' value contains itself",
					name);
	b->copies += node_count(target);
	if (b->copies > YAML_NODES_MAX)
		return error_at(b->err, &at,
				"yaml: document contains excessive aliasing: more than %d values",
				YAML_NODES_MAX);
	*ret = node_copy(target);
	free(TAKE_PTR((*ret)->key));
	return 0;
}

static int build_scalar(struct builder *b, const yaml_event_t *event, struct node **ret)
{
	struct position at = mark_position(b, &event->start_mark);
	const char *tag = (const char *)event->data.scalar.tag;
	_cleanup_node_ struct node *node = node_new(NODE_STRING, &at);

	node->text =
		alloc_string_n((const char *)event->data.scalar.value, event->data.scalar.length);
	if (strlen(node->text) != event->data.scalar.length)
		return error_at(b->err, &at, "yaml: control characters are not allowed");
	node->tag = tag_of(event->data.scalar.tag);
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !str_equal(tag, YAML_STR_TAG) &&
	    !str_equal(tag, "!"))
		node_resolve_plain(node);
	remember_anchor(b, event->data.scalar.anchor, node);
	*ret = TAKE_PTR(node);
	return 0;
}

static int build_node(struct builder *b, const yaml_event_t *event, struct node **ret);

static int enter(struct builder *b, struct node *node)
{
	if (b->depth >= YAML_DEPTH_MAX)
		return error_at(b->err, &node->at, "yaml: nested deeper than %d levels",
				YAML_DEPTH_MAX);
	b->open[b->depth++] = node;
	return 0;
}

static int build_items(struct builder *b, struct node *sequence)
{
	for (;;) {
		struct node *item = NULL;
		yaml_event_t event;
		bool end;
		int r = next_event(b, &event);

		if (r < 0)
			return r;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!end)
			r = build_node(b, &event, &item);
		yaml_event_delete(&event);
		if (end || r < 0)
			return r;
		node_append(sequence, item);
	}
}

static void discard(struct builder *b, struct node *node)
{
	*array_add(b->discarded, b->discarded_count) = node;
}

/* Adds what @source says about keys that the mapping itself does not have. */
static int merge_mapping(struct builder *b, struct node *mapping, const struct node *source)
{
	if (source->kind != NODE_MAPPING)
		return error_at(b->err, &source->at,
				"yaml: map merge requires map or sequence of maps as the value");
	node_foreach(child, source) {
		if (node_get(mapping, child->key))
			continue;
		b->copies += node_count(child);
		if (b->copies > YAML_NODES_MAX)
			return error_at(b->err, &source->at,
					"yaml: document contains excessive aliasing");
		node_set(mapping, child->key, node_copy(child));
	}
	return 0;
}

static int apply_merge_key(struct builder *b, struct node *mapping, const struct node *value)
{
	int r = 0;

	if (value->kind != NODE_SEQUENCE)
		return merge_mapping(b, mapping, value);
	node_foreach(source, value) {
		r = merge_mapping(b, mapping, source);
		if (r < 0)
			return r;
	}
	return r;
}

/* A key as text: 1 and true are keys too. */
static int read_key(struct builder *b, const yaml_event_t *event, char **ret)
{
	struct node *key = NULL;
	int r;

	if (event->type == YAML_SCALAR_EVENT && !event->data.scalar.anchor) {
		*ret = alloc_string_n((const char *)event->data.scalar.value,
				      event->data.scalar.length);
		return 0;
	}
	r = build_node(b, event, &key);
	if (r < 0)
		return r;
	discard(b, key);
	if (!node_is_scalar(key))
		return error_at(b->err, &key->at, "yaml: a key must be a string, not %s",
				node_kind_name(key));
	*ret = alloc_string(key->text);
	return 0;
}

static int build_value(struct builder *b, struct node **ret)
{
	yaml_event_t event;
	int r = next_event(b, &event);

	if (r < 0)
		return r;
	r = build_node(b, &event, ret);
	yaml_event_delete(&event);
	return r;
}

/* One entry; merge keys are collected in @merges, since their place does not matter. */
static int build_entry(struct builder *b, const yaml_event_t *key_event, struct node *mapping,
		       struct node *merges)
{
	struct position at = mark_position(b, &key_event->start_mark);
	struct node *value = NULL;
	const struct node *before;
	_cleanup_free_ char *text = NULL;
	bool merge = key_event->type == YAML_SCALAR_EVENT &&
		     key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		     !strcmp((const char *)key_event->data.scalar.value, "<<");
	int r = read_key(b, key_event, &text);

	if (r < 0)
		return r;
	before = merge ? NULL : node_get(mapping, text);
	if (before)
		return error_at(b->err, &at,
				"yaml: line %u: mapping key \"%s\" already defined at line %u",
				at.line, text, before->key_at.line);
	r = build_value(b, &value);
	if (r < 0)
		return r;
	if (merge) {
		node_append(merges, value);
		return 0;
	}
	value->key_at = at;
	node_set(mapping, text, value);
	return 0;
}

static int build_entries(struct builder *b, struct node *mapping, struct node *merges)
{
	for (;;) {
		yaml_event_t event;
		bool end;
		int r = next_event(b, &event);

		if (r < 0)
			return r;
		end = event.type == YAML_MAPPING_END_EVENT;
		if (!end)
			r = build_entry(b, &event, mapping, merges);
		yaml_event_delete(&event);
		if (end || r < 0)
			return r;
	}
}

static int build_mapping(struct builder *b, struct node *mapping)
{
	struct node *merges = node_new(NODE_SEQUENCE, NULL);
	int r;

	discard(b, merges);
	r = build_entries(b, mapping, merges);
	for (size_t i = 0; r >= 0 && i < merges->count; i++)
		r = apply_merge_key(b, mapping, merges->items[i]);
	return r;
}

static int build_collection(struct builder *b, const yaml_event_t *event, struct node **ret)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	struct position at = mark_position(b, &event->start_mark);
	struct node *node = node_new(mapping ? NODE_MAPPING : NODE_SEQUENCE, &at);
	int r;

	node->tag =
		tag_of(mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag);
	remember_anchor(
		b, mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
		node);
	r = enter(b, node);
	if (r >= 0) {
		r = mapping ? build_mapping(b, node) : build_items(b, node);
		b->depth--;
	}
	if (r < 0)
		discard(b, node);
	else
		*ret = node;
	return r;
}

static int build_node(struct builder *b, const yaml_event_t *event, struct node **ret)
{
	struct position at = mark_position(b, &event->start_mark);

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return build_alias(b, event, ret);
	case YAML_SCALAR_EVENT:
		return build_scalar(b, event, ret);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return build_collection(b, event, ret);
	default:
		return error_at(b->err, &at, "yaml: unexpected end of the document");
	}
}

static void end_document(struct builder *b)
{
	for (size_t i = 0; i < b->discarded_count; i++)
		node_free(b->discarded[i]);
	free(TAKE_PTR(b->discarded));
	b->discarded_count = 0;
	map_done(&b->anchors, NULL);
}

static int build_documents(struct builder *b, struct yaml_documents *ret)
{
	for (;;) {
		struct node *root = NULL;
		yaml_event_t event;
		yaml_event_type_t type;
		int r = next_event(b, &event);

		if (r < 0)
			return r;
		type = event.type;
		switch (type) {
		case YAML_SCALAR_EVENT:
		case YAML_ALIAS_EVENT:
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			r = build_node(b, &event, &root);
			break;
		default:
			break;
		}
		yaml_event_delete(&event);
		if (root && root->kind == NODE_NULL)
			discard(b, TAKE_PTR(root));
		if (root)
			*array_add(ret->items, ret->count) = root;
		if (r < 0 || type == YAML_STREAM_END_EVENT)
			return r;
		if (type == YAML_DOCUMENT_END_EVENT)
			end_document(b);
	}
}

int yaml_parse(const struct source *source, struct yaml_documents *ret, struct error *err)
{
	struct builder b = {.source = source, .err = err};
	struct position whole = {source, 0, 0};
	struct node *open[YAML_DEPTH_MAX];
	int r;

	*ret = (struct yaml_documents){0};
	if (!yaml_parser_initialize(&b.parser))
		return error_at(err, &whole, "yaml: no memory for a parser");
	b.open = open;
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)source->text, source->size);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	r = build_documents(&b, ret);
	end_document(&b);
	yaml_parser_delete(&b.parser);
	if (r < 0)
		yaml_documents_done(ret);
	return r;
}

void yaml_documents_done(struct yaml_documents *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		node_free(documents->items[i]);
	free(documents->items);
	*documents = (struct yaml_documents){0};
}
