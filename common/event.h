/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_EVENT_H
#define COMMON_EVENT_H

/*
 * event.h - sd_event, of a libsystemd that only who has a loop opens; its objects as locals that
 * release themselves.
 *
 * libsystemd brings five more libraries with it, and a client never has a loop. A source belongs to
 * who made it and is dropped disabled: another reference (the loop's own, while it dispatches) must
 * not call a handler whose data is gone.
 */

#include <systemd/sd-event.h>

#include "common/cleanup.h"
#include "common/error.h"

/*
 * Opens the library. sd_event_new() does so by itself, but cannot say what is missing. -ENOENT: it
 * is not installed.
 */
int event_load(struct error *err);

DEFINE_CLEANUP(sd_event *, sd_event_unref);
DEFINE_CLEANUP(sd_event_source *, sd_event_source_disable_unref);

#define _cleanup_event_        _cleanup_(cleanup_sd_event_unref)
#define _cleanup_event_source_ _cleanup_(cleanup_sd_event_source_disable_unref)

/* Drops the source at *@source and forgets it; for members of a struct. */
static inline void event_source_drop(sd_event_source **source)
{
	*source = sd_event_source_disable_unref(*source);
}

#endif
