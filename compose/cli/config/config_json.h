/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONFIG_CONFIG_JSON_H
#define COMPOSE_CLI_CONFIG_CONFIG_JSON_H

/*
 * config_json.h - what `config --format json` has otherwise than the YAML.
 *
 * docker compose's two forms of one project differ where Go's encoders do: its JSON has no x- keys
 * below the project's own, block devices have keys with a capital letter, and what is 0 in a pair
 * of limits is left out.
 */

#include <jansson.h>

/* Of a canonical project (project_to_json), in place. */
void config_json_forms(json_t *project);

#endif
