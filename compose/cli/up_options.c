// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/up_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/cli/build/build_services.h"
#include "compose/cli/companions.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/registry/images_here.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/registry/pull_services.h"
#include "compose/cli/remote/remote_confirm.h"
#include "compose/cli/view/output.h"

#define REPLICAS_MAX 100000

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

struct up_options up_options;

int up_options_check(struct error *err)
{
	const struct up_options *o = &up_options;

	if (o->build && o->no_build)
		return error_set(err, EINVAL, "--build and --no-build are incompatible");
	if (o->force_recreate && o->no_recreate)
		return error_set(err, EINVAL,
				 "--force-recreate and --no-recreate are incompatible");
	if (o->pull && strcmp(o->pull, "always") != 0 && strcmp(o->pull, "missing") != 0 &&
	    strcmp(o->pull, "never") != 0 && strcmp(o->pull, "policy") != 0)
		return error_set(err, EINVAL, "invalid --pull option \"%s\"", o->pull);
	if (o->remove_orphans && project_args_switch("COMPOSE_IGNORE_ORPHANS"))
		return error_set(err, EINVAL,
				 "COMPOSE_IGNORE_ORPHANS and --remove-orphans cannot be combined");
	return 0;
}

static int parse_scale(const struct project *project, const char *text, struct plan_scale *ret,
		       struct error *err)
{
	const char *equals = strrchr(text, '=');
	_cleanup_free_ char *name = equals ? alloc_string_n(text, (size_t)(equals - text)) : NULL;
	const struct service *service;
	char *end;
	long n;

	if (!equals || equals == text)
		return error_set(err, EINVAL,
				 "invalid --scale option \"%s\". Should be SERVICE=NUM", text);
	errno = 0;
	n = strtol(equals + 1, &end, 10);
	if (end == equals + 1 || *end || errno || n < 0 || n > REPLICAS_MAX)
		return error_set(err, EINVAL,
				 "invalid --scale option \"%s\". Should be SERVICE=NUM", text);
	service = project_service(project, name);
	if (!service)
		return project_no_such_service(project, name, err);
	if (n > 1 && service->container_name)
		return error_set(err, EINVAL,
				 "service %s: its container_name (%s) is one name, so it cannot be "
				 "scaled to %ld; remove container_name",
				 name, service->container_name, n);
	*ret = (struct plan_scale){service->name, (unsigned int)n};
	return 0;
}

static int put_scales(const struct project *project, struct plan_options *options,
		      struct error *err)
{
	struct plan_scale *scales =
		new_array(struct plan_scale, strv_length(up_options.scales) + 1);

	options->scales = scales;
	strv_foreach(text, up_options.scales) {
		int r = parse_scale(project, text, &scales[options->scale_count], err);

		if (r < 0)
			return r;
		options->scale_count++;
	}
	return 0;
}

/* A secret or config made of a variable: the supervisor does not have our environment. */
static int fill_in(struct file_object *objects, size_t count, const char *kind, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *value;

		if (!objects[i].environment || objects[i].content)
			continue;
		value = getenv(objects[i].environment);
		if (!value)
			return error_set(err, ENOENT,
					 "environment variable \"%s\" required by %s \"%s\" is not "
					 "set",
					 objects[i].environment, kind, objects[i].key);
		objects[i].content = alloc_string(value);
	}
	return 0;
}

static int prepare(struct project_args *args, char *const *services, struct project **ret_project,
		   struct converge *ret, struct error *err)
{
	const struct up_options *o = &up_options;
	struct project *project;
	int r = project_args_load(args, services, ret_project, err);

	if (r < 0)
		return r;
	project = *ret_project;
	companions_leave_out_socket(project);
	r = remote_confirm(args, project, o->yes, err);
	if (r < 0)
		return r;
	if (!args->dry_run && client_check_privileges(project->name, err) < 0)
		return -err->code;
	ret->name = project->name;
	ret->project = project;
	ret->options.goal = PLAN_UP;
	ret->options.services = services && services[0] ? (const char *const *)services : NULL;
	ret->options.remove_orphans =
		o->remove_orphans || project_args_switch("COMPOSE_REMOVE_ORPHANS");
	ret->options.recreate = o->force_recreate ? RECREATE_FORCE
				: o->no_recreate  ? RECREATE_NEVER
						  : RECREATE_DIVERGED;
	/* Forcing concerns those that were asked for; their dependencies only when they differ. */
	ret->options.recreate_dependencies = o->no_recreate ? RECREATE_NEVER : RECREATE_DIVERGED;
	ret->options.timeout_usec = converge_timeout_usec(o->timeout_given, o->timeout);
	if (fill_in(project->secrets, project->secret_count, "secret", err) < 0 ||
	    fill_in(project->configs, project->config_count, "config", err) < 0)
		return -err->code;
	r = put_scales(project, &ret->options, err);
	return r < 0 ? r : ports_auto_apply(project, o->ports, args->dry_run, &ret->ports, err);
}

