// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/build_services.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/output.h"
#include "compose/cli/project_args.h"

static char **build_args, **ssh;
static const char *memory, *builder, *provenance, *sbom;
static bool no_cache, pull, push, quiet, check, print, with_dependencies, compress, force_rm, no_rm;

static const struct option options[] = {
	{"build-arg", 0, OPTION_LIST, &build_args, "stringArray", "NAME=VALUE for ARG"},
	{"builder", 0, OPTION_STRING, &builder, "string", NULL},
	{"check", 0, OPTION_FLAG, &check, NULL, "Only look for what is wrong"},
	{"compress", 0, OPTION_FLAG, &compress, NULL, NULL},
	{"force-rm", 0, OPTION_FLAG, &force_rm, NULL, NULL},
	{"memory", 'm', OPTION_STRING, &memory, "bytes", "What a step may use"},
	{"no-cache", 0, OPTION_FLAG, &no_cache, NULL, "Do every step anew"},
	{"no-rm", 0, OPTION_FLAG, &no_rm, NULL, NULL},
	{"print", 0, OPTION_FLAG, &print, NULL, "Print what would be built, as JSON"},
	{"provenance", 0, OPTION_STRING, &provenance, "string", NULL},
	{"pull", 0, OPTION_FLAG, &pull, NULL, "Ask for newer base images"},
	{"push", 0, OPTION_FLAG, &push, NULL, NULL},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "No output of the builds"},
	{"sbom", 0, OPTION_STRING, &sbom, "string", NULL},
	{"ssh", 0, OPTION_LIST, &ssh, "stringArray",
	 "default or ID=SOCKET: an ssh agent for steps"},
	{"with-dependencies", 0, OPTION_FLAG, &with_dependencies, NULL,
	 "Also what the services depend on"},
	{NULL},
};

/* The form of a bake file, as docker compose prints it. */
static void print_plan(const struct project *project, char *const *services)
{
	_cleanup_json_ json_t *plan = json_object();
	json_t *targets = json_object(), *names = json_array();
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		json_t *target;

		if (!service->build.given ||
		    (services && services[0] && !strv_contains(services, service->name)))
			continue;
		target = json_object();
		json_put_string(target, "context", service->build.context);
		json_put_string(target, "dockerfile", service->build.dockerfile);
		json_put_string(target, "dockerfile-inline", service->build.dockerfile_inline);
		json_put_string(target, "target", service->build.target);
		json_object_set_new(target, "tags", json_pack("[s]", service->image));
		json_object_set_new(targets, service->name, target);
		json_array_append_new(names, json_string(service->name));
	}
	json_object_set_new(plan, "group", json_pack("{s:{s:o}}", "default", "targets", names));
	json_object_set_new(plan, "target", targets);
	text = json_dumps(plan, JSON_INDENT(2));
	puts(text);
}

static int refuse(struct error *err)
{
	if (push)
		return error_set(err, ENOTSUP, "--push: build, and then run \"berth push\"");
	if (provenance && strcmp(provenance, "false") != 0)
		return error_set(err, ENOTSUP, "--provenance: berth makes no attestations");
	if (sbom && strcmp(sbom, "false") != 0)
		return error_set(err, ENOTSUP, "--sbom: berth makes no attestations");
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	const struct build_services_options o = {.build_args = build_args,
						 .ssh = ssh,
						 .memory = memory,
						 .no_cache = no_cache,
						 .pull = pull,
						 .quiet = quiet,
						 .check = check,
						 .with_dependencies = with_dependencies};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (refuse(&err) < 0 || project_args_load(args, argv, &project, &err) < 0)
		return output_fail(args, &err);
	build_services_name(project);
	if (print || args->dry_run) {
		print_plan(project, argv);
		r = 0;
	} else if (client_check_privileges(project->name, &err) < 0) {
		r = output_fail(args, &err);
	} else {
		r = build_services(args, project, argv, &o);
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
