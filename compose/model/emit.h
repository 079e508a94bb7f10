/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_EMIT_H
#define COMPOSE_MODEL_EMIT_H

/*
 * emit.h - the canonical project as `docker compose config` prints it, byte for byte: YAML as
 * Go's yaml.v3 writes it with an indent of 2, JSON as Go's encoding/json. What a
 * project has not (command, ipam, ...) is null or {} in the JSON and nothing in the YAML. Each "$"
 * is doubled, so that the output is a file that gives the same project again.
 */

#include <jansson.h>
#include <stdio.h>

/* 0 or -errno of the stream. */
int config_render_yaml(const json_t *canonical, FILE *out);
int config_render_json(const json_t *canonical, FILE *out);
/* What load_model() gives, whose dollars are those of the file: they stay single. */
int config_render_model_json(const json_t *model, FILE *out);
/* The same, or any other mapping: sorted. */
int config_render_value_yaml(const json_t *value, FILE *out);

#endif
