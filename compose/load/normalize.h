/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_NORMALIZE_H
#define COMPOSE_LOAD_NORMALIZE_H

/* normalize.h - what the file leaves to be understood. */

#include "compose/load/loader.h"

/* Names, the default network, implied dependencies. */
void normalize_project(struct loader *l);

#endif
