/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_RECORD_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_RECORD_H

/*
 * container_record.h - all that there is to know of one container: what its supervisor says of it,
 * its record on disk, the service it was made from, and its image.
 */

#include <jansson.h>

#include "runtime/image/image.h"

#include "compose/model/project.h"

struct container_record {
	const json_t *container; /* CONTAINER of requests.h with its "project"; borrowed */
	char *folder;            /* of its files: upper, work, logs */
	json_t *record;          /* compose/supervisor/state.h */
	struct project *project; /* as it was when it was made */
	struct service *service; /* in @project */
	struct image *image;     /* NULL: no longer there */
};

/* @ret is the caller's to release in either case. */
int container_record_read(const json_t *container, struct container_record *ret, struct error *err);
void container_record_done(struct container_record *record);
#define _cleanup_container_record_ _cleanup_(container_record_done)

/* The words that its program was started with; strv, borrowed from @record. NULL: none. */
char *const *container_record_entrypoint(const struct container_record *record);
char *const *container_record_command(const struct container_record *record);

#endif
