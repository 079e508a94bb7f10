// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "libarchive.so.13" is in the Debian package "libarchive13". */
static void package_of(const char *soname, char *package, size_t size)
{
	const char *so = strstr(soname, ".so.");

	if (so)
		snprintf(package, size, "%.*s%s", (int)(so - soname), soname, so + strlen(".so."));
	else
		snprintf(package, size, "%s", soname);
}

int dl_load(const char *soname, void **handle, const struct dl_symbol *symbols, size_t n,
	    struct error *err)
{
	char package[64];
	void *library;

	if (*handle)
		return 0;
	library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	package_of(soname, package, sizeof(package));
	if (!library)
		return error_set(err, ENOENT,
				 "%s cannot be opened; install it with: apt-get install %s", soname,
				 package);
	for (size_t i = 0; i < n; i++) {
		void *address = dlsym(library, symbols[i].name);

		if (!address) {
			dlclose(library);
			return error_set(err, ENOSYS, "%s has no %s; install a newer package %s",
					 soname, symbols[i].name, package);
		}
		memcpy(symbols[i].pointer, &address, sizeof(address));
	}
	*handle = library;
	return 0;
}

bool dl_available(const char *soname)
{
	void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);

	return handle && dlclose(handle) == 0;
}
