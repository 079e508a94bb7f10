// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/usage.h"

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/client.h"
#include "compose/control/requests.h"

static json_t *selected(const json_t *containers, char *const *services, bool all, json_t *time)
{
	_cleanup_json_ json_t *sorted = target_sort(containers, services);
	json_t *result = json_array(), *container;
	size_t i;

	json_array_foreach(sorted, i, container) {
		if (all || json_get_bool(container, "running", false)) {
			json_object_set(container, "time", time);
			json_array_append(result, container);
		}
	}
	return result;
}

int usage_fetch(const struct target *target, char *const *services, bool all, json_t **ret,
		struct error *err)
{
	_cleanup_json_ json_t *reply = NULL;
	int r = client_call(target->name, CLIENT_START_FOR_STATE, REQUEST_USAGE, NULL, &reply, err);

	if (r == -ENOENT) {
		error_clear(err);
		*ret = json_pack("{s:[]}", "containers");
		return 0;
	}
	if (r < 0)
		return r;
	json_object_set_new(reply, "containers",
			    selected(json_object_get(reply, "containers"), services, all,
				     json_object_get(reply, "time")));
	*ret = TAKE_PTR(reply);
	return 0;
}

static json_t *picked(const json_t *containers, const char *id)
{
	json_t *result = json_array(), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		if (str_equal(json_get_string(container, "id"), id))
			json_array_append(result, container);
	}
	return result;
}

int usage_of_container(const json_t *container, json_t **ret, struct error *err)
{
	const struct target target = {.name = (char *)json_get_string(container, "project")};
	int r = usage_fetch(&target, NULL, true, ret, err);

	if (r >= 0)
		json_object_set_new(*ret, "containers",
				    picked(json_object_get(*ret, "containers"),
					   json_get_string(container, "id")));
	return r;
}
