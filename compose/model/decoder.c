// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/decoder.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/units.h"

void decoder_push(struct decoder *d, const char *key)
{
	if (d->depth < DECODER_DEPTH_MAX)
		d->path[d->depth].key = key;
	d->depth++;
}

void decoder_push_index(struct decoder *d, size_t index)
{
	if (d->depth < DECODER_DEPTH_MAX) {
		d->path[d->depth].key = NULL;
		d->path[d->depth].index = index;
	}
	d->depth++;
}

void decoder_pop(struct decoder *d)
{
	d->depth--;
}

const char *decoder_path(const struct decoder *d, char *buffer, size_t size)
{
	size_t at = 0;

	buffer[0] = '\0';
	for (unsigned int i = 0; i < d->depth && i < DECODER_DEPTH_MAX && at < size; i++) {
		const char *dot = i ? "." : "";
		int n = d->path[i].key
				? snprintf(buffer + at, size - at, "%s%s", dot, d->path[i].key)
				: snprintf(buffer + at, size - at, "%s%zu", dot, d->path[i].index);

		at += n > 0 ? (size_t)n : 0;
	}
	return buffer;
}

void decode_problem(struct decoder *d, const struct node *node, const char *format, ...)
{
	char path[200], message[256];
	va_list args;

	if (node->broken)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	decoder_path(d, path, sizeof(path));
	if (node->at.source)
		report_add(d->report, &node->at, "validating %s: %s%s%s", node->at.source->name,
			   path, *path ? " " : "", message);
	else
		report_add(d->report, &node->at, "%s%s%s", path, *path ? " " : "", message);
}

void decode_wrong_type(struct decoder *d, const struct node *node, const char *what)
{
	if (node->kind == NODE_NULL)
		decode_problem(d, node, "must be %s; it is empty here", what);
	else if (node->date)
		decode_problem(d, node, "must be %s, not a date: put it in quotes", what);
	else if (!strcmp(what, "a string") && node_is_scalar(node))
		decode_problem(d, node, "must be a string: put %s in quotes",
			       node->text ? node->text : "it");
	else if (!strcmp(what, "a list") && node->kind == NODE_STRING && *node->text == '-')
		decode_problem(d, node,
			       "must be a list, not a string: a blank is missing behind "
			       "the dash");
	else if (!strcmp(what, "a string") && node->kind == NODE_MAPPING && node->count == 1 &&
		 node->items[0]->text)
		decode_problem(d, node, "must be a string, not a mapping: write %s=%s",
			       node->items[0]->key, node->items[0]->text);
	else
		decode_problem(d, node, "must be %s, not %s", what, node_kind_name(node));
}

void decode_warning(struct decoder *d, const char *format, ...)
{
	char message[512];
	va_list args;

	if (!d->warn)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	d->warn(d->warn_data, message);
}

bool decode_string(struct decoder *d, const struct node *node, char **ret)
{
	if (node->kind != NODE_STRING || node->date) {
		decode_wrong_type(d, node, "a string");
		return false;
	}
	free(*ret);
	*ret = alloc_string(node->text);
	return true;
}

bool decode_string_if_any(struct decoder *d, const struct node *node, char **ret)
{
	if (!decode_string(d, node, ret))
		return false;
	if (!**ret)
		free(TAKE_PTR(*ret));
	return *ret;
}

bool decode_text(struct decoder *d, const struct node *node, char **ret)
{
	if (!node_is_scalar(node) || node->kind == NODE_NULL || node->kind == NODE_BOOL ||
	    node->date) {
		decode_wrong_type(d, node, "a string or a number");
		return false;
	}
	free(*ret);
	*ret = node_scalar_text(node);
	return true;
}

/* A boolean may come out of interpolation as text, and then YAML 1.1's words count too. */
bool decode_bool(struct decoder *d, const struct node *node, bool *ret)
{
	static const char *const trues[] = {"true", "yes", "on", "y"};
	static const char *const falses[] = {"false", "no", "off", "n"};

	if (node->kind == NODE_BOOL) {
		*ret = node->boolean;
		return true;
	}
	for (size_t i = 0; node->kind == NODE_STRING && i < ARRAY_SIZE(trues); i++) {
		*ret = !strcasecmp(node->text, trues[i]);
		if (*ret || !strcasecmp(node->text, falses[i]))
			return true;
	}
	if (node->kind == NODE_STRING)
		decode_problem(d, node, "invalid boolean: %s", node->text);
	else
		decode_wrong_type(d, node, "a boolean");
	return false;
}

