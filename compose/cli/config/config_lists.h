/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONFIG_CONFIG_LISTS_H
#define COMPOSE_CLI_CONFIG_CONFIG_LISTS_H

/* config_lists.h - what `config` prints instead of the project: names, hashes, variables. */

#include <jansson.h>

#include "common/error.h"

#include "compose/model/project.h"

void config_print_services(const struct project *project);
void config_print_volumes(const struct project *project);
void config_print_networks(const struct project *project);
void config_print_models(const struct project *project);
void config_print_profiles(const struct project *project);
void config_print_images(const struct project *project);
/* @wanted: names with commas between, or "*". -ENOENT: "no such service: X". */
int config_print_hashes(const struct project *project, const char *wanted, struct error *err);
/* Rows of load_variables(); @format: NULL (a table), "json" or "yaml". */
int config_print_variables(const json_t *rows, const char *format, struct error *err);

#endif
