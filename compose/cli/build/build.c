// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/map.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/build/build_bake.h"
#include "compose/cli/build/build_services.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/registry/push_run.h"
#include "compose/cli/view/output.h"

static char **build_args, **ssh;
static const char *memory, *builder, *progress, *provenance, *sbom;
static bool no_cache, pull, push, quiet, check, print, with_dependencies, compress, force_rm, no_rm,
	parallel;

static const struct option options[] = {
	{"build-arg", 0, OPTION_LIST, &build_args, "stringArray", "NAME=VALUE for ARG"},
	{"builder", 0, OPTION_STRING, &builder, "string", NULL},
	{"check", 0, OPTION_FLAG, &check, NULL, "Only look for what is wrong"},
	{"compress", 0, OPTION_FLAG, &compress, NULL, NULL},
	{"force-rm", 0, OPTION_FLAG, &force_rm, NULL, NULL},
	{"memory", 'm', OPTION_STRING, &memory, "bytes", "What a step may use"},
	{"no-cache", 0, OPTION_FLAG, &no_cache, NULL, "Do every step anew"},
	{"no-rm", 0, OPTION_FLAG, &no_rm, NULL, NULL},
	{"parallel", 0, OPTION_FLAG, &parallel, NULL, NULL},
	{"print", 0, OPTION_FLAG, &print, NULL, "Print what would be built, as JSON"},
	{"progress", 0, OPTION_STRING, &progress, "string", NULL},
	{"provenance", 0, OPTION_STRING, &provenance, "string",
	 "true, mode=min or mode=max: say in the images' index what they were made of"},
	{"pull", 0, OPTION_FLAG, &pull, NULL, "Ask for newer base images"},
	{"push", 0, OPTION_FLAG, &push, NULL, "Send the images to their registries"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Print the images' ids and nothing else"},
	{"sbom", 0, OPTION_STRING, &sbom, "string", NULL},
	{"ssh", 0, OPTION_LIST, &ssh, "stringArray",
	 "default or ID=SOCKET: an ssh agent for steps"},
	{"with-dependencies", 0, OPTION_FLAG, &with_dependencies, NULL,
	 "Also what the services depend on"},
	{NULL},
};

/* All names of what is built. */
static char **names_of(struct project *project, char *const *services,
		       const struct build_services_options *o)
{
	char **names = NULL;
	struct map selected = {0};

	build_services_select(project, services, o, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;

		if (!service->build.given)
			continue;
		if (!strv_contains(names, service->image))
			strv_append(&names, service->image);
		strv_foreach(tag, service->build.tags)
			if (!strv_contains(names, tag))
				strv_append(&names, tag);
	}
	map_done(&selected, NULL);
	return names;
}

static int build_and_push(struct project_args *args, struct project *project, char *const *services,
			  const struct build_services_options *o)
{
	const struct push_run_options wanted = {.quiet = quiet};
	_cleanup_strv_ char **names = NULL;
	int r = build_services(args, project, services, o);

	if (r != 0 || !push || check)
		return r;
	names = names_of(project, services, o);
	return names ? push_run(args, names, &wanted) : 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	const struct build_services_options o = {.build_args = build_args,
						 .ssh = ssh,
						 .memory = memory,
						 .no_cache = no_cache,
						 .pull = pull,
						 .quiet = quiet,
						 .print_ids = quiet,
						 .all_platforms = true,
						 .check = check,
						 .provenance = provenance,
						 .sbom = sbom,
						 .with_dependencies = with_dependencies};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (build_check_builder(builder, &err) < 0 ||
	    build_set_progress(args, progress, &err) < 0 ||
	    project_args_load(args, argv, &project, &err) < 0)
		return output_fail(args, &err);
	if (build_services_check(project, &err) < 0) {
		project_free(project);
		return output_fail(args, &err);
	}
	build_services_name(project);
	if (print || args->dry_run) {
		build_bake_print(project, argv, &o);
		r = 0;
	} else if (client_check_privileges(project->name, &err) < 0) {
		r = output_fail(args, &err);
	} else {
		r = build_and_push(args, project, argv, &o);
	}
	project_free(project);
	return r;
}

const struct command command_build = {
	.name = "build",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Build the images of services from their Dockerfiles",
	.options = options,
	.max_operands = -1,
	.run = run,
};
