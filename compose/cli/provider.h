/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PROVIDER_H
#define COMPOSE_CLI_PROVIDER_H

/*
 * provider.h - services that another program provides: `TYPE compose --project-name P up|stop|down
 * --OPTION=VALUE SERVICE`, which says on its standard output, a JSON object a line, what it does
 * and which variables those that depend on it get (docker compose's docs/extension.md).
 *
 * `TYPE compose metadata` may say which options each of these takes: then only those are given, and
 * one that is required has to be there. A program that says nothing gets all.
 */

#include "common/error.h"

#include "compose/model/project.h"

/* Puts what it says into the services that depend on it. May take long. */
int provider_up(struct project *project, const struct service *service, struct error *err);
/* Only of a program whose metadata has `stop`; others stay as they are. */
int provider_stop(const struct project *project, const struct service *service, struct error *err);
int provider_down(const struct project *project, const struct service *service, struct error *err);

/* "my-db" and "URL": MY_DB_URL; new string. */
char *provider_variable(const char *name, const char *suffix);
void provider_put_variable(struct service *service, const char *key, const char *value);

#endif
