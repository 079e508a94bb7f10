/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_OVERLAY_H
#define COMMON_OVERLAY_H

/*
 * overlay.h - overlayfs's own notes in the attributes of files: "trusted.overlay.*", which only
 * the host's root may write, and "user.overlay.*" for rootless() mounts (kernel's overlayfs.rst).
 */

#include "common/error.h"

enum overlay_note {
	OVERLAY_OPAQUE,
	OVERLAY_ORIGIN,
	OVERLAY_IMPURE,
	OVERLAY_NLINK,
	OVERLAY_UUID,
	OVERLAY_NOTES,
};

const char *overlay_note(enum overlay_note note);

/* "userxattr" for mount options, or NULL. */
const char *overlay_option(void);

/* The same for an fsopen()ed file system. */
void overlay_configure(int fs);

#endif
