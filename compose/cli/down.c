// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/map.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/build/build_network.h"
#include "compose/cli/command.h"
#include "compose/cli/companions.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/ports_auto.h"
#include "compose/cli/projects.h"
#include "compose/cli/view/output.h"

static bool remove_orphans, volumes, timeout_given;
static const char *rmi;
static int timeout;

static const struct option options[] = {
	{"remove-orphans", 0, OPTION_FLAG, &remove_orphans, NULL,
	 "Also remove containers of services that left the file"},
	{"rmi", 0, OPTION_STRING, &rmi, "string",
	 "Also remove the services' images: all, or only the local ones that have no image: of "
	 "their own"},
	{"timeout", 't', OPTION_INT, &timeout, "int",
	 "Seconds until what does not stop is killed (default: stop_grace_period)", &timeout_given},
	{"volumes", 'v', OPTION_FLAG, &volumes, NULL,
	 "Also remove the project's volumes, with their data"},
	{NULL},
};

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct progress *, progress_free);

/* An image that somebody else needs stays, and saying so is enough. */
static void remove_image(struct image_store *store, const char *name, struct progress *progress)
{
	_cleanup_free_ char *id = str_printf("Image %s", name);
	_cleanup_strv_ char **removed = NULL;
	struct error err = ERROR_INIT;
	int r;

	progress_set(progress, id, PROGRESS_WORKING, "Removing", "");
	r = image_remove(store, name, false, &projects_image_users, &removed, &err);
	if (r >= 0)
		progress_set(progress, id, PROGRESS_DONE, "Removed", "");
	else if (r == -ENOENT)
		progress_set(progress, id, PROGRESS_WARNING, "Warning",
			     "No resource found to remove");
	else if (r == -EBUSY)
		progress_set(progress, id, PROGRESS_WARNING, "Resource is still in use", "");
	else
		progress_set(progress, id, PROGRESS_WARNING, "Error", err.message);
}

/* "local" concerns images that `build` named; those of `image:` have a tag of their own. */
static int remove_images(struct project_args *args, const struct project *project)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_progress_free) struct progress *progress = NULL;
	struct error err = ERROR_INIT;
	struct map seen = {0};

	if (!project || strcmp(rmi, "all") != 0 || args->dry_run)
		return 0;
	if (store_here_open(&store, &err) < 0)
		return output_fail(args, &err);
	progress = progress_new(args, "down");
	for (size_t i = 0; i < project->service_count; i++) {
		char *image = project->services[i].image;

		if (!image || map_get(&seen, image))
			continue;
		map_set(&seen, image, image);
		remove_image(store, image, progress);
	}
	map_done(&seen, NULL);
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;
	struct converge converge = {.verb = "down", .options = {.goal = PLAN_DOWN}};
	int r;

	if (rmi && strcmp(rmi, "local") != 0 && strcmp(rmi, "all") != 0) {
		error_set(&err, EINVAL, "invalid value for --rmi: \"%s\"", rmi);
		return output_fail(args, &err);
	}
	if (target_open(args, argv, &target, &err) < 0)
		return output_fail(args, &err);
	converge.name = target.name;
	converge.project = target.project;
	converge.options.services = argc ? (const char *const *)argv : NULL;
	converge.options.by_label = !target.project;
	converge.options.volumes = volumes;
	converge.options.remove_orphans =
		remove_orphans || project_args_switch("COMPOSE_REMOVE_ORPHANS");
	converge.options.timeout_usec = converge_timeout_usec(timeout_given, timeout);
	r = converge_run(args, &converge);
	if (r == 0 && !args->dry_run)
		build_network_sweep();
	if (r == 0 && target.project && !args->dry_run &&
	    companions_down(target.project, argv, &err) < 0)
		return output_fail(args, &err);
	if (r == 0 && volumes && !argc && !args->dry_run)
		ports_auto_forget(target.name, target.project ? target.project->working_dir : NULL);
	if (converge.nothing && !rmi)
		fprintf(stderr, "Warning: No resource found to remove for project \"%s\".\n",
			target.name);
	return r == 0 && rmi ? remove_images(args, target.project) : r;
}

const struct command command_down = {
	.name = "down",
	.operands = "[OPTIONS] [SERVICES]",
	.summary = "Stop and remove all of a project but its volumes",
	.options = options,
	.max_operands = -1,
	.run = run,
};
