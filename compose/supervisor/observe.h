/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_OBSERVE_H
#define COMPOSE_SUPERVISOR_OBSERVE_H

/*
 * observe.h - what there is: facts for the plan, rows for `ps`, labels.
 */

#include <jansson.h>

#include "compose/plan/plan.h"
#include "compose/supervisor/supervisor.h"

/* Everything in it belongs to observe_facts_free() or, for strings, to the supervisor. */
struct observed;

/*
 * @model: the project that is asked for (its images, its external networks and volumes), or NULL.
 * Looks images up anew.
 */
int observe_facts(struct supervisor *supervisor, const struct model *model, const char *request_id,
		  struct observed **ret, struct error *err);
const struct facts *observed_facts(const struct observed *observed);
void observed_free(struct observed *observed);

/* An image by id or name, from memory after the first time; borrowed until the next facts. */
const struct image *observe_image(struct supervisor *supervisor, const char *name,
				  struct error *err);
/* The image of a service, for its platform: as above. */
const struct image *observe_service_image(struct supervisor *supervisor,
					  const struct service *service, struct error *err);
void observe_forget_images(struct supervisor *supervisor);

/* Whether a network or volume of these labels is the project's. */
bool observe_is_ours(const struct supervisor *supervisor, const json_t *labels);
/* All labels of a container as `docker inspect` shows them: image, service, compose's own. */
json_t *observe_labels(const struct instance *instance);
/* Those of the image and of the file alone; new reference. */
json_t *observe_own_labels(const struct instance *instance);
/*
 * What a container mounts, volumes_from included, as rows {type, name, source, destination, rw}
 * (observe_mounts.c).
 */
json_t *observe_mounts(const struct instance *instance);
/* Reply of the request `ps`, with its arguments. */
json_t *observe_containers(struct supervisor *supervisor, bool all, bool brief);
/* Labels that mark a network (@kind "network") or volume as the project's. */
json_t *observe_object_labels(const struct supervisor *supervisor, const char *kind,
			      const char *key, const char *hash, const struct mapping *own);
/* The pairs as they are; new, NULL: there are none. */
json_t *observe_strings(const struct mapping *mapping);

#endif