bool decode_int(struct decoder *d, const struct node *node, int64_t *ret)
{
	char *end = NULL;
	long long value;

	if (node->kind == NODE_INT) {
		*ret = node->integer;
		return true;
	}
	if (node->kind == NODE_FLOAT && node_number_is_whole(node->number) &&
	    fabs(node->number) < 9e18) {
		*ret = (int64_t)node->number;
		return true;
	}
	if (node->kind != NODE_STRING) {
		decode_wrong_type(d, node, "an integer");
		return false;
	}
	errno = 0;
	value = strtoll(node->text, &end, 10);
	if (errno || end == node->text || *end) {
		decode_problem(d, node, "must be an integer, not \"%s\"", node->text);
		return false;
	}
	*ret = value;
	return true;
}

bool decode_number(struct decoder *d, const struct node *node, double *ret)
{
	char *end = NULL;

	if (node->kind == NODE_INT) {
		*ret = (double)node->integer;
		return true;
	}
	if (node->kind == NODE_FLOAT && isfinite(node->number)) {
		*ret = node->number;
		return true;
	}
	if (node->kind != NODE_STRING) {
		decode_wrong_type(d, node, "a number");
		return false;
	}
	*ret = strtod(node->text, &end);
	if (end == node->text || *end || !isfinite(*ret)) {
		decode_problem(d, node, "must be a number, not \"%s\"", node->text);
		return false;
	}
	return true;
}

bool decode_bytes(struct decoder *d, const struct node *node, int64_t *ret)
{
	if (node->kind == NODE_INT) {
		*ret = node->integer;
		return true;
	}
	if (node->kind != NODE_STRING) {
		decode_wrong_type(d, node, "a size");
		return false;
	}
	if (units_parse_bytes(node->text, ret) < 0) {
		decode_problem(d, node, "invalid size: '%s' (\"64m\", \"1.5g\", ...)", node->text);
		return false;
	}
	return true;
}

bool decode_duration(struct decoder *d, const struct node *node, int64_t *ret_usec)
{
	if (node->kind != NODE_STRING) {
		decode_wrong_type(d, node, "a string");
		return false;
	}
	if (units_parse_duration(node->text, ret_usec) < 0) {
		decode_problem(d, node, "invalid duration \"%s\" (\"1m30s\", \"500ms\", ...)",
			       node->text);
		return false;
	}
	return true;
}

void decode_resolve(struct decoder *d, const struct node *node, char **path)
{
	char *resolved;

	if (!d->resolve || !*path || !**path)
		return;
	resolved = d->resolve(d->resolve_data, &node->at, *path);
	free(*path);
	*path = resolved;
}

bool decode_mapping_kind(struct decoder *d, const struct node *node)
{
	if (node->kind == NODE_MAPPING)
		return true;
	decode_wrong_type(d, node, "a mapping");
	return false;
}

bool decode_sequence_kind(struct decoder *d, const struct node *node)
{
	if (node->kind == NODE_SEQUENCE)
		return true;
	decode_wrong_type(d, node, "a list");
	return false;
}

static void report_twice(struct decoder *d, const struct node *node, size_t i, size_t j)
{
	decode_problem(d, node, "items at %zu and %zu are equal", i, j);
}

/* Lists of text are the long ones, and need no comparison of all with all. */
void decode_unique_items(struct decoder *d, const struct node *sequence)
{
	struct map seen = {0};
	bool reported = false;

	for (size_t j = 0; j < sequence->count && !reported; j++) {
		const struct node *item = sequence->items[j];

		if (item->kind == NODE_STRING) {
			void *before = map_set(&seen, item->text, (void *)(uintptr_t)(j + 1));

			reported = before != NULL;
			if (reported)
				report_twice(d, item, (size_t)(uintptr_t)before - 1, j);
			continue;
		}
		for (size_t i = 0; i < j && j < 1000 && !reported; i++) {
			reported = node_equal(sequence->items[i], item);
			if (reported)
				report_twice(d, item, i, j);
		}
	}
	map_done(&seen, NULL);
}
