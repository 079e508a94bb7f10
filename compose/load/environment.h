/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_ENVIRONMENT_H
#define COMPOSE_LOAD_ENVIRONMENT_H

/* environment.h - values that come from files and from the client's environment. */

#include "compose/load/loader.h"

/* env_file and environment variables into services, secrets and configs. */
int environment_resolve(struct loader *l, struct error *err);

#endif
