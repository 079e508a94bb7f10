// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/systemd/systemd_unit.h"

Test(systemd_unit, dropin_words_are_quoted)
{
	char *files[] = {"/a/b:c \"d\".yaml", "/e%f\\g.yaml", NULL};
	const struct systemd_place place = {.folder = "/srv/my shop 100%", .files = files};
	_cleanup_free_ char *text = systemd_unit_dropin(&place);

	cr_expect(strstr(text, "RequiresMountsFor=\"/srv/my shop 100%%\"\n"), "%s", text);
	cr_expect(strstr(text, "\nWorkingDirectory=-/srv/my shop 100%%\n"), "%s", text);
	/* One of the paths has a colon: another separator, and the variable that says so. */
	cr_expect(strstr(text, "\nEnvironment=\"COMPOSE_FILE=/a/b:c \\\"d\\\".yaml;"
			       "/e%%f\\\\g.yaml\"\n"),
		  "%s", text);
	cr_expect(strstr(text, "\nEnvironment=\"COMPOSE_PATH_SEPARATOR=;\"\n"), "%s", text);
	cr_expect(!strstr(text, "BERTH_ROOT"));
}

Test(systemd_unit, template_is_in_parts)
{
	_cleanup_free_ char *system = systemd_unit_template("/usr/bin/berth", false);
	_cleanup_free_ char *user = systemd_unit_template("/home/x y/berth", true);

	cr_expect(str_starts_with(system, SYSTEMD_UNIT_MARK));
	cr_expect(strstr(system, "\nExecStart=/usr/bin/berth systemd run %i\n"), "%s", system);
	cr_expect(strstr(system, "\nAfter=network-online.target local-fs.target "), "%s", system);
	cr_expect(strstr(user, "\nExecStop=\"/home/x y/berth\" systemd stop %i\n"), "%s", user);
	cr_expect(!strstr(user, "network-online"), "%s", user);
	cr_expect(strstr(user, "\nWantedBy=default.target\n"), "%s", user);
}
