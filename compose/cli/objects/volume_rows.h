/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_OBJECTS_VOLUME_ROWS_H
#define COMPOSE_CLI_OBJECTS_VOLUME_ROWS_H

/*
 * volume_rows.h - a volume as a row of a list.
 */

#include <jansson.h>

#include "volumes/volume.h"

extern const char *const volume_columns[];

/* With the words that templates of docker know. New reference. */
json_t *volume_row(const struct volume_info *info);

#endif
