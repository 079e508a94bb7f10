// SPDX-License-Identifier: GPL-2.0-or-later
/* load.c - the pipeline, from the user's files to a project; read it from load_project() upward. */
#include "compose/load/load.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/load/loader.h"
#include "compose/tree/json_node.h"

void loader_done(struct loader *l)
{
	project_free(l->project);
	node_free(l->root);
	for (size_t i = 0; i < l->source_count; i++)
		source_free(l->sources[i]);
	free(l->sources);
	for (size_t i = 0; i < l->scope_count; i++) {
		map_done(l->scopes[i], free);
		free(l->scopes[i]);
	}
	free(l->scopes);
	map_foreach(entry, &l->extended)
		extendable_free(entry->value);
	map_done(&l->extended, NULL);
	map_done(&l->variables, free);
	map_done(&l->warned, NULL);
	free(l->working_dir);
	free(l->directory);
	strv_free(l->files);
	strv_free(l->env_files);
	free(l->name);
	report_done(&l->report);
}

void loader_warn(struct loader *l, const char *format, ...)
{
	char message[512];
	va_list args;

	if (!l->options->warn)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	l->options->warn(l->options->warn_data, message);
}

static const char *home_of(const struct loader *l)
{
	const char *home = variables_get(l, "HOME");
	const struct passwd *user;

	if (home && *home)
		return home;
	user = getpwuid(getuid());
	return user && user->pw_dir ? user->pw_dir : "/";
}

char *loader_path(const struct loader *l, const char *base, const char *path)
{
	_cleanup_free_ char *joined = NULL;

	if (path[0] == '~' && (!path[1] || path[1] == '/'))
		joined = str_printf("%s%s", home_of(l), path + 1);
	else if (path[0] == '/')
		joined = alloc_string(path);
	else
		joined = str_printf("%s/%s", base, path);
	return path_clean(joined);
}

/* A list's items are found by their text: `networks: [front]` has a place for "front", too. */
static const struct node *find_item(const struct node *node, const char *text)
{
	if (node->kind != NODE_SEQUENCE)
		return node_get(node, text);
	node_foreach(item, node) {
		const struct node *source = node_get(item, "source");
		size_t length = strlen(text);

		if (source && str_equal(source->text, text))
			return source;
		if (item->kind == NODE_STRING && !strncmp(item->text, text, length) &&
		    (!item->text[length] || item->text[length] == ':'))
			return item;
	}
	return NULL;
}

const struct position *loader_at(const struct loader *l, const char *key, ...)
{
	const struct node *node = l->root, *next;
	const struct position *at = &l->root->at;
	va_list keys;

	va_start(keys, key);
	while (key && node && (next = find_item(node, key))) {
		at = next->key && next->key_at.source ? &next->key_at : &next->at;
		node = next;
		key = va_arg(keys, const char *);
	}
	va_end(keys);
	return at;
}

void loader_problem(struct loader *l, const struct position *at, const char *format, ...)
{
	char message[320];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	report_add(&l->report, at, "%s: invalid compose project", message);
}

static bool is_project_name(const char *name)
{
	if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '_' && *name != '-')
			return false;
	return true;
}

static int use_name(struct loader *l, const char *name, const struct position *at,
		    struct error *err)
{
	if (!is_project_name(name))
		return error_at(
			err, at,
			"invalid project name \"%s\": must consist only of lowercase "
			"alphanumeric characters, hyphens, and underscores as well as start "
			"with a letter or number",
			name);
	free(l->name);
	l->name = alloc_string(name);
	return 0;
}

/* The folder's name in lower case, without what a project's name may not have. */
static char *name_of_folder(const char *directory)
{
	const char *base = strrchr(directory, '/');
	struct strbuf name = {0};

	for (base = base ? base + 1 : directory; *base; base++) {
		char c = (char)tolower((unsigned char)*base);

		if (islower((unsigned char)c) || isdigit((unsigned char)c) ||
		    ((c == '_' || c == '-') && name.length))
			strbuf_addc(&name, c);
	}
	return strbuf_take(&name);
}

