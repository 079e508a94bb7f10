// SPDX-License-Identifier: GPL-2.0-or-later
/* credential.c - secrets that are credentials of systemd's: where one is found. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/supervisor/translate/translate.h"

/* systemd.exec(5), LoadCredential=: where systemd itself looks for them. */
static const char *const stores[] = {"/etc/credstore", "/run/credstore", "/usr/lib/credstore"};
static const char *const sealed[] = {"/etc/credstore.encrypted", "/run/credstore.encrypted",
				     "/usr/lib/credstore.encrypted"};

/* New string, or NULL. */
static char *look(const char *folder, const char *name)
{
	_cleanup_free_ char *path = str_printf("%s/%s", folder, name);

	return access(path, R_OK) == 0 ? TAKE_PTR(path) : NULL;
}

int translate_credential(const char *name, char **ret, struct error *err)
{
	const char *own = getenv("CREDENTIALS_DIRECTORY");

	*ret = own && own[0] ? look(own, name) : NULL;
	for (size_t i = 0; !*ret && i < ARRAY_SIZE(stores); i++)
		*ret = look(stores[i], name);
	if (*ret)
		return 0;
	array_foreach(folder, sealed) {
		_cleanup_free_ char *path = look(*folder, name);

		if (path)
			return error_set(err, ENOKEY,
					 "credential %s is encrypted (%s), which only systemd can "
					 "read: make the project a unit (`berth systemd enable`, "
					 "once more if it is one) and start it by systemctl",
					 name, path);
	}
	return error_set(err, ENOENT,
			 "there is no credential %s: put it into %s/%s, or encrypt it by "
			 "`systemd-creds encrypt --name=%s - %s/%s` and `berth systemd enable` the "
			 "project",
			 name, stores[0], name, name, sealed[0], name);
}
