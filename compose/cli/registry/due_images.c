// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/registry/due_images.h"

#include <string.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/str.h"

#include "compose/cli/build/build_services.h"
#include "compose/cli/registry/pull_services.h"

/* Takes @cause. */
static void add(struct due_images *due, const char *image, const char *service, bool refresh,
		char *cause)
{
	strv_take(&due->causes, cause);
	*array_add(due->items, due->count) = (struct plan_image){
		.image = image,
		.service = service,
		.refresh = refresh,
		.cause = cause,
	};
}

static char *pull_cause(const struct pull_item *item, const struct due_images_options *options)
{
	if (item->missing)
		return str_printf("no image yet%s",
				  item->buildable ? "; built if it cannot be pulled" : "");
	if (options->pull && strcmp(options->pull, "policy") != 0)
		return str_printf("--pull %s", options->pull);
	return str_printf("pull_policy: %s", item->service->pull_policy);
}

static int find_pulls(const struct project *project, const struct due_images_options *options,
		      struct due_images *due, struct error *err)
{
	const struct pull_services_options wanted = {.services = options->services,
						     .no_deps = options->no_deps};
	struct pull_services set = {0};
	int r = pull_services_select(project, &wanted, &set, err);

	for (size_t i = 0; r >= 0 && i < set.count; i++)
		add(due, set.items[i].image, NULL, !set.items[i].missing,
		    pull_cause(&set.items[i], options));
	pull_services_done(&set);
	return r;
}

static char *build_cause(const struct service *service, bool here,
			 const struct due_images_options *options)
{
	if (options->build)
		return alloc_string("--build");
	return alloc_string(here ? "pull_policy: build" : "no image yet");
}

static int find_builds(struct project *project, const struct due_images_options *options,
		       struct due_images *due, struct error *err)
{
	const struct build_services_options wanted = {.missing_only = !options->build,
						      .with_dependencies = !options->no_deps};
	struct build_due *builds = NULL;
	size_t count = 0;
	int r = build_services_due(project, options->services, &wanted, &builds, &count, err);

	for (size_t i = 0; i < count; i++) {
		const struct service *service = builds[i].service;

		/* What is pulled is here when it comes to building what is missing. */
		if (!options->build && !builds[i].here && due_images_has(due, service->image))
			continue;
		add(due, service->image, service->name, builds[i].here,
		    build_cause(service, builds[i].here, options));
	}
	free(builds);
	return r;
}

int due_images_find(struct project *project, const struct due_images_options *options,
		    struct due_images *ret, struct error *err)
{
	int r = find_pulls(project, options, ret, err);

	if (r >= 0 && !options->no_build)
		r = find_builds(project, options, ret, err);
	return r < 0 ? r : 0;
}

bool due_images_has(const struct due_images *due, const char *image)
{
	for (size_t i = 0; i < due->count; i++)
		if (str_equal(due->items[i].image, image))
			return true;
	return false;
}

void due_images_done(struct due_images *due)
{
	free(due->items);
	strv_free(due->causes);
	*due = (struct due_images){0};
}
