// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan.c - `berth plan`: what `up` would do and why, with each value that differs. Changes nothing.
 *
 * Exits with 0 when there is nothing to do, 2 when there is, 1 after an error.
 */
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/dry_run.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

#define EXIT_CHANGES 2

DEFINE_CLEANUP(struct client *, client_free);
DEFINE_CLEANUP(struct plan *, plan_free);

static bool as_json, no_deps, no_start, always_recreate_deps, renew_anon_volumes;

static const struct option options[] = {
	{"always-recreate-deps", 0, OPTION_FLAG, &always_recreate_deps, NULL,
	 "As if what the services depend on were to be made anew as well"},
	{"build", 0, OPTION_FLAG, &up_options.build, NULL,
	 "As if images were to be built before containers are started"},
	{"force-recreate", 0, OPTION_FLAG, &up_options.force_recreate, NULL,
	 "As if containers were to be made anew though nothing changed"},
	{"json", 0, OPTION_FLAG, &as_json, NULL, "For programs: operations with their causes"},
	{"no-build", 0, OPTION_FLAG, &up_options.no_build, NULL, "As if no image were to be built"},
	{"no-deps", 0, OPTION_FLAG, &no_deps, NULL,
	 "Only these services, without what they depend on"},
	{"no-recreate", 0, OPTION_FLAG, &up_options.no_recreate, NULL,
	 "As if containers that differ were to be kept"},
	{"no-start", 0, OPTION_FLAG, &no_start, NULL, "As if nothing were to be started"},
	{"ports", 0, OPTION_STRING, &up_options.ports, "string",
	 "As if published ports were auto (a taken one gets a free one) or fixed"},
	{"pull", 0, OPTION_STRING, &up_options.pull, "string",
	 "As if images were pulled so: always, missing, never, policy"},
	{"remove-orphans", 0, OPTION_FLAG, &up_options.remove_orphans, NULL,
	 "With the containers of services that left the file"},
	{"renew-anon-volumes", 'V', OPTION_FLAG, &renew_anon_volumes, NULL,
	 "With new anonymous volumes rather than those of the containers before"},
	{"scale", 0, OPTION_LIST, &up_options.scales, "stringArray",
	 "SERVICE=NUM: so many containers, whatever the file says"},
	{NULL},
};

/* Of a project that has a supervisor: the event that its dry run sends. New reference. */
static int ask_supervisor(const struct converge *converge, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_json_ json_t *arguments =
		converge_arguments(converge->project, &converge->options, true);
	int r = client_request(converge->name, CLIENT_START, REQUEST_CONVERGE, arguments, NULL, 0,
			       &client, err);

	while (r >= 0) {
		_cleanup_json_ json_t *event = NULL;
		int fds[FD_PASS_MAX];
		size_t count = 0;

		r = client_next(client, &event, fds, &count, err);
		if (r <= 0)
			break;
		if (str_equal(json_get_string(event, "event"), "plan"))
			json_incref(*ret = event);
		else if (str_equal(json_get_string(event, "event"), "warning"))
			converge_show(NULL, event);
	}
	if (r >= 0 && !*ret)
		return error_set(err, EPROTO, "the project's supervisor sent no plan");
	return r;
}

static int make_plan(const struct converge *converge, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_plan_free) struct plan *plan = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	if (client_project_known(converge->name))
		return ask_supervisor(converge, ret, err);
	r = dry_run_make(converge->project, &converge->options, &plan, err);
	if (r < 0)
		return r;
	text = plan_to_text(plan);
	*ret = json_object();
	json_put_string(*ret, "text", text);
	json_object_set_new(*ret, "operations", plan_to_json(plan));
	return 0;
}

static char *value_text(const json_t *value)
{
	if (!value || json_is_null(value))
		return strdup("(none)");
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
}

static void print_changes(const json_t *operation)
{
	const json_t *changes = json_object_get(operation, "changes");
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) {
		_cleanup_free_ char *old = value_text(json_object_get(change, "old"));
		_cleanup_free_ char *new_one = value_text(json_object_get(change, "new"));

		printf("    %s: %s -> %s\n", json_get_string(change, "field"), old, new_one);
	}
}

/* A wait alone does nothing to anybody, and an image that is looked for again may be the same. */
static size_t count_changes(const json_t *operations)
{
	json_t *operation;
	size_t i, count = 0;

	json_array_foreach(operations, i, operation)
		count += !str_equal(json_get_string(operation, "operation"), "wait") &&
			 !json_get_bool(operation, "refresh", false);
	return count;
}

/* The text has a line for each operation. */
static void print_text(const json_t *plan)
{
	const json_t *operations = json_object_get(plan, "operations");
	const char *line = json_get_string(plan, "text");
	size_t count = count_changes(operations);

	for (size_t i = 0; line && *line; i++) {
		size_t length = strcspn(line, "\n");

		printf("%.*s\n", (int)length, line);
		print_changes(json_array_get(operations, i));
		line += length + (line[length] == '\n');
	}
	if (count)
		printf("%zu operation%s; `berth up` carries them out.\n", count,
		       count == 1 ? "" : "s");
	else if (json_array_size(operations))
		puts("Nothing to do, unless an image turns out to be another one.");
	else
		puts("Nothing to do: all is as the files say.");
}

static void print_json(const struct converge *converge, const json_t *plan)
{
	const json_t *operations = json_object_get(plan, "operations");
	_cleanup_json_ json_t *json = json_object();
	_cleanup_free_ char *text = NULL;

	json_put_string(json, "project", converge->name);
	json_put_bool(json, "changes", count_changes(operations) > 0);
	json_object_set(json, "operations", (json_t *)operations);
	text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	puts(text);
}

static int show(struct project_args *args, struct converge *converge)
{
	_cleanup_json_ json_t *plan = NULL;
	struct error err = ERROR_INIT;

	converge->options.always_recreate_deps = always_recreate_deps;
	converge->options.renew_anon_volumes = renew_anon_volumes;
	converge->options.no_start = no_start;
	if (always_recreate_deps)
		converge->options.recreate_dependencies = RECREATE_FORCE;
	if (make_plan(converge, &plan, &err) < 0)
		return output_fail(args, &err);
	if (as_json)
		print_json(converge, plan);
	else
		print_text(plan);
	return count_changes(json_object_get(plan, "operations")) ? EXIT_CHANGES : 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {.verb = "plan"};
	struct project *project = NULL;
	int r;

	args->dry_run = true;
	r = up_options_prepare(args, argv, no_deps, &project, &converge);
	if (r == 0)
		r = show(args, &converge);
	up_options_done(&converge);
	project_free(project);
	return r;
}

const struct command command_plan = {
	.name = "plan",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show what up would do, and why; exit code 2 when there is something",
	.options = options,
	.max_operands = -1,
	.run = run,
};
