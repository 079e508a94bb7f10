/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_MODELS_H
#define COMPOSE_SUPERVISOR_MODELS_H

/*
 * models.h - projects as clients had them accepted, counted in memory and written down below
 * accepted/ (state.h) for as long as a container is made from them.
 */

#include <jansson.h>

#include "compose/supervisor/supervisor.h"

/* Takes @json (internal canonical form) as the project; counted. */
int model_accept(struct supervisor *supervisor, const json_t *json, struct model **ret,
		 struct error *err);
/* The same for what one container is to be made from, while the project stays what it is. */
int model_accept_oneoff(struct supervisor *supervisor, const json_t *json, struct model **ret,
			struct error *err);
/* A model from an accepted project, without making it the current one. */
int model_parse(struct supervisor *supervisor, const json_t *json, struct model **ret,
		struct error *err);
/* The one written down as @hash. */
int model_load(struct supervisor *supervisor, const char *hash, struct model **ret,
	       struct error *err);
void model_make_current(struct supervisor *supervisor, struct model *model);
struct model *model_ref(struct model *model);
void model_unref(struct supervisor *supervisor, struct model *model);

/* Removes the accepted projects that no container was made from any more. */
void models_sweep(struct supervisor *supervisor);

#endif
