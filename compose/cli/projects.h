/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PROJECTS_H
#define COMPOSE_CLI_PROJECTS_H

/*
 * projects.h - what all projects of this machine need of the image store.
 */

#include "runtime/image/image.h"

#include "compose/control/projects.h"

/*
 * The containers of all projects and the images they were made of and have mounted, running or
 * not. A project whose records cannot be read is an error: it may use any of them.
 */
extern const struct image_users projects_image_users;

#endif
