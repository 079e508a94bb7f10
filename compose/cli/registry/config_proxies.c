// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/config_proxies.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/str.h"

#include "runtime/image/auth.h"

#include "compose/cli/view/output.h"
#include "compose/model/project.h"

/* The address of the engine that docker would ask, for the file may name others for others. */
#define ENGINE "unix:///var/run/docker.sock"

char *const *config_proxies(void)
{
	const char *host = getenv("DOCKER_HOST");
	struct error err = ERROR_INIT;
	static char **proxies;
	static bool known;

	if (!known && auth_proxies(host && *host ? host : ENGINE, &proxies, &err) < 0)
		output_warn("proxies: %s", err.message);
	known = true;
	return proxies;
}

void config_proxies_put(json_t *project)
{
	char *const *proxies = config_proxies();

	if (proxies)
		json_object_set_new(json_object_get(project, PROJECT_INTERNAL_KEY), "proxies",
				    json_from_strv(proxies));
}
