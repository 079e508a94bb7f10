/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VOLUMES_STORE_H
#define VOLUMES_STORE_H

/*
 * store.h - the store's inside, for the files that implement volume.h.
 */

#include <jansson.h>

#include "common/error.h"

#include "volumes/volume.h"

#define VOLUME_RECORD     "volume.json"
#define VOLUME_RECORD_MAX (1 << 20)

struct volume_store {
	int dir; /* BERTH_ROOT/volumes */
	char *path;
};

/* The directory of a volume; -ENOENT: there is none. Its errors do not name it. */
int store_open_volume(const struct volume_store *store, const char *name, struct error *err);
int store_read_record(int volume, json_t **ret, struct error *err);
int store_write_record(int volume, const json_t *record, struct error *err);
/* The owner and the mode that the record asks for, if it does. */
int store_own_data(int data, const json_t *record, struct error *err);

#endif
