/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_VOLUMES_H
#define COMPOSE_SUPERVISOR_CONVERGE_VOLUMES_H

/*
 * volumes.h - the operations on volumes, and how a new one is filled from an image.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct converge;
struct image;
struct instance;
struct operation;

int volumes_create(struct converge *converge, const struct operation *operation, struct error *err);
/* 1: a task does it. */
int volumes_remove(struct converge *converge, size_t index, struct error *err);

/* Whether a volume of @instance is new, and its image has files for it. */
bool volumes_want_populating(const struct instance *instance, const struct image *image);
/*
 * The work of a task, with its instance and image. Containers that share a volume are made side by
 * side: one fills it, the others find it full.
 */
int volumes_populate(void *task, struct error *err);

#endif
