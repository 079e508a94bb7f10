// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"
#include "compose/cli/run/attached.h"
#include "compose/cli/timeline/timeline.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"
#include "compose/cli/watch/watch_rules.h"

static bool detach, wait, no_deps, no_start, always_recreate_deps, renew_anon_volumes;
static bool abort_on_exit, abort_on_failure, attach_dependencies;
static bool no_color, no_log_prefix, timestamps, watch;
static bool menu, menu_given;
static const char *exit_code_from, *timeline;
static char **attach, **no_attach;
static int wait_timeout;

static const struct option options[] = {
	{"abort-on-container-exit", 0, OPTION_FLAG, &abort_on_exit, NULL,
	 "When one container ends, stop all"},
	{"abort-on-container-failure", 0, OPTION_FLAG, &abort_on_failure, NULL,
	 "When one container fails, stop all"},
	{"always-recreate-deps", 0, OPTION_FLAG, &always_recreate_deps, NULL,
	 "Make what the services depend on anew as well"},
	{"attach", 0, OPTION_LIST, &attach, "stringArray",
	 "Show the output of these services only"},
	{"attach-dependencies", 0, OPTION_FLAG, &attach_dependencies, NULL,
	 "Show the output of what they depend on, too"},
	{"build", 0, OPTION_FLAG, &up_options.build, NULL, "Build images first"},
	{"detach", 'd', OPTION_FLAG, &detach, NULL, "Return once they are started"},
	{"exit-code-from", 0, OPTION_STRING, &exit_code_from, "string",
	 "Exit with this service's code; stops all when one container ends"},
	{"force-recreate", 0, OPTION_FLAG, &up_options.force_recreate, NULL,
	 "Make containers anew though nothing changed"},
	{"menu", 0, OPTION_FLAG, &menu, NULL,
	 "Take keys while attached: d leaves all running, w watches (on; --menu=false)",
	 &menu_given},
	{"no-attach", 0, OPTION_LIST, &no_attach, "stringArray",
	 "Leave out the output of these services"},
	{"no-build", 0, OPTION_FLAG, &up_options.no_build, NULL,
	 "Never build, whatever pull_policy says"},
	{"no-color", 0, OPTION_FLAG, &no_color, NULL, "No colours"},
	{"no-deps", 0, OPTION_FLAG, &no_deps, NULL,
	 "Only these services, without what they depend on"},
	{"no-log-prefix", 0, OPTION_FLAG, &no_log_prefix, NULL,
	 "Lines without the container's name"},
	{"no-recreate", 0, OPTION_FLAG, &up_options.no_recreate, NULL,
	 "Keep containers that are there, though they differ"},
	{"no-start", 0, OPTION_FLAG, &no_start, NULL, "Make the containers and leave it at that"},
	{"ports", 0, OPTION_STRING, &up_options.ports, "string",
	 "auto: a published port that is taken gets a free one; fixed: as the file says"},
	{"pull", 0, OPTION_STRING, &up_options.pull, "string",
	 "When to pull: always, missing or never"},
	{"quiet-build", 0, OPTION_FLAG, &up_options.quiet_build, NULL, "No output of builds"},
	{"quiet-pull", 0, OPTION_FLAG, &up_options.quiet_pull, NULL, "No progress while pulling"},
	{"remove-orphans", 0, OPTION_FLAG, &up_options.remove_orphans, NULL,
	 "Also remove containers of services that left the file"},
	{"renew-anon-volumes", 'V', OPTION_FLAG, &renew_anon_volumes, NULL,
	 "New anonymous volumes rather than those of the containers before"},
	{"scale", 0, OPTION_LIST, &up_options.scales, "stringArray",
	 "SERVICE=NUM: so many containers, whatever the file says"},
	{"timeline", 0, OPTION_STRING, &timeline, "file",
	 "Draw what the start took its time for into this SVG file"},
	{"timeout", 't', OPTION_INT, &up_options.timeout, "int",
	 "Seconds until what does not stop is killed (default: stop_grace_period)",
	 &up_options.timeout_given},
	{"timestamps", 0, OPTION_FLAG, &timestamps, NULL, "With the time of each line"},
	{"wait", 0, OPTION_FLAG, &wait, NULL,
	 "Return once all run, or are healthy where they have a check"},
	{"wait-timeout", 0, OPTION_INT, &wait_timeout, "int",
	 "Give up waiting after so many seconds"},
	{"watch", 'w', OPTION_FLAG, &watch, NULL,
	 "Bring changed files into containers meanwhile, as `develop.watch` says"},
	{"yes", 'y', OPTION_FLAG, &up_options.yes, NULL, "Answer yes to every question"},
	{NULL},
};

