// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd_scope.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/sha256.h"
#include "common/str.h"

#include "compose/cli/systemd/systemd_cgroup.h"
#include "compose/cli/systemd/systemd_unit.h"
#include "compose/control/requests.h"
#include "compose/control/systemd_bus.h"

/* Of the name of its control groups, so that installations with another state are apart. */
static char *scope_name(const char *project)
{
	_cleanup_free_ char *base = paths_cgroup_base(project);

	for (char *p = base; *p; p++)
		if (*p == '/')
			*p = '-';
	return str_printf("%s.scope", base);
}

static int enter(const char *scope, const char *description, struct error *err)
{
	struct systemd_bus *bus = NULL;
	int r = systemd_bus_open(geteuid() != 0 || rootless(), &bus, err);

	if (r >= 0)
		r = systemd_bus_scope(bus, scope, NULL, description, getpid(), err);
	systemd_bus_close(bus);
	return r;
}

void systemd_scope_enter(const char *project)
{
	_cleanup_free_ char *scope = NULL, *description = NULL;
	struct error err = ERROR_INIT;

	if (!systemd_booted() || systemd_cgroup_delegated())
		return;
	scope = scope_name(project);
	description = str_printf("Compose project %s", project);
	if (enter(scope, description, &err) < 0)
		log_warning("project %s: it has no scope of its own: %s", project, err.message);
}

void systemd_scope_enter_holder(void)
{
	_cleanup_free_ char *scope = NULL;
	const char *given = getenv("BERTH_RUNTIME_DIR");
	struct error ignored = ERROR_INIT;
	char hex[SHA256_HEX_SIZE];

	if (!systemd_booted())
		return;
	sha256_of(paths_runtime(), strlen(paths_runtime()), hex);
	scope = given && *given ? str_printf("berth.%.8s-namespaces.scope", hex)
				: alloc_string(SYSTEMD_HOLDER_SCOPE);
	(void)enter(scope, "Namespaces of this user's containers", &ignored);
}
