/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_SELECT_H
#define COMPOSE_LOAD_SELECT_H

/* select.h - which services take part. */

#include "compose/load/loader.h"

/* Profiles, the chosen services, and no resource that nobody uses. */
int select_services(struct loader *l, struct error *err);

#endif
