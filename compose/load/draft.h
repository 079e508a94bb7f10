/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_DRAFT_H
#define COMPOSE_LOAD_DRAFT_H

/*
 * draft.h - the merged files with ${...} left as it is: `config --no-interpolate`.
 *
 * As docker compose does it: keys sorted, short forms in their long ones where no variable hides
 * which form it is, paths absolute, names and the default network filled in. Values stay as they
 * are written, for they need not be of any form yet.
 */

#include <jansson.h>

#include "compose/load/loader.h"

/* Of l->root; new reference. */
json_t *draft_model(struct loader *l);

#endif