/* A build's screen is its own, and what it is built on may be among the images. */
static bool builds_something(const struct project *project)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct error ignored = ERROR_INIT;

	if (up_options.no_build || store_here_open(&store, &ignored) < 0)
		return false;
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		_cleanup_(cleanup_image_free) struct image *here = NULL;

		if (service->build.given &&
		    (up_options.build ||
		     image_find_platform(store, service->image, service->platform, &here,
					 &ignored) < 0))
			return true;
		error_clear(&ignored);
	}
	return false;
}

/*
 * What its pull_policy asks for, or is missing: before anything starts, but for images that can
 * come beside.
 */
static int pull_due(struct project_args *args, const struct project *project, char *const *services,
		    bool no_deps, struct converge *converge)
{
	const struct pull_services_options wanted = {.services = services, .no_deps = no_deps};
	struct pull_services set = {0};
	struct error err = ERROR_INIT;
	int r;

	r = pull_services_select(project, &wanted, &set, &err);
	if (r < 0)
		r = output_fail(args, &err);
	else if (!converge->may_pull_beside || !set.count || builds_something(project))
		r = pull_run(args, &set, "pull", up_options.quiet_pull, false);
	else
		r = pull_beside_begin(args, &set, converge->verb, up_options.quiet_pull,
				      &converge->beside);
	pull_services_done(&set);
	return r;
}

static int get_images(struct project_args *args, struct project *project, char *const *services,
		      bool no_deps, struct converge *converge)
{
	const struct build_services_options build = {.quiet = up_options.quiet_build,
						     .missing_only = !up_options.build,
						     .with_dependencies = !no_deps};
	int r = pull_due(args, project, services, no_deps, converge);

	return r || up_options.no_build ? r : build_services(args, project, services, &build);
}

static int would_get_images(struct project *project, char *const *services, bool no_deps,
			    struct converge *converge, struct error *err)
{
	const struct due_images_options wanted = {
		.services = services,
		.no_deps = no_deps,
		.build = up_options.build,
		.no_build = up_options.no_build,
		.pull = up_options.pull,
	};
	int r = due_images_find(project, &wanted, &converge->due, err);

	converge->options.images = converge->due.items;
	converge->options.image_count = converge->due.count;
	return r;
}

int up_options_images(struct project_args *args, struct project *project, char *const *services,
		      bool no_deps, struct converge *converge)
{
	_cleanup_free_ char *report = NULL;
	struct error err = ERROR_INIT;
	int r;

	build_services_name(project);
	pull_services_override(project, up_options.pull);
	if (args->dry_run && would_get_images(project, services, no_deps, converge, &err) < 0)
		return output_fail(args, &err);
	r = args->dry_run ? 0 : get_images(args, project, services, no_deps, converge);
	if (r != 0)
		return r;
	if (images_here_check(args, project, services, no_deps, converge, &report, &err) >= 0)
		return 0;
	if (!report)
		return output_fail(args, &err);
	return output_fail_text(args, report);
}

int up_options_prepare(struct project_args *args, char *const *services, bool no_deps,
		       struct project **ret_project, struct converge *ret)
{
	struct error err = ERROR_INIT;

	if (up_options_check(&err) < 0 || prepare(args, services, ret_project, ret, &err) < 0)
		return output_fail(args, &err);
	ret->options.no_deps = no_deps;
	if (!args->dry_run && companions_up(*ret_project, services, &err) < 0)
		return output_fail(args, &err);
	return up_options_images(args, *ret_project, services, no_deps, ret);
}

void up_options_done(struct converge *converge)
{
	free((void *)converge->options.scales);
	converge->options.scales = NULL;
	pull_beside_free(TAKE_PTR(converge->beside));
	ports_auto_free(TAKE_PTR(converge->ports));
	due_images_done(&converge->due);
	converge->options.image_count = 0;
}
