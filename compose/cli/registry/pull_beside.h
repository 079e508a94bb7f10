/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_PULL_BESIDE_H
#define COMPOSE_CLI_REGISTRY_PULL_BESIDE_H

/*
 * pull_beside.h - pulls missing images while the supervisor starts what needs none of them.
 *
 * Nothing starts before the registries have answered for every image: a name that is wrong is an
 * error before anything happens. From then on the request `converge` names the images as coming,
 * whoever follows it polls by pull_beside_poll(), and each image is told of as it arrives.
 */

#include <jansson.h>
#include <poll.h>

#include "compose/cli/args/project_args.h"
#include "compose/cli/client.h"
#include "compose/cli/registry/pull_services.h"
#include "compose/cli/view/progress.h"

struct pull_beside;

/*
 * Pulls @set, until all is here that cannot wait (what is here already and may be replaced by a
 * newer one; what is built where it cannot be pulled), and the rest is on its way. *ret is NULL
 * when nothing is. Exit code; errors are printed.
 */
int pull_beside_begin(struct project_args *args, const struct pull_services *set, const char *verb,
		      bool quiet, struct pull_beside **ret);
/* What is not here yet is given up. The progress is somebody else's by then. */
void pull_beside_free(struct pull_beside *beside);

/* The caller's from now on, to be freed after @beside. */
struct progress *pull_beside_progress(struct pull_beside *beside);
/* No layers any more. */
void pull_beside_be_brief(struct pull_beside *beside);

/* New array of names; NULL with @beside NULL. */
json_t *pull_beside_coming(const struct pull_beside *beside);
bool pull_beside_has(const struct pull_beside *beside, const char *image);

/* As poll(), and goes on with the pulls meanwhile. @beside may be NULL. */
void pull_beside_poll(struct pull_beside *beside, struct pollfd *fds, size_t count,
		      int timeout_msec);
/* Tells the supervisor what it does not know yet. @beside may be NULL. */
void pull_beside_tell(struct pull_beside *beside, struct client *client);
/* The next client's request is another one, which was told nothing yet. */
void pull_beside_tell_anew(struct pull_beside *beside);

#endif
