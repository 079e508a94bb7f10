/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_CHECK_CHECK_H
#define COMPOSE_LOAD_CHECK_CHECK_H

/* check.h - what only the whole project shows. */

#include "compose/load/loader.h"

/* Problems go to the loader's report. */
void check_project(struct loader *l);

#endif