static int name_from_outside(struct loader *l, struct error *err)
{
	const char *variable = variables_get(l, "COMPOSE_PROJECT_NAME");

	if (l->options->project_name && *l->options->project_name)
		return use_name(l, l->options->project_name, NULL, err);
	if (variable && *variable)
		return use_name(l, variable, NULL, err);
	return 0;
}

/* The last file that has `name:` names the project, unless the command line did. */
static int name_from_file(struct loader *l, struct node *root, struct error *err)
{
	struct interpolation with = variables_interpolation(l);
	const struct node *name = node_get(root, "name");
	_cleanup_free_ char *text = NULL;
	int r;

	if (!name || name->kind != NODE_STRING)
		return 0;
	r = interpolate_text(&with, name->text, "name", &text, err);
	if (r < 0) {
		struct error inner = *err;

		return error_at(err, &name->at, "%s", inner.message);
	}
	return use_name(l, text, &name->at, err);
}

static int name_project(struct loader *l, const struct yaml_documents *documents, size_t count,
			struct error *err)
{
	int r = name_from_outside(l, err);
	bool named = l->name != NULL;

	for (size_t i = 0; r >= 0 && !named && i < count; i++)
		for (size_t n = 0; r >= 0 && n < documents[i].count; n++)
			r = name_from_file(l, documents[i].items[n], err);
	if (r < 0)
		return r;
	if (!l->name)
		l->name = name_of_folder(l->directory);
	if (!*l->name)
		return error_set(err, EINVAL,
				 "project name must not be empty: give one with -p or `name:`");
	free(map_set(&l->variables, "COMPOSE_PROJECT_NAME", alloc_string(l->name)));
	return 0;
}

static int read_tree(struct loader *l, struct error *err)
{
	struct scope scope = loader_scope(l);
	struct yaml_documents *documents = NULL;
	int r = documents_parse(&scope, l->files, &documents, err);

	if (r >= 0)
		r = name_project(l, documents, strv_length(l->files), err);
	if (r >= 0)
		r = documents_merge(&scope, documents, l->files, &l->root, err);
	if (r >= 0)
		r = report_result(&l->report, err);
	documents_free(documents, l->files);
	return r;
}

static char *resolve(void *data, const struct position *at, const char *path)
{
	const struct loader *l = data;
	const char *base =
		at->source && at->source->directory ? at->source->directory : l->directory;

	return loader_path(l, base, path);
}

static int decode_tree(struct loader *l, struct error *err)
{
	struct decoder decoder = {
		.report = &l->report,
		.warn = l->options->warn,
		.warn_data = l->options->warn_data,
		.resolve = l->options->no_path_resolution ? NULL : resolve,
		.resolve_data = l,
	};

	l->project = project_new();
	decode_object(&decoder, l->root, &project_schema, l->project);
	free(l->project->name);
	l->project->name = alloc_string(l->name);
	l->project->working_dir = alloc_string(l->directory);
	l->project->config_files = strv_dup(l->files);
	l->project->env_files = strv_dup(l->env_files);
	return report_result(&l->report, err);
}

static int check(struct loader *l, struct error *err)
{
	if (!l->options->no_consistency)
		check_project(l);
	return report_result(&l->report, err);
}

static int find(struct loader *l, struct error *err)
{
	l->working_dir = path_clean(l->options->working_dir);
	variables_from_environment(l);
	return files_find(l, err);
}

static int run(struct loader *l, struct error *err)
{
	int r = find(l, err);

	if (r < 0)
		return r;
	if (!l->files)
		return error_set(err, ENOENT, "no configuration file provided: not found");
	r = read_tree(l, err);
	if (r >= 0)
		r = decode_tree(l, err);
	if (r < 0)
		return r;
	if (!l->options->no_normalize)
		normalize_project(l);
	r = check(l, err);
	if (r >= 0)
		r = select_services(l, err);
	if (r >= 0 && !l->options->no_env_resolution)
		r = environment_resolve(l, err);
	return r;
}

/* Back from "compose.yaml:7:9" to the place. */
static struct position position_of(const struct loader *l, const char *where)
{
	struct position at = {0};

