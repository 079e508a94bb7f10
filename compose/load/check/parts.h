/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_CHECK_PARTS_H
#define COMPOSE_LOAD_CHECK_PARTS_H

/*
 * parts.h - the checks, a file each, and what they share; inside compose/load/check only.
 *
 * A check looks at no attribute whose reading failed: what it would find there is only what was
 * told already, in other words. Where a file of the project could not be read (loader.incomplete),
 * nothing is missed that it may have: only what contradicts itself is told.
 */

#include "compose/load/loader.h"
#include "compose/model/decoder.h"

/* Reading this attribute failed, or the object as a whole did. */
bool check_is_broken(const struct loader *l, const char *kinds, const char *key,
		     const char *attribute);
/*
 * What it extends, or a file of the project, could not be read, so that an attribute that is not
 * there means nothing.
 */
bool check_is_partial(const struct loader *l, const struct service *service);
/* Where the file says the attribute; the service itself where it does not. */
const struct position *check_at_service(const struct loader *l, const struct service *service,
					const char *attribute);

/* service.c: one attribute against another. */
void check_service(struct loader *l, const struct service *service);
void check_container_names(struct loader *l);
/* references.c: names of networks, volumes, secrets, ... that nobody defined. */
void check_references(struct loader *l, const struct service *service);
/* dependencies.c */
void check_dependencies(struct loader *l, const struct service *service);
void check_cycles(struct loader *l);
/* objects.c: top-level networks, volumes, secrets, configs, models. */
void check_objects(struct loader *l);
/* unheeded.c: warns of what is right and will have no effect beside something else. */
void check_unheeded(struct loader *l, const struct service *service);
void check_unheeded_volume(struct loader *l, const struct volume *volume);

#endif
