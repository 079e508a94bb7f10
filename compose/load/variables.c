// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/variables.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"

#include "compose/load/files.h"
#include "compose/tree/dotenv.h"

static const char *lookup(void *data, const char *name)
{
	return loader_variable(data, name);
}

static void unset(void *data, const char *name);

static const char *scope_lookup(void *data, const char *name)
{
	const struct scope *scope = data;

	return map_get(scope->variables, name);
}

static void scope_unset(void *data, const char *name)
{
	unset(((struct scope *)data)->l, name);
}

struct interpolation scope_interpolation(struct scope *scope)
{
	return (struct interpolation){.lookup = scope_lookup, .unset = scope_unset, .data = scope};
}

/* Told once a name, however often it is missing. */
static void unset(void *data, const char *name)
{
	struct loader *l = data;

	if (map_set(&l->warned, name, l))
		return;
	loader_warn(l, "The \"%s\" variable is not set. Defaulting to a blank string.", name);
}

struct interpolation variables_interpolation(struct loader *l)
{
	return (struct interpolation){.lookup = lookup, .unset = unset, .data = l};
}

void variables_from_environment(struct loader *l)
{
	strv_foreach(entry, l->options->environment) {
		const char *equals = strchr(entry, '=');
		_cleanup_free_ char *key = NULL;

		if (!equals)
			continue;
		key = alloc_string_n(entry, (size_t)(equals - entry));
		free(map_set(&l->variables, key, alloc_string(equals + 1)));
	}
}

/* Of one file, or of several of which a later one wins; the client's environment wins over all. */
static void collect(void *data, const char *key, const char *value)
{
	struct map *found = data;

	if (value)
		free(map_set(found, key, alloc_string(value)));
}

int variables_read(struct scope *scope, const char *path, struct map *found, struct error *err)
{
	struct loader *l = scope->l;
	struct interpolation with = scope_interpolation(scope);
	struct dotenv dotenv = {.with = &with, .add = collect, .data = found};
	struct source *source = NULL;
	int r = files_read(l, path, DOTENV_SIZE_MAX, &source, err);

	if (r == -ENOENT)
		return r;
	if (r >= 0)
		r = dotenv_parse(&dotenv, source, err);
	if (r < 0)
		return error_wrap(err, "failed to read %s", path);
	return 0;
}

void variables_adopt(struct scope *scope, struct map *found)
{
	map_foreach(entry, found) {
		if (map_get(scope->variables, entry->key))
			continue;
		map_set(scope->variables, entry->key, alloc_string(entry->value));
	}
	map_done(found, free);
}

/* The .env of @directory; missing is fine. */
static int read_directory(struct loader *l, const char *directory, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/.env", strcmp(directory, "/") ? directory : "");
	struct scope scope = loader_scope(l);
	struct map found = {0};
	struct stat st;
	int r;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return 0;
	r = variables_read(&scope, path, &found, err);
	variables_adopt(&scope, &found);
	return r;
}

static bool is_true(const char *s)
{
	return s &&
	       (!strcmp(s, "1") || !strcmp(s, "true") || !strcmp(s, "TRUE") || !strcmp(s, "True"));
}

static int read_given(struct loader *l, char *const *files, struct error *err)
{
	struct scope scope = loader_scope(l);
	struct map found = {0};
	int r = 0;

	strv_foreach(file, files) {
		_cleanup_free_ char *path = loader_path(l, l->working_dir, file);

		r = variables_read(&scope, path, &found, err);
		if (r == -ENOENT)
			r = error_set(err, ENOENT, "couldn't find env file: %s", path);
		if (r < 0)
			break;
		strv_append(&l->env_files, file);
	}
	variables_adopt(&scope, &found);
	return r;
}

int variables_from_files(struct loader *l, struct error *err)
{
	const char *list = loader_variable(l, "COMPOSE_ENV_FILES");
	_cleanup_strv_ char **listed = NULL;
	int r;

	if (l->options->env_files && l->options->env_files[0])
		return read_given(l, l->options->env_files, err);
	if (list && *list) {
		listed = strv_split(list, ",");
		return read_given(l, listed, err);
	}
	if (is_true(loader_variable(l, "COMPOSE_DISABLE_ENV_FILE")))
		return 0;
	r = read_directory(l, l->directory, err);
	if (r >= 0 && strcmp(l->directory, l->working_dir))
		r = read_directory(l, l->working_dir, err);
	return r;
}
