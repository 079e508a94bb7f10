// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/discovery.h"

#include <string.h>
#include <unistd.h>

#include "common/alloc.h"

#include "compose/load/remote.h"
#include "compose/load/variables.h"

static const char *const default_names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
					    "docker-compose.yaml"};
static const char *const override_names[] = {"compose.override.yml", "compose.override.yaml",
					     "docker-compose.override.yml",
					     "docker-compose.override.yaml"};

/* The first of @names in @directory; warns when there are more. New string or NULL. */
static char *find_name(struct loader *l, const char *directory, const char *const *names, size_t n)
{
	_cleanup_strv_ char **found = NULL;
	const char *base = strcmp(directory, "/") ? directory : "";

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = str_printf("%s/%s", base, names[i]);

		if (!access(path, F_OK))
			strv_append(&found, path);
	}
	if (strv_length(found) > 1) {
		_cleanup_free_ char *all = strv_join(found, ", ");

		loader_warn(l, "Found multiple config files with supported names: %s", all);
		loader_warn(l, "Using %s", found[0]);
	}
	return found ? alloc_string(found[0]) : NULL;
}

/* compose.yaml here or in a parent, with the override beside it. */
static void discover(struct loader *l, const char *from)
{
	_cleanup_free_ char *directory = alloc_string(from);
	char *found;

	for (;;) {
		char *parent;

		found = find_name(l, directory, default_names, ARRAY_SIZE(default_names));
		if (found || !strcmp(directory, "/"))
			break;
		parent = remote_folder(directory);
		free(directory);
		directory = parent;
	}
	if (!found)
		return;
	strv_take(&l->files, found);
	found = find_name(l, directory, override_names, ARRAY_SIZE(override_names));
	if (found)
		strv_take(&l->files, found);
}

static int take_file(struct loader *l, const char *file, struct error *err)
{
	char *path = NULL;
	int r;

	if (!strcmp(file, "-")) {
		strv_append(&l->files, file);
		return 0;
	}
	if (!remote_is(file)) {
		strv_take(&l->files, loader_path(l, l->working_dir, file));
		return 0;
	}
	r = remote_fetch(l, file, &path, err);
	if (r < 0)
		return r;
	strv_append(&l->fetched, path);
	strv_take(&l->files, path);
	return 0;
}

static int take_files(struct loader *l, char *const *files, struct error *err)
{
	int r = 0;

	strv_free(TAKE_PTR(l->files));
	strv_free(TAKE_PTR(l->fetched));
	for (; r >= 0 && files && *files; files++)
		r = take_file(l, *files, err);
	return r;
}

/* COMPOSE_FILE: names with COMPOSE_PATH_SEPARATOR between, ":" unless it is set. */
static int take_variable(struct loader *l, struct error *err)
{
	const char *value = loader_variable(l, "COMPOSE_FILE");
	const char *separator = loader_variable(l, "COMPOSE_PATH_SEPARATOR");
	_cleanup_strv_ char **files = NULL;

	if (!value || !*value)
		return 0;
	files = strv_split(value, separator && *separator ? separator : ":");
	return take_files(l, files, err);
}

/* A project of another place is where it is used: its name and .env are not the repository's. */
static void find_directory(struct loader *l)
{
	free(l->directory);
	if (l->options->project_directory)
		l->directory = loader_path(l, l->working_dir, l->options->project_directory);
	else if (l->files && strcmp(l->files[0], "-") && !strv_contains(l->fetched, l->files[0]))
		l->directory = remote_folder(l->files[0]);
	else
		l->directory = alloc_string(l->working_dir);
}

/*
 * COMPOSE_FILE may itself come from a .env, whose folder is the one of the files that would be
 * found without it.
 */
int discovery_run(struct loader *l, struct error *err)
{
	bool given = l->options->files && l->options->files[0];
	int r = 0;

	if (given)
		r = take_files(l, l->options->files, err);
	else if (loader_variable(l, "COMPOSE_FILE"))
		r = take_variable(l, err);
	if (r < 0)
		return r;
	find_directory(l);
	if (!l->files) {
		discover(l, l->directory);
		find_directory(l);
	}
	r = variables_from_files(l, err);
	if (r < 0)
		return r;
	if (!given)
		r = take_variable(l, err);
	if (r < 0)
		return r;
	find_directory(l);
	return 0;
}
