// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/trace.h"

#include <string.h>

#include "common/alloc.h"

/* What an alias or a merge key brought stands further above: of it, only the key's line counts. */
static uint32_t last_line_of(const struct node *node)
{
	uint32_t last = node->at.line;

	node_foreach(child, node) {
		uint32_t own = child->key ? child->key_at.line : child->at.line, line = own;

		if (child->at.source != node->at.source || own < node->at.line)
			continue;
		if (child->at.line >= own)
			line = last_line_of(child);
		last = line > last ? line : last;
	}
	return last;
}

/* Items of lists are found by the key that their text starts with, or by number. */
static const struct node *step(const struct node *node, const char *key)
{
	size_t length = strlen(key), i = 0;

	if (node->kind != NODE_SEQUENCE)
		return node_get(node, key);
	node_foreach(item, node) {
		_cleanup_free_ char *number = str_printf("%zu", i++);

		if (!strcmp(number, key))
			return item;
		if (item->kind == NODE_STRING && !strncmp(item->text, key, length) &&
		    (!item->text[length] || strchr("=:", item->text[length])))
			return item;
	}
	return NULL;
}

static struct traced *trace_node(const struct node *node, char *const *path)
{
	struct traced *said;

	while (node && *path)
		node = step(node, *path++);
	if (!node)
		return NULL;
	said = new (struct traced);
	said->at = node->key && node->key_at.source ? node->key_at : node->at;
	said->last_line = last_line_of(node);
	said->tag = node->tag;
	return said;
}

struct traced *trace_document(struct loader *l, const struct node *document)
{
	return l->trace ? trace_node(document, l->trace->path) : NULL;
}

void trace_applied(struct loader *l, struct traced *said)
{
	if (said)
		*array_add(l->trace->said, l->trace->count) = said;
}

void trace_extends(struct loader *l, const struct node *service, const struct node *base)
{
	char **path = l->trace ? l->trace->path : NULL;
	struct traced *said;

	if (strv_length(path) < 3 || strcmp(path[0], "services") || strcmp(path[1], service->key))
		return;
	said = trace_node(base, path + 2);
	if (said)
		said->extends = true;
	trace_applied(l, said);
}

void trace_done(struct trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		free(trace->said[i]);
	free(trace->said);
	strv_free(trace->path);
}
