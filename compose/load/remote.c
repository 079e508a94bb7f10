// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/remote.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"

bool remote_is(const char *reference)
{
	return strstr(reference, "://") || str_starts_with(reference, "git@") ||
	       str_starts_with(reference, "github.com/");
}

int remote_fetch(const struct loader *l, const char *reference, char **ret_path, struct error *err)
{
	int r;

	if (!l->options->fetch)
		return error_set(err, EINVAL,
				 "%s is not on this machine, and this command fetches no projects: "
				 "get a copy and name its file",
				 reference);
	r = l->options->fetch(reference, ret_path, err);
	return r < 0 ? error_wrap(err, "%s", reference) : 0;
}

char *remote_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash > path ? alloc_string_n(path, (size_t)(slash - path)) : alloc_string("/");
}
