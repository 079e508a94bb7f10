// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * COPY's sources: names of a tree, with wildcards, without what is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/build/build.h"

#define DEPTH_MAX 128

bool glob_is_pattern(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

struct globbing {
	const struct ignore *ignore;
	const char *pattern;
	size_t parts; /* of the pattern; 0: any number */
	char ***found;
};

static int walk(struct globbing *g, int dir, const char *prefix, size_t depth, struct error *err)
{
	_cleanup_strv_ char **names = NULL;

	if (depth > DEPTH_MAX)
		return 0;
	if (fs_list(dir, ".", &names, err) < 0)
		return -err->code;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s%s%s", prefix, *prefix ? "/" : "", name);
		_cleanup_close_ int inside = -EBADF;

		if (g->ignore && ignore_prunes(g->ignore, path))
			continue;
		if (ignore_pattern_matches(g->pattern, path)) {
			if (!g->ignore || !ignore_matches(g->ignore, path, NULL))
				strv_append(g->found, path);
			continue;
		}
		if (g->parts && depth + 1 >= g->parts)
			continue;
		inside = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (inside >= 0 && walk(g, inside, path, depth + 1, err) < 0)
			return -err->code;
	}
	return 0;
}

int glob_paths(int root, const struct ignore *ignore, const char *pattern, char ***ret,
	       struct error *err)
{
	_cleanup_free_ char *path = path_clean_inside(pattern);
	_cleanup_strv_ char **parts = strv_split(path, "/");
	struct globbing g = {.ignore = ignore, .pattern = path, .found = ret};
	_cleanup_close_ int dir = -EBADF;

	if (glob_is_pattern(pattern)) {
		g.parts = strstr(path, "**") ? 0 : strv_length(parts);
		dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return error_errno(err, "open the source");
		return walk(&g, dir, "", 0, err);
	}
	dir = rootpath_open_raw(root, path, O_PATH, 0);
	if (dir == -ENOENT || dir == -ENOTDIR)
		return 0;
	if (dir < 0)
		return error_code(err, dir, "%s", pattern);
	if (ignore && *path && ignore_matches(ignore, path, NULL)) {
		struct stat st;

		/* A folder that is left out may have something in it that came back. */
		if (fstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || ignore_prunes(ignore, path))
			return 0;
	}
	strv_append(ret, path);
	return 0;
}

static const char *like(int root, const char *path, char **ret_names_owner, char ***ret_names)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *folder =
		slash ? alloc_string_n(path, (size_t)(slash - path)) : alloc_string(".");
	_cleanup_close_ int dir = rootpath_open_raw(root, folder, O_RDONLY | O_DIRECTORY, 0);
	struct error ignored = ERROR_INIT;

	*ret_names_owner = NULL;
	if (dir < 0 || fs_list(dir, ".", ret_names, &ignored) < 0)
		return NULL;
	return str_suggest(slash ? slash + 1 : path, (const char *const *)*ret_names,
			   strv_length(*ret_names));
}

int glob_fail(const struct step *step, int root, const struct ignore *ignore, const char *path,
	      struct error *err)
{
	_cleanup_free_ char *cleaned = path_clean_inside(path), *owner = NULL;
	const char *where = step->copy.source.name ?: "the build context", *meant;
	const struct ignore_pattern *by = NULL;
	_cleanup_strv_ char **names = NULL;

	if (glob_is_pattern(path))
		return error_set(err, ENOENT, "%s: nothing in %s matches that", path, where);
	if (ignore && *cleaned && ignore_matches(ignore, cleaned, &by)) {
		_cleanup_close_ int fd = rootpath_open_raw(root, cleaned, O_PATH, 0);

		if (fd >= 0)
			return error_set(err, ENOENT,
					 "%s: it is there, but left out of %s by the rule \"%s\" "
					 "(%s:%u)",
					 path, where, by->original, ignore->name, by->line);
	}
	meant = like(root, cleaned, &owner, &names);
	return error_set(err, ENOENT, "%s: no such file in %s%s%s%s", path, where,
			 meant ? "; did you mean " : "", meant ?: "", meant ? "?" : "");
}
