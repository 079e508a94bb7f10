/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_RECORD_H
#define COMPOSE_SUPERVISOR_INSTANCE_RECORD_H

/*
 * record.h - a container as it stands in its record.json: a member each way. Where that lies, and
 * when it is written, is state.h's.
 */

#include <jansson.h>

#include "compose/supervisor/instance/instance.h"

json_t *record_of(const struct instance *instance);
/*
 * Fills an empty @instance (instance_new()). What was written in another boot is a container that
 * does not run. -EINVAL: it is no record of ours.
 */
int record_read(struct instance *instance, const json_t *record, struct error *err);

#endif
