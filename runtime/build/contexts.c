// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The context and the named ones: folders of this machine, with what their ignore files leave out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/build/build.h"

#define IGNORE_FILE_MAX (4 << 20)

void context_done(struct context *context)
{
	free(context->name);
	free(context->path);
	cleanup_close_fd(&context->dir);
	statcache_free(context->known);
	ignore_done(&context->ignore);
	context->dir = -EBADF;
}

static int open_folder(struct context *context, struct error *err)
{
	context->dir = open(context->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (context->dir >= 0)
		return 0;
	if (errno == ENOENT)
		return error_set(err, ENOENT, "%s: there is no folder %s", context->name,
				 context->path);
	if (errno == ENOTDIR)
		return error_set(err, ENOTDIR, "%s: %s is a file, a folder is needed",
				 context->name, context->path);
	return error_errno(err, "%s: %s", context->name, context->path);
}

/* -ENOENT without @err: there is no such file. */
static int read_ignore(struct context *context, int dir, const char *name, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = fs_read(dir, name, IGNORE_FILE_MAX, &text, &size, err);

	if (r == -ENOENT || r == -ENOTDIR) {
		error_clear(err);
		return -ENOENT;
	}
	if (r < 0)
		return r;
	return ignore_parse(name, text, size, &context->ignore, err);
}

/* In staging, so that it goes with the build, however that ends. */
static int fetch_context(struct build *build, struct context *context, struct error *err)
{
	_cleanup_free_ char *name = NULL, *url = NULL;
	int dir, r;

	if (build_open_staging(build, err) < 0)
		return -err->code;
	dir = staging_directory(&build->staging, &name, err);
	if (dir < 0)
		return dir;
	close(dir);
	url = context->path;
	context->path = str_printf("%s/layers/%s/%s", build->with->root, build->staging.name, name);
	r = fetch_git(url, context->path, NULL, false, STDERR_FILENO, err);
	if (r < 0)
		return error_wrap(err, "%s", context->name);
	return open_folder(context, err);
}

static int open_place(struct build *build, struct context *context, struct error *err)
{
	int r;

	if (fetch_is_git(context->path))
		return fetch_context(build, context, err);
	if (fetch_is_remote(context->path)) {
		_cleanup_free_ char *url = alloc_string(context->path);

		return context_from_url(build, context, url, err);
	}
	r = open_folder(context, err);
	if (r == 0)
		context->known = statcache_new(build->dir, context->path);
	return r;
}

static int open_main(struct build *build, struct error *err)
{
	struct context *context = &build->context;
	const struct build_options *options = build->options;
	_cleanup_free_ char *own = NULL;
	int r;

	context->name = alloc_string("the build context");
	context->path = alloc_string(options->context ?: "");
	if (!*context->path)
		return 0;
	r = strcmp(context->path, "-")
		    ? open_place(build, context, err)
		    : context_from_stream(build, context, options->context_fd, err);
	if (r < 0 || context->dir < 0)
		return r;
	/* The Dockerfile's own one comes before the folder's. */
	own = str_printf("%s.dockerignore", options->dockerfile ?: "Dockerfile");
	r = options->dockerfile_inline
		    ? -ENOENT
		    : read_ignore(context, *own == '/' ? AT_FDCWD : context->dir, own, err);
	if (r == -ENOENT)
		r = read_ignore(context, context->dir, ".dockerignore", err);
	return r == -ENOENT ? 0 : r;
}

static int open_named(struct build *build, const char *name, const char *value, struct error *err)
{
	struct context *context = array_add(build->contexts, build->context_count);
	int r;

	context->name = str_printf("context %s", name);
	context->path = alloc_string(value);
	context->dir = -EBADF;
	if (str_starts_with(value, "docker-image://") || str_starts_with(value, "oci-layout://"))
		return 0; /* looked up when a stage asks for it */
	r = open_place(build, context, err);
	if (r == 0 && context->dir < 0)
		return error_set(err, EINVAL, "%s: a tar archive is needed, this is a text",
				 context->name);
	if (r == 0)
		r = read_ignore(context, context->dir, ".dockerignore", err);
	return r == -ENOENT && !err->code ? 0 : r;
}

int contexts_open(struct build *build, struct error *err)
{
	int r = open_main(build, err);

	strv_foreach(row, build->options->contexts) {
		const char *equals = strchr(row, '=');
		_cleanup_free_ char *name = NULL;

		if (r < 0)
			return r;
		if (!equals || equals == row || !equals[1])
			return error_set(err, EINVAL,
					 "context '%.80s' must be given as NAME=PATH or "
					 "NAME=docker-image://IMAGE",
					 row);
		name = alloc_string_n(row, (size_t)(equals - row));
		r = open_named(build, name, equals + 1, err);
		map_set(&build->named, name, (void *)(uintptr_t)build->context_count);
	}
	return r;
}
