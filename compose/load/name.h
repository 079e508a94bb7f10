/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_NAME_H
#define COMPOSE_LOAD_NAME_H

/* name.h - what the project is called. */

#include "compose/load/loader.h"
#include "compose/tree/yaml.h"

/* -p or COMPOSE_PROJECT_NAME; leaves l->name NULL when neither is there. */
int name_from_outside(struct loader *l, struct error *err);
/* By -p, COMPOSE_PROJECT_NAME, the last `name:`, or the folder. */
int name_project(struct loader *l, const struct yaml_documents *documents, size_t count,
		 struct error *err);

#endif
