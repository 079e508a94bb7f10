/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_INCLUDE_H
#define COMPOSE_LOAD_INCLUDE_H

/* include.h - projects that a project is made of. */

#include "compose/load/loader.h"

/* Puts *@document on top of what it includes. */
int include_apply(struct scope *scope, struct node **document, struct error *err);

#endif
