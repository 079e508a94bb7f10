// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/target.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct client *, client_free);

int target_open(struct project_args *args, char *const *services, struct target *ret,
		struct error *err)
{
	*ret = (struct target){0};
	return project_args_load_or_name(args, services && services[0] ? services : NULL,
					 &ret->project, &ret->name, err);
}

void target_done(struct target *target)
{
	project_free(target->project);
	free(target->name);
	*target = (struct target){0};
}

static int by_name(const void *a, const void *b)
{
	const char *left = json_get_string(*(json_t *const *)a, "name");
	const char *right = json_get_string(*(json_t *const *)b, "name");

	return strcmp(left ? left : "", right ? right : "");
}

json_t *target_sort(const json_t *containers, char *const *services)
{
	size_t count = json_array_size(containers), used = 0;
	_cleanup_free_ json_t **list = new_array(json_t *, count + 1);
	json_t *result = json_array(), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		const char *service = json_get_string(container, "service");

		if (!services || !services[0] || (service && strv_contains(services, service)))
			list[used++] = container;
	}
	qsort(list, used, sizeof(*list), by_name);
	for (i = 0; i < used; i++)
		json_array_append(result, list[i]);
	return result;
}

static int ask(const struct target *target, const json_t *arguments, char *const *services,
	       json_t **ret, struct error *err)
{
	_cleanup_json_ json_t *reply = NULL;
	int r;

	r = client_call(target->name, CLIENT_START_FOR_STATE, REQUEST_PS, arguments, &reply, err);
	if (r == -ENOENT) {
		error_clear(err);
		*ret = json_array();
		return 0;
	}
	if (r < 0)
		return r;
	*ret = target_sort(json_object_get(reply, "containers"), services);
	return 0;
}

int target_containers(const struct target *target, bool all, char *const *services, json_t **ret,
		      struct error *err)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:b}", "all", all);

	return ask(target, arguments, services, ret, err);
}

int target_containers_brief(const struct target *target, char *const *services, json_t **ret,
			    struct error *err)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:b, s:b}", "all", 1, "brief", 1);

	return ask(target, arguments, services, ret, err);
}

bool container_is_running(const json_t *container)
{
	const char *state = json_get_string(container, "state");

	return state && (!strcmp(state, "running") || !strcmp(state, "paused") ||
			 !strcmp(state, "restarting"));
}

int target_pick(const json_t *containers, const char *service, int index, bool running,
		const json_t **ret, struct error *err)
{
	json_t *container;
	size_t i;

	*ret = NULL;
	json_array_foreach(containers, i, container) {
		int64_t number = json_get_int(container, "number", 0);

		if (!str_equal(json_get_string(container, "service"), service) ||
		    json_get_bool(container, "oneoff", false) || (index && number != index) ||
		    (running && !container_is_running(container)))
			continue;
		if (!*ret || number < json_get_int(*ret, "number", 0))
			*ret = container;
	}
	if (*ret)
		return 0;
	if (index)
		return error_set(err, ENOENT, "service \"%s\" is not running container #%d",
				 service, index);
	return error_set(err, ENOENT, "service \"%s\" is not running", service);
}

int target_converge_with(struct project_args *args, const struct target *target,
			 char *const *services, struct converge *converge)
{
	converge->name = target->name;
	converge->project = target->project;
	converge->options.services = services && services[0] ? (const char *const *)services : NULL;
	converge->options.by_label = !target->project;
	return converge_run(args, converge);
}

int target_converge(struct project_args *args, char *const *services, struct converge *converge)
{
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;

	if (target_open(args, services, &target, &err) < 0)
		return output_fail(args, &err);
	return target_converge_with(args, &target, services, converge);
}

int target_wait(const struct target *target, char *const *services,
		bool (*ended)(void *data, const json_t *event), void *data, int *ret_code,
		struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_json_ json_t *arguments = json_object();
	int r;

	json_object_set_new(arguments, "services", json_from_strv(services));
	r = client_request(target->name, CLIENT_START_FOR_STATE, REQUEST_WAIT, arguments, NULL, 0,
			   &client, err);
	while (r >= 0) {
		_cleanup_json_ json_t *event = NULL;

		r = client_next(client, &event, NULL, NULL, err);
		if (r <= 0)
			return r;
		if (!json_object_get(event, "exit_code"))
			continue;
		*ret_code = (int)json_get_int(event, "exit_code", 0);
		if (ended && !ended(data, event))
			return 0;
	}
	return r;
}

const char *target_short_name(const char *project, const char *container)
{
	size_t length = strlen(project);

	if (!strncmp(container, project, length) &&
	    (container[length] == '-' || container[length] == '_') && container[length + 1])
		return container + length + 1;
	return container;
}
