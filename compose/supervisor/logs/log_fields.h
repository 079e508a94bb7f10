/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_LOGS_LOG_FIELDS_H
#define COMPOSE_SUPERVISOR_LOGS_LOG_FIELDS_H

/*
 * log_fields.h - what the journal is told of a container with each of its lines: docker's fields
 * (CONTAINER_NAME, CONTAINER_TAG, ...), COM_DOCKER_COMPOSE_* and BERTH_PROJECT, BERTH_SERVICE.
 */

#include "common/error.h"

struct instance;

/* NAME=VALUE, the caller's. -EINVAL: the option tag has something that we do not know. */
int log_fields_of(const struct instance *instance, char ***ret, struct error *err);

/*
 * "com.docker.compose.project": COM_DOCKER_COMPOSE_PROJECT, as docker names fields. New string; ""
 * where nothing would be left.
 */
char *log_field_name(const char *key);

#endif
