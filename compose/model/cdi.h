/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_CDI_H
#define COMPOSE_MODEL_CDI_H

/*
 * cdi.h - a specification of the Container Device Interface (CDI SPEC.md), in YAML or JSON, as a
 * JSON object of any contents: who uses it looks at what there is.
 */

#include <jansson.h>

#include "common/error.h"

/* New reference. A file of more than 4 MiB, or one that is no mapping, is an error. */
int cdi_read(const char *path, json_t **ret, struct error *err);

#endif