static int check(struct error *err)
{
	bool attached_only =
		attach_dependencies || abort_on_exit || abort_on_failure || attach || watch;

	if (exit_code_from)
		abort_on_exit = attached_only = true;
	if (wait && attached_only)
		return error_set(err, EINVAL,
				 "--wait cannot be combined with --abort-on-container-exit, "
				 "--abort-on-container-failure, --attach, --attach-dependencies or "
				 "--watch");
	if (detach && attached_only)
		return error_set(err, EINVAL,
				 "--detach cannot be combined with --abort-on-container-exit, "
				 "--abort-on-container-failure, --attach, --attach-dependencies or "
				 "--watch");
	if (attach && attach_dependencies)
		return error_set(err, EINVAL, "cannot combine --attach and --attach-dependencies");
	if (always_recreate_deps && up_options.no_recreate)
		return error_set(err, EINVAL,
				 "--always-recreate-deps and --no-recreate are incompatible");
	if (abort_on_failure && abort_on_exit)
		return error_set(err, EINVAL,
				 "--abort-on-container-failure cannot be combined with "
				 "--abort-on-container-exit");
	if (wait_timeout < 0)
		return error_set(err, EINVAL, "--wait-timeout must be a non-negative integer");
	return 0;
}

/* `attach: false` in the file is --no-attach. */
static void add_unattached(const struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (project->services[i].attach == TRI_FALSE &&
		    !strv_contains(attach, project->services[i].name))
			strv_append(&no_attach, project->services[i].name);
}

static int check_attached(const struct project *project, struct error *err)
{
	if (exit_code_from && !project_service(project, exit_code_from))
		return project_no_such_service(project, exit_code_from, err);
	if (converge_check_services(project, attach, err) < 0)
		return -err->code;
	return converge_check_services(project, no_attach, err);
}

/* Keys are for who sits in front of it: not for a job in the background. */
static bool wants_menu(void)
{
	const char *variable = getenv("COMPOSE_MENU");
	bool wanted = menu_given                ? menu
		      : variable && variable[0] ? project_args_switch("COMPOSE_MENU")
						: true;

	return wanted && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* Whose lines are shown. NULL: everybody's. */
static char **services_shown(const struct project *project, char *const *services)
{
	struct map selected = {0};
	char **names = NULL;

	if (attach || !services || !services[0])
		return strv_dup(attach);
	if (!attach_dependencies)
		return strv_dup(services);
	project_select(project, services, no_deps, &selected);
	map_foreach(entry, &selected)
		strv_append(&names, entry->key);
	map_done(&selected, NULL);
	return names;
}

/* For whose end `up` waits: those that were asked for, or else those that are shown. */
static char **services_awaited(const struct project *project, char *const *services,
			       char *const *shown)
{
	char **names = NULL;

	if (services && services[0])
		return strv_dup(services);
	for (size_t i = 0; i < project->service_count; i++) {
		const char *name = project->services[i].name;

		if ((!shown || strv_contains(shown, name)) && !strv_contains(no_attach, name))
			strv_append(&names, name);
	}
	return names;
}

static int run_attached(struct project_args *args, struct project *project,
			struct converge *converge, char **services)
{
	_cleanup_strv_ char **shown = services_shown(project, services), **awaited = NULL;
	struct watch_rules rules = {0};
	struct attached_options attached = {
		.abort_on_exit = abort_on_exit,
		.abort_on_failure = abort_on_failure,
		.exit_code_from = exit_code_from,
		.menu = wants_menu(),
		.watch = watch,
		.timeline = timeline,
		.watched = project,
		.services = services,
	};
	struct log_session session = {
		.project = converge->name,
		.shown = shown,
		.printer =
			{
				.prefix = !no_log_prefix,
				.timestamps = timestamps,
				.color = !no_color && output_color(args, STDOUT_FILENO),
			},
	};
	struct error err = ERROR_INIT;
	int r;

	if (check_attached(converge->project, &err) < 0 ||
	    (watch && watch_rules_read(project, services, &rules, &err) < 0)) {
		watch_rules_done(&rules);
		return output_fail(args, &err);
	}
	watch_rules_done(&rules);
	add_unattached(converge->project);
	session.not_shown = no_attach;
	awaited = services_awaited(project, services, shown);
	session.awaited = awaited;
	r = attached_run(args, converge, &session, &attached);
	log_session_done(&session);
	return r;
}

static int run_detached(struct project_args *args, struct converge *converge)
{
	int r = converge_run(args, converge);

	if (timeline && !args->dry_run &&
	    timeline_save(args, converge->name, timeline, converge->begun_nsec) != 0)
		return r ?: 1;
	return r;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "up", .may_pull_beside = true, .begun_nsec = units_now_nsec()};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (check(&err) < 0)
		return output_fail(args, &err);
	r = up_options_prepare(args, argv, no_deps, &project, &converge);
	if (r == 0) {
		converge.options.always_recreate_deps = always_recreate_deps;
		converge.options.renew_anon_volumes = renew_anon_volumes;
		converge.options.no_start = no_start;
		converge.options.wait = wait;
		converge.wait_timeout_usec = (int64_t)wait_timeout * (int64_t)USEC_PER_SEC;
		if (always_recreate_deps)
			converge.options.recreate_dependencies = RECREATE_FORCE;
		r = detach || wait || no_start || args->dry_run
			    ? run_detached(args, &converge)
			    : run_attached(args, project, &converge, argv);
	}
	up_options_done(&converge);
	project_free(project);
	return r;
}

const struct command command_up = {
	.name = "up",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Bring the project up: make what is missing, change what differs, start it",
	.options = options,
	.max_operands = -1,
	.run = run,
};
