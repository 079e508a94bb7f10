/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_DISCOVERY_H
#define COMPOSE_LOAD_DISCOVERY_H

/* discovery.h - which files make the project, and in which folder it lives. */

#include "compose/load/loader.h"

/* Fills files and directory, and reads the variables, which may name the files. */
int discovery_run(struct loader *l, struct error *err);

#endif
