/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_TRANSLATE_CHECK_IMAGE_H
#define COMPOSE_SUPERVISOR_TRANSLATE_CHECK_IMAGE_H

/*
 * check_image.h - what a service wants of the files in its image: users, programs, and places that
 * can be mounted on.
 *
 * An image that is not here yet is not looked at, and a path only where nothing is mounted that it
 * may lead into.
 */

#include "compose/supervisor/translate/check.h"

int check_image_of(struct check_room *room, const struct check_wish *wish, struct error *err);
void image_trees_done(struct check_room *room);

#endif
