// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"

#include "compose/load/loader.h"

/* Of one project: a file that is included twice counts twice. */
#define FILES_MAX 20000
#define BYTES_MAX (128 << 20)

static const char *const default_names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
					    "docker-compose.yaml"};
static const char *const override_names[] = {"compose.override.yml", "compose.override.yaml",
					     "docker-compose.override.yml",
					     "docker-compose.override.yaml"};

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return alloc_string("/");
	return alloc_string_n(path, (size_t)(slash - path));
}

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
		parent = directory_of(directory);
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

static void take_files(struct loader *l, char *const *files)
{
	strv_free(TAKE_PTR(l->files));
	strv_foreach(file, files)
		strv_take(&l->files, strcmp(file, "-") ? loader_path(l, l->working_dir, file)
						       : alloc_string("-"));
}

/* COMPOSE_FILE: names with COMPOSE_PATH_SEPARATOR between, ":" unless it is set. */
static void take_variable(struct loader *l)
{
	const char *value = variables_get(l, "COMPOSE_FILE");
	const char *separator = variables_get(l, "COMPOSE_PATH_SEPARATOR");
	_cleanup_strv_ char **files = NULL;

	if (!value || !*value)
		return;
	files = strv_split(value, separator && *separator ? separator : ":");
	take_files(l, files);
}

static void find_directory(struct loader *l)
{
	free(l->directory);
	if (l->options->project_directory)
		l->directory = loader_path(l, l->working_dir, l->options->project_directory);
	else if (l->files && strcmp(l->files[0], "-"))
		l->directory = directory_of(l->files[0]);
	else
		l->directory = alloc_string(l->working_dir);
}

/*
 * COMPOSE_FILE may itself come from a .env, whose folder is the one of the files that would be
 * found without it.
 */
int files_find(struct loader *l, struct error *err)
{
	bool given = l->options->files && l->options->files[0];
	int r;

	if (given)
		take_files(l, l->options->files);
	else if (variables_get(l, "COMPOSE_FILE"))
		take_variable(l);
	find_directory(l);
	if (!l->files) {
		discover(l, l->directory);
		find_directory(l);
	}
	r = variables_from_files(l, err);
	if (r < 0)
		return r;
	if (!given)
		take_variable(l);
	find_directory(l);
	return 0;
}

static int read_stdin(struct source *source, size_t limit, struct error *err)
{
	struct strbuf text = {0};
	char buffer[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		strbuf_add_n(&text, buffer, (size_t)n);
		if (text.length > limit)
			break;
	}
	source->size = text.length;
	source->text = strbuf_take(&text);
	if (n < 0)
		return error_errno(err, "read standard input");
	if (source->size > limit)
		return error_set(err, EFBIG, "standard input: larger than %zu MiB", limit >> 20);
	return 0;
}

static char *shown_name(const struct loader *l, const char *path)
{
	size_t length = strlen(l->working_dir);

	if (!strncmp(path, l->working_dir, length) && path[length] == '/')
		return alloc_string(path + length + 1);
	return alloc_string(path);
}

int files_read(struct loader *l, const char *path, size_t limit, struct source **ret,
	       struct error *err)
{
	_cleanup_free_ char *name = shown_name(l, path);
	struct source *source;
	int r;

	if (l->source_count >= FILES_MAX)
		return error_set(err, E2BIG, "%s: the project has more than %d files", name,
				 FILES_MAX);
	source = source_new(name, strcmp(path, "-") ? path : NULL);
	*array_add(l->sources, l->source_count) = source;
	if (!source->path)
		r = read_stdin(source, limit, err);
	else
		r = fs_read(AT_FDCWD, path, limit, &source->text, &source->size, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "open %s: no such file or directory", path);
	if (r < 0)
		return r;
	l->bytes += source->size;
	if (l->bytes > BYTES_MAX)
		return error_set(err, EFBIG, "%s: the project's files are larger than %d MiB", name,
				 BYTES_MAX >> 20);
	if (strlen(source->text) != source->size)
		return error_set(err, EINVAL, "%s: is not text: it has a zero byte", name);
	*ret = source;
	return 0;
}
