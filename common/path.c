// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/path.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

/* The parts that count, between slashes. */
static char *join_clean(const char *path, bool absolute)
{
	_cleanup_strv_ char **kept = NULL, **pieces = strv_split(path, "/");
	size_t n = 0;

	strv_foreach(piece, pieces) {
		if (!strcmp(piece, "."))
			continue;
		if (strcmp(piece, "..")) {
			strv_append(&kept, piece);
			n++;
		} else if (n && strcmp(kept[n - 1], "..")) {
			free(TAKE_PTR(kept[--n]));
		} else if (!absolute) {
			strv_append(&kept, piece);
			n++;
		}
	}
	return strv_join(kept, "/");
}

char *path_clean(const char *path)
{
	_cleanup_free_ char *joined = NULL;
	bool absolute = *path == '/';

	/* What is too long is no file's name, whatever it means. */
	if (strlen(path) > PATH_MAX)
		return alloc_string(path);
	joined = join_clean(path, absolute);
	if (!absolute && !*joined)
		return alloc_string(".");
	return str_printf("%s%s", absolute ? "/" : "", joined);
}

char *path_clean_inside(const char *path)
{
	return join_clean(path, true);
}

const char *path_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