	for (size_t i = 0; i < l->source_count && *where; i++) {
		const struct source *source = l->sources[i];
		size_t length = strlen(source->name);

		if (strncmp(where, source->name, length) ||
		    sscanf(where + length, ":%u:%u", &at.line, &at.column) != 2)
			continue;
		at.source = source;
		return at;
	}
	return (struct position){0};
}

/* An error that ended a step stands behind those that did not, unless it is one of them. */
static char *take_report(struct loader *l, const struct error *err)
{
	struct position at = position_of(l, err->where);
	const struct error *first = &l->report.first;

	if (!l->report.count || strcmp(first->message, err->message) ||
	    strcmp(first->where, err->where))
		report_error(&l->report, &at, err);
	return strbuf_take(&l->report.text);
}

int loader_run(struct loader *l, char **ret_report, struct error *err)
{
	int r = run(l, err);

	if (ret_report)
		*ret_report = r < 0 ? take_report(l, err) : NULL;
	return r;
}

int load_project(const struct load_options *options, struct project **ret, char **ret_report,
		 struct error *err)
{
	struct loader l = {.options = options};
	int r = loader_run(&l, ret_report, err);

	if (r >= 0)
		*ret = TAKE_PTR(l.project);
	loader_done(&l);
	return r < 0 ? r : 0;
}

static int find_name(struct loader *l, struct error *err)
{
	struct scope scope;
	struct yaml_documents *documents;
	int r = find(l, err);

	if (r >= 0 || l->options->project_name)
		r = name_from_outside(l, err);
	if (r < 0 || l->name)
		return r;
	if (!l->files)
		return error_set(err, ENOENT, "no configuration file provided: not found");
	scope = loader_scope(l);
	r = documents_parse(&scope, l->files, &documents, err);
	if (r >= 0)
		r = name_project(l, documents, strv_length(l->files), err);
	documents_free(documents, l->files);
	return r;
}

int load_project_name(const struct load_options *options, char **ret_name, struct error *err)
{
	struct loader l = {.options = options};
	int r = find_name(&l, err);

	if (r >= 0)
		*ret_name = TAKE_PTR(l.name);
	loader_done(&l);
	return r < 0 ? r : 0;
}

int load_model(const struct load_options *options, json_t **ret, struct error *err)
{
	struct loader l = {.options = options};
	int r = find(&l, err);

	if (r >= 0 && !l.files)
		r = error_set(err, ENOENT, "no configuration file provided: not found");
	if (r >= 0)
		r = read_tree(&l, err);
	if (r >= 0) {
		*ret = node_to_json(l.root);
		json_object_set_new(*ret, "name", json_string(l.name));
	}
	loader_done(&l);
	return r < 0 ? r : 0;
}

/* A name may be mentioned often; the first default and the first alternate are told. */
static void add_variable(void *data, const struct interpolate_variable *variable)
{
	json_t *rows = data, *row = NULL, *other;
	size_t i;

	json_array_foreach(rows, i, other)
		if (str_equal(json_get_string(other, "name"), variable->name))
			row = other;
	if (!row) {
		row = json_pack("{s:s, s:b, s:s, s:s}", "name", variable->name, "required", 0,
				"default", "", "alternate", "");
		json_array_append_new(rows, row);
	}
	if (variable->required)
		json_put_bool(row, "required", true);
	if (variable->fallback && !*json_get_string(row, "default"))
		json_put_string(row, "default", variable->fallback);
	if (variable->alternate && !*json_get_string(row, "alternate"))
		json_put_string(row, "alternate", variable->alternate);
}

int load_variables(const struct load_options *options, json_t **ret, struct error *err)
{
	struct load_options plain = *options;
	struct loader l = {.options = &plain};
	int r;

	plain.no_interpolate = true;
	r = find(&l, err);
	if (r >= 0 && !l.files)
		r = error_set(err, ENOENT, "no configuration file provided: not found");
	if (r >= 0)
		r = read_tree(&l, err);
	if (r >= 0) {
		*ret = json_array();
		interpolate_mentions(l.root, add_variable, *ret);
	}
	loader_done(&l);
	return r < 0 ? r : 0;
}
