// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/overlay.h"

#include <sys/mount.h>

#include "common/cleanup.h"
#include "common/rootless.h"

const char *overlay_note(enum overlay_note note)
{
	static const char *const names[][2] = {
		[OVERLAY_OPAQUE] = {"trusted.overlay.opaque", "user.overlay.opaque"},
		[OVERLAY_ORIGIN] = {"trusted.overlay.origin", "user.overlay.origin"},
		[OVERLAY_IMPURE] = {"trusted.overlay.impure", "user.overlay.impure"},
		[OVERLAY_NLINK] = {"trusted.overlay.nlink", "user.overlay.nlink"},
		[OVERLAY_UUID] = {"trusted.overlay.uuid", "user.overlay.uuid"},
	};

	return names[note][rootless()];
}

const char *overlay_option(void)
{
	return rootless() ? "userxattr" : NULL;
}

void overlay_configure(int fs)
{
	if (overlay_option())
		(void)fsconfig(fs, FSCONFIG_SET_FLAG, overlay_option(), NULL, 0);
}
