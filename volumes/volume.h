/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VOLUMES_VOLUME_H
#define VOLUMES_VOLUME_H

/*
 * volume.h - named volumes: a directory of data and a small record beside it.
 *
 *     volumes/NAME/_data, volumes/NAME/volume.json
 *
 * A volume exists once its directory bears its final name. What failed before that leaves only
 * a ".new-*" directory, which the next volume_store_open() sweeps.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

struct volume_store;

struct volume_options {
	const char *driver;        /* NULL or "local" */
	const json_t *driver_opts; /* type, o, device; object of strings or NULL */
	const json_t *labels;      /* object of strings or NULL */
	bool anonymous;
	/* Of the folder, also once it was filled; without driver_opts only. */
	bool owned, has_mode;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

struct volume_info {
	char *name, *driver;
	json_t *driver_opts, *labels;
	int64_t created_nsec;
	bool anonymous;
	char *mountpoint; /* path of _data */
};

int volume_store_open(const char *root, struct volume_store **ret, struct error *err);
void volume_store_close(struct volume_store *store);

/* -EINVAL: not a valid name. -EEXIST: there is one already. */
int volume_create(struct volume_store *store, const char *name,
		  const struct volume_options *options, struct error *err);
/* -ENOENT: no such volume. volume_info_free(). */
int volume_inspect(struct volume_store *store, const char *name, struct volume_info **ret,
		   struct error *err);
void volume_info_free(struct volume_info *info);
int volume_list(struct volume_store *store, struct volume_info ***ret, size_t *ret_count,
		struct error *err);
/* Whether it was made for one container alone, and goes with it. */
bool volume_is_anonymous(struct volume_store *store, const char *name);
/* Another has it as well: from now on it goes with nobody. */
int volume_keep(struct volume_store *store, const char *name, struct error *err);
/* -ENOENT; the caller has made sure that nobody uses it. Renamed away first, then emptied. */
int volume_remove(struct volume_store *store, const char *name, struct error *err);

bool volume_exists(struct volume_store *store, const char *name);
/*
 * Held by who makes a container, from before its volumes are looked for until its record is
 * there: none is removed as unused meanwhile. An fd, the caller's to close.
 */
int volume_hold(struct volume_store *store, struct error *err);
/* 0: nobody uses volume @name. Asked under the lock that volume_hold() waits for. */
typedef int volume_check_unused(void *data, const char *name, struct error *err);
/* As volume_remove(), once @check has returned 0; else its error. */
int volume_remove_unused(struct volume_store *store, const char *name, volume_check_unused *check,
			 void *data, struct error *err);

/* How a volume is mounted. */
struct volume_mount_options {
	bool read_only;
	const char *subpath; /* inside _data; must exist, no link leads out. NULL: the root */
};

/*
 * A detached mount of the volume's data (driver_opts mounted when it has some). The error does
 * not name the volume: the caller knows what the user calls it. A network file system is waited
 * for.
 */
int volume_mount(struct volume_store *store, const char *name,
		 const struct volume_mount_options *options, struct error *err);

/*
 * Fills a new and empty volume from @source_fd (a directory: the image's tree at the mount's
 * target), with owners, modes, times, links, xattrs. Runs in the calling process: call it from a
 * job. Does nothing when the volume has something in it or was filled before (the record says).
 */
int volume_populate(struct volume_store *store, const char *name, int source_fd, struct error *err);
/* True when volume_populate() would have something to do: cheap, for deciding on a job. */
bool volume_wants_populating(struct volume_store *store, const char *name);

#endif
