/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_INSPECT_INSPECT_PARTS_H
#define COMPOSE_CLI_INSPECT_INSPECT_PARTS_H

/*
 * inspect_parts.h - a container in the shape of docker's `inspect` (Engine API, ContainerInspect).
 * Keys that docker always has are always there, for templates to ask for them.
 */

#include "compose/cli/container/container_record.h"

/* The whole. @size: with SizeRw and SizeRootFs. New reference. */
json_t *inspect_container(const struct container_record *record, bool size);

/* Its parts; new references. */
json_t *inspect_config(const struct container_record *record);
json_t *inspect_host_config(const struct container_record *record);
json_t *inspect_network_settings(const struct container_record *record);
json_t *inspect_mounts(const struct container_record *record);

/* {"80/tcp": null} of all that it has, or publishes. New reference. */
json_t *inspect_exposed(const struct container_record *record, json_t *(*value)(void));

/* Sets an array of strings, or null where docker has that for an empty one. */
void inspect_put_list(json_t *object, const char *key, char *const *list);
/* Sets a text, "" for NULL. */
void inspect_put_text(json_t *object, const char *key, const char *text);
/* "80/tcp"; new string. */
char *inspect_port(const struct port *port);

#endif
