/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_TRANSLATE_MOUNTS_H
#define COMPOSE_SUPERVISOR_TRANSLATE_MOUNTS_H

/*
 * mounts.h - what the files of translate/ that make mounts share, and what `inspect` tells of them.
 */

#include "compose/supervisor/translate/translate.h"

/*
 * A service's mount as it is in one container: with the container's number and name filled in, and
 * a host path without what a path can do without.
 */
struct own_mount {
	struct mount mount;     /* borrows from the service's, and from below */
	char *source, *subpath; /* may be NULL */
};

/* @of may be NULL: nothing is filled in. */
void own_mount_init(struct own_mount *ret, const struct instance *of, const struct mount *mount);
void own_mount_done(struct own_mount *own);

/* Of a mount of a volume: its name on this machine; borrowed. NULL: it was never made. */
const char *mount_volume_name(const struct project *project, const struct mapping *anonymous,
			      const struct mount *mount);

/* Whether the service itself has something at @target, among `volumes` or `tmpfs`. */
bool service_mounts(const struct service *service, const char *target);

/* @volume: the name of a volume, NULL for other mounts. All lives only for the call. */
typedef int shared_mount_fn(void *data, const struct mount *mount, const char *volume,
			    bool read_only, struct error *err);

/*
 * Calls @visit for what "SERVICE[:ro]" or "container:NAME[:ro]" mounts, until it returns an error.
 * Targets may come that the container has already: they are for @visit to pass over.
 */
int volumes_from_visit(struct supervisor *supervisor, const char *text, shared_mount_fn *visit,
		       void *data, struct error *err);

/* Secrets and configs. */
int translate_files(struct translation *translation, struct error *err);
/* Whether they are where they are to come from. */
int translate_check_files(const struct project *project, const struct service *service,
			  struct error *err);

#endif
