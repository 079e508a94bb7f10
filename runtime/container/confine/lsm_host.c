// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/container/confine/lsm.h"

#define ENABLED      "/sys/module/apparmor/parameters/enabled"
#define PROFILES     "/sys/kernel/security/apparmor/profiles"
#define SELINUX      "/sys/fs/selinux/enforce"
#define PROFILES_MAX (4 << 20)

bool lsm_has_apparmor(void)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	return fs_read(AT_FDCWD, ENABLED, PROFILES_MAX, &text, NULL, &ignored) >= 0 &&
	       text[0] == 'Y';
}

bool lsm_has_selinux(void)
{
	return access(SELINUX, F_OK) == 0;
}

int lsm_apparmor_profile(const char *name)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	size_t length = strlen(name);
	char *rest, *line;

	if (fs_read(AT_FDCWD, PROFILES, PROFILES_MAX, &text, NULL, &err) < 0)
		return -err.code;
	rest = text;
	/* "docker-default (enforce)" */
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, name, length) == 0 && str_starts_with(line + length, " ("))
			return 1;
	return 0;
}
