/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_PULL_SERVICES_H
#define COMPOSE_CLI_REGISTRY_PULL_SERVICES_H

/*
 * pull_services.h - which images of a project are to be pulled, by pull_policy and what is here.
 */

#include <stdbool.h>

#include "runtime/image/pull.h"

#include "compose/model/project.h"

struct pull_item {
	const struct service *service; /* the first that wants it */
	const char *image;             /* its own, or one that it has mounted */
	const char *platform;          /* NULL: this machine's */
	enum pull_policy policy;
	char *other;             /* the platform that is here of it instead, or NULL */
	bool missing;            /* nothing of that name is here */
	bool buildable;          /* when it cannot be pulled, it can be built */
	struct pull_image *pull; /* pull_run.c's */
};

struct pull_skip {
	const char *image;
	char *why;
};

struct pull_services {
	struct pull_item *items;
	size_t count;
	struct pull_skip *skips; /* of what was asked for: worth a line each */
	size_t skip_count;
};

struct pull_services_options {
	char *const *services; /* NULL or empty: all */
	bool no_deps;
	bool explicitly; /* `pull`: what is here is asked for again, unless the policy says no */
	bool missing_only;
	bool ignore_buildable;
};

/* Items point into @project. pull_services_done() releases. */
int pull_services_select(const struct project *project, const struct pull_services_options *options,
			 struct pull_services *ret, struct error *err);
void pull_services_done(struct pull_services *set);

/* For up, create and run: --pull instead of what the file says; NULL and "policy": as it says. */
void pull_services_override(struct project *project, const char *policy);

/* "daily", "weekly", "every_12h", or "refresh" with pull_refresh_after: microseconds; 0: another.
 */
int64_t pull_services_period_usec(const struct service *service);

#endif
