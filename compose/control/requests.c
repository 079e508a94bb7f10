// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/requests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/sha256.h"
#include "common/str.h"

#define DEFAULT_ROOT "/var/lib/berth"

static bool is_system(void)
{
	return geteuid() == 0 && !rootless();
}

static char *home_root(void)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	/* The XDG specification says to ignore a relative path. */
	if (data && data[0] == '/')
		return str_printf("%s/berth", data);
	return str_printf("%s/.local/share/berth", home && home[0] == '/' ? home : "");
}

char *paths_user_runtime(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (runtime && runtime[0] == '/')
		return alloc_string(runtime);
	return str_printf("/run/user/%u", (unsigned int)rootless_uid());
}

static char *home_runtime(void)
{
	_cleanup_free_ char *runtime = paths_user_runtime();

	return str_printf("%s/berth", runtime);
}

/* Relative to where the first caller stands: the keeper, which changes to /, gets it absolute. */
static char *absolute(const char *path)
{
	_cleanup_free_ char *here = NULL;

	if (path[0] == '/')
		return alloc_string(path);
	here = getcwd(NULL, 0);
	return str_printf("%s/%s", here ? here : "", path);
}

const char *paths_root(void)
{
	static char *root;
	const char *given = getenv("BERTH_ROOT");

	if (root)
		return root;
	if (given && given[0])
		root = absolute(given);
	else
		root = is_system() ? alloc_string(DEFAULT_ROOT) : home_root();
	return root;
}

const char *paths_runtime(void)
{
	static char *runtime;
	const char *given = getenv("BERTH_RUNTIME_DIR");

	if (runtime)
		return runtime;
	if (given && given[0])
		runtime = absolute(given);
	else
		runtime = is_system() ? alloc_string("/run/berth") : home_runtime();
	return runtime;
}

char *paths_project_runtime(const char *project)
{
	return str_printf("%s/projects/%s", paths_runtime(), project);
}

char *paths_project_state(const char *project)
{
	return str_printf("%s/projects/%s", paths_root(), project);
}

char *paths_control_socket(const char *project)
{
	return str_printf("%s/projects/%s/control.sock", paths_runtime(), project);
}

char *paths_cgroup_base(const char *project)
{
	char hex[SHA256_HEX_SIZE];
	const char *root = paths_root();

	if (!strcmp(root, DEFAULT_ROOT))
		return str_printf("berth/%s", project);
	sha256_of(root, strlen(root), hex);
	return str_printf("berth.%.8s/%s", hex, project);
}
