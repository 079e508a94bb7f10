// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/machine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/client.h"
#include "compose/cli/converge.h"
#include "compose/cli/keeper_start.h"
#include "compose/cli/projects.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

#define LABELS "com.docker.compose."

char *single_project(const char *container)
{
	return str_printf(SINGLE_PREFIX "%s", container);
}

bool single_is(const char *project)
{
	return str_starts_with(project, SINGLE_PREFIX);
}

/* What a project's containers are labelled with means nothing where there is no project. */
static void drop_labels(json_t *container)
{
	json_t *labels = json_object_get(container, "labels"), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(labels, next, key, value)
	{
		if (str_starts_with(key, LABELS))
			json_object_del(labels, key);
	}
}

static int add_project(const char *project, bool all, json_t *list, struct error *err)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:b}", "all", all), *reply = NULL;
	json_t *container;
	size_t i;
	int r;

	/* Without a supervisor nothing of it runs. */
	if (!all && !keeper_runs(project))
		return 0;
	r = client_call(project, CLIENT_START_FOR_STATE, REQUEST_PS, arguments, &reply, err);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	json_array_foreach(json_object_get(reply, "containers"), i, container) {
		json_put_string(container, "project", project);
		if (single_is(project))
			drop_labels(container);
		json_array_append(list, container);
	}
	return r < 0 ? r : 0;
}

/* Whether its container was given another name since. */
static bool was_renamed(const char *project, const char *container)
{
	_cleanup_json_ json_t *containers = json_array();
	struct error none = ERROR_INIT;
	json_t *found;

	return client_project_known(project) &&
	       add_project(project, true, containers, &none) >= 0 && json_array_size(containers) &&
	       machine_pick(containers, container, &found, &none) < 0;
}

char *single_project_new(const char *container)
{
	char *project = single_project(container);

	for (int i = 2; was_renamed(project, container); i++) {
		free(project);
		project = str_printf(SINGLE_PREFIX "%s.%d", container, i);
	}
	return project;
}

static int newest_first(const void *a, const void *b)
{
	int64_t left = json_get_int(*(json_t *const *)a, "created", 0);
	int64_t right = json_get_int(*(json_t *const *)b, "created", 0);

	return left < right ? 1 : left > right ? -1 : 0;
}

static json_t *sorted(const json_t *list)
{
	size_t count = json_array_size(list);
	_cleanup_free_ json_t **rows = new_array(json_t *, count + 1);
	json_t *result = json_array();

	for (size_t i = 0; i < count; i++)
		rows[i] = json_array_get(list, i);
	qsort(rows, count, sizeof(*rows), newest_first);
	for (size_t i = 0; i < count; i++)
		json_array_append(result, rows[i]);
	return result;
}

int machine_containers(bool all, json_t **ret, struct error *err)
{
	_cleanup_strv_ char **projects = NULL;
	_cleanup_json_ json_t *list = json_array();

	if (projects_list(&projects, err) < 0)
		return -err->code;
	strv_foreach(project, projects) {
		struct error why = ERROR_INIT;

		if (add_project(project, all, list, &why) < 0)
			output_warn("project %s: %s", project, why.message);
	}
	*ret = sorted(list);
	return 0;
}

static int not_there(const char *name, struct error *err)
{
	return error_set(err, ENOENT, "No such container: %s", name);
}

int machine_pick(const json_t *containers, const char *name, json_t **ret, struct error *err)
{
	json_t *container, *found = NULL;
	size_t i, matches = 0;

	json_array_foreach(containers, i, container) {
		const char *id = json_get_string(container, "id") ?: "";

		if (str_equal(json_get_string(container, "name"), name) || !strcmp(id, name)) {
			*ret = container;
			return 0;
		}
		if (name[0] && str_starts_with(id, name)) {
			found = container;
			matches++;
		}
	}
	if (matches > 1)
		return error_set(err, EINVAL,
				 "%s is the beginning of %zu containers' ids: give more of it",
				 name, matches);
	*ret = found;
	return found ? 0 : not_there(name, err);
}

int machine_find(const char *name, json_t **ret, struct error *err)
{
	_cleanup_free_ char *project = single_project(name);
	_cleanup_json_ json_t *own = json_array(), *containers = NULL;
	struct error none = ERROR_INIT;
	json_t *found = NULL;

	*ret = NULL;
	/* Who has it in its own name is asked alone; it may have got another one since. */
	if (!strchr(name, '/') && client_project_known(project) &&
	    add_project(project, true, own, err) < 0)
		return -err->code;
	if (machine_pick(own, name, &found, &none) < 0 &&
	    (machine_containers(true, &containers, err) < 0 ||
	     machine_pick(containers, name, &found, err) < 0))
		return -err->code;
	*ret = json_incref(found);
	return 0;
}

int machine_converge_one(struct project_args *args, const json_t *container,
			 const struct plan_options *options)
{
	const char *service = json_get_string(container, "service");
	const char *services[] = {service, NULL};
	const char *ids[] = {json_get_string(container, "id"), NULL};
	struct converge converge = {
		.name = json_get_string(container, "project"),
		.options = *options,
		.verb = "container",
	};

	converge.options.services = services;
	converge.options.containers = ids;
	converge.options.by_label = true;
	converge.options.no_deps = true;
	return converge_run(args, &converge);
}

int machine_converge(struct project_args *args, char *const *names,
		     const struct plan_options *options)
{
	int exit_code = 0;

	if (!args->dry_run)
		args->progress = "quiet";
	strv_foreach(name, names) {
		_cleanup_json_ json_t *container = NULL;
		struct error err = ERROR_INIT;

		if (machine_find(name, &container, &err) < 0) {
			output_fail(args, &err);
			exit_code = 1;
		} else if (machine_converge_one(args, container, options) != 0) {
			exit_code = 1;
		} else if (!args->dry_run) {
			puts(name);
		}
	}
	return exit_code;
}
