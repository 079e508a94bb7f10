// SPDX-License-Identifier: GPL-2.0-or-later
/* sysctls.c - `sysctls`: the kernel's settings of which a container has its own. */
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/model/project.h"

static bool is_ipc(const char *key)
{
	static const char *const names[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	array_foreach(name, names)
		if (!strcmp(key, *name))
			return true;
	return str_starts_with(key, "fs.mqueue.");
}

const char *service_sysctl_refusal(const struct service *service, const char *key)
{
	_cleanup_free_ char *name = alloc_string(key);
	const char *mode = NULL;

	/* "net/ipv4/ip_forward": whichever separator comes first is the one between names. */
	for (char *c = name; name[strcspn(name, "./")] == '/' && *c; c++)
		*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
	if (!strcmp(name, "kernel.hostname"))
		return "is what `hostname` sets";
	if (str_starts_with(name, "net."))
		mode = service->network_mode;
	else if (is_ipc(name))
		mode = service->ipc;
	else if (!strcmp(name, "kernel.domainname"))
		mode = service->uts;
	else
		return "is not in a separate kernel namespace: it is the whole machine's, to be "
		       "set there";
	return str_equal(mode, "host") ? "is the host's, which the service shares" : NULL;
}
