// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd_scope.h"

#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"

#include "compose/cli/systemd_cgroup.h"
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

void systemd_scope_enter(const char *project)
{
	_cleanup_free_ char *scope = NULL, *description = NULL;
	struct systemd_bus *bus = NULL;
	struct error err = ERROR_INIT;

	if (!systemd_booted() || systemd_cgroup_delegated())
		return;
	scope = scope_name(project);
	description = str_printf("Compose project %s", project);
	if (systemd_bus_open(geteuid() != 0 || rootless(), &bus, &err) < 0 ||
	    systemd_bus_scope(bus, scope, NULL, description, getpid(), &err) < 0)
		log_warning("project %s: it has no scope of its own: %s", project, err.message);
	systemd_bus_close(bus);
}
