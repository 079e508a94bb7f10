// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explain.c - `config --explain services.web.ports`: which files said something about a value, in
 * the order in which it was applied, with the variables that went into it.
 */
#include "compose/load/explain.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/load/pipeline.h"
#include "compose/load/trace.h"
#include "compose/model/shapes.h"

#define LINES_MAX  40
#define LEAST_PATH 2 /* services.web */

static char *source_lines(const struct traced *said)
{
	const char *text = said->at.source->text, *end;
	uint32_t line = 1;

	while (line < said->at.line && (text = strchr(text, '\n'))) {
		text++;
		line++;
	}
	if (!text)
		return alloc_string("");
	for (end = text; line <= said->last_line && line < said->at.line + LINES_MAX; line++) {
		end += strcspn(end, "\n");
		end += *end == '\n';
	}
	return alloc_string_n(text, (size_t)(end - text));
}

struct mentioned {
	const struct traced *said;
	struct strbuf *text;
	struct map seen;
};

static void add_variable(void *data, const struct interpolate_variable *variable)
{
	struct mentioned *m = data;
	const struct map *variables = m->said->at.source->variables;
	const char *value = variables ? map_get(variables, variable->name) : NULL;

	if (map_set(&m->seen, variable->name, m))
		return;
	strbuf_addf(m->text, "        ${%s} is ", variable->name);
	if (value)
		strbuf_addf(m->text, "\"%s\"\n", value);
	else if (variable->fallback)
		strbuf_addf(m->text, "not set, so \"%s\"\n", variable->fallback);
	else
		strbuf_add(m->text, "not set\n");
}

static void add_said(struct strbuf *text, const struct traced *said, const char *what)
{
	char where[128];
	_cleanup_free_ char *lines = source_lines(said);
	_cleanup_node_ struct node *node = node_string(lines, NULL);
	struct mentioned mentioned = {.said = said, .text = text};
	char *rest = lines, *line;

	strbuf_addf(text, "%s %s%s\n", what, position_text(&said->at, where, sizeof(where)),
		    said->extends                ? " (by extends)"
		    : said->tag == NODE_RESET    ? " (!reset)"
		    : said->tag == NODE_OVERRIDE ? " (!override)"
						 : "");
	while ((line = strsep(&rest, "\n")))
		if (*line || rest)
			strbuf_addf(text, "      | %s\n", line);
	interpolate_mentions(node, add_variable, &mentioned);
	map_done(&mentioned.seen, NULL);
}

/* How an earlier value and a later one go together. */
static const char *relation(const struct trace *e)
{
	const struct attribute *attribute = NULL;

	if (strv_length(e->path) == 3 && !strcmp(e->path[0], "services"))
		attribute = schema_attribute(&service_schema, e->path[2]);
	if (!attribute || attribute->merge == MERGE_REPLACE)
		return "overrides";
	if (attribute->merge == MERGE_DEEP && !attribute->shape->schema)
		return "overrides";
	return "on top of";
}

static const json_t *value_at(const json_t *json, char *const *path)
{
	for (; json && *path; path++)
		json = json_is_array(json) ? json_array_get(json, strtoul(*path, NULL, 10))
					   : json_object_get(json, *path);
	return json;
}

static void add_value(struct strbuf *text, const struct loader *l, const char *path)
{
	_cleanup_json_ json_t *json = project_to_json(l->project, false);
	const json_t *value = value_at(json, l->trace->path);
	_cleanup_free_ char *shown =
		value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)) : NULL;

	strbuf_addf(text, "%s = %s\n", path, shown ? shown : "(not set)");
}

static char *render(const struct loader *l, const char *path)
{
	const struct trace *e = l->trace;
	_cleanup_strbuf_ struct strbuf text = {0};
	const char *word = "set by";

	add_value(&text, l, path);
	if (!e->count)
		strbuf_add(&text, "no file sets it: a default\n");
	for (size_t i = e->count; i-- > 0;) {
		add_said(&text, e->said[i], word);
		word = e->said[i]->tag == NODE_UNTAGGED ? relation(e) : "overrides";
	}
	return strbuf_take(&text);
}

/* The last part of the path that is not there, and what is there beside it. */
static int not_found(const struct loader *l, const char *path, struct error *err)
{
	_cleanup_json_ json_t *json = project_to_json(l->project, false);
	const json_t *value = json, *next;
	char *const *at = l->trace->path;
	_cleanup_free_ const char **names = NULL;
	const char *key, *meant = NULL;
	json_t *other;
	size_t n = 0;

	while (*at && (next = value_at(value, (char *[]){*at, NULL}))) {
		value = next;
		at++;
	}
	names = new_array(const char *, json_object_size(value) + 1);
	json_object_foreach((json_t *)value, key, other)
		names[n++] = key;
	meant = *at ? str_suggest(*at, names, n) : NULL;
	return error_set(err, ENOENT, "%s: nothing of this name is in the project%s%s%s", path,
			 meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

int load_explain(const struct load_options *options, const char *path, char **ret,
		 char **ret_report, struct error *err)
{
	struct trace trace = {.path = strv_split(path, ".")};
	struct loader l = {.options = options, .trace = &trace};
	int r = pipeline_run(&l, ret_report, err);

	if (r >= 0)
		*ret = render(&l, path);
	if (r >= 0 && !trace.count && str_starts_with(*ret, path) && strstr(*ret, "not set"))
		r = not_found(&l, path, err);
	if (r < 0)
		free(TAKE_PTR(*ret));
	pipeline_done(&l);
	trace_done(&trace);
	return r < 0 ? r : 0;
}

static void ignore_warning(void *data, const char *text)
{
}

/* An item's number is the merged list's: said by several files, it may be another in each. */
static bool is_sure(const struct trace *trace)
{
	size_t length = strv_length(trace->path);
	const char *last = length ? trace->path[length - 1] : "";

	return trace->count == 1 || strspn(last, "0123456789") != strlen(last);
}

static bool find_where(const struct load_options *options, char *const *path, char *ret,
		       size_t size)
{
	struct load_options quiet = *options;
	struct trace trace = {.path = strv_dup(path)};
	struct loader l = {.options = &quiet, .trace = &trace};
	_cleanup_free_ char *report = NULL;
	struct error ignored = ERROR_INIT;
	bool found;

	quiet.warn = ignore_warning;
	found = pipeline_run(&l, &report, &ignored) >= 0 && trace.count && is_sure(&trace);
	if (found)
		position_text(&trace.said[trace.count - 1]->at, ret, size);
	pipeline_done(&l);
	trace_done(&trace);
	return found;
}

void load_where(const struct load_options *options, char *const *path, char *ret, size_t size)
{
	_cleanup_strv_ char **part = strv_dup(path);
	size_t length = strv_length(part);

	ret[0] = '\0';
	while (length >= LEAST_PATH && !find_where(options, part, ret, size)) {
		free(part[--length]);
		part[length] = NULL;
	}
}
