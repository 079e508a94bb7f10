/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_TARGET_H
#define COMPOSE_CLI_ARGS_TARGET_H

/*
 * target.h - the project that a command works on, and its containers as the supervisor tells them.
 */

#include <jansson.h>

#include "common/cleanup.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/converge.h"

struct target {
	char *name;
	struct project *project; /* NULL: nothing but the name is known */
};

/* Services that are named must be in the project's files, where these are read. */
int target_open(struct project_args *args, char *const *services, struct target *ret,
		struct error *err);
void target_done(struct target *target);
#define _cleanup_target_ _cleanup_(target_done)

/*
 * The CONTAINERs (requests.h), sorted by name; empty when nobody knows the project. @services
 * (may be NULL) selects. New reference.
 */
int target_containers(const struct target *target, bool all, char *const *services, json_t **ret,
		      struct error *err);

/* The same of all, each with those fields alone that a BRIEF has: a fifth of the bytes. */
int target_containers_brief(const struct target *target, char *const *services, json_t **ret,
			    struct error *err);

/* Those of @services (NULL: all), sorted by name. New reference. */
json_t *target_sort(const json_t *containers, char *const *services);

/*
 * One container of @service: number @index, or with 0 the first that runs. @running: it has to.
 * Borrowed from @containers. The errors are docker compose's.
 */
int target_pick(const json_t *containers, const char *service, int index, bool running,
		const json_t **ret, struct error *err);

/*
 * For most commands all there is to do: finds the project and asks for @converge with its options
 * and verb, for @services. Exit code.
 */
int target_converge(struct project_args *args, char *const *services, struct converge *converge);
/* The same with a target that is open already. */
int target_converge_with(struct project_args *args, const struct target *target,
			 char *const *services, struct converge *converge);

/*
 * Waits until the containers of @services have ended. *ret_code is the exit code of the one that
 * ended last, and is left as it is where none has. @ended (may be NULL) is told of each as it ends,
 * as request `wait` has it; false: that is enough.
 */
int target_wait(const struct target *target, char *const *services,
		bool (*ended)(void *data, const json_t *event), void *data, int *ret_code,
		struct error *err);

/* "web-1": the container's name without the project's. */
const char *target_short_name(const char *project, const char *container);

bool container_is_running(const json_t *container);

#endif
