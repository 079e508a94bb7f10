// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/usage.h"

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/client.h"
#include "compose/control/requests.h"

static json_t *selected(const json_t *containers, char *const *services, bool all)
{
	_cleanup_json_ json_t *sorted = target_sort(containers, services);
	json_t *result = json_array(), *container;
	size_t i;

	json_array_foreach(sorted, i, container) {
		if (all || json_get_bool(container, "running", false))
			json_array_append(result, container);
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
			    selected(json_object_get(reply, "containers"), services, all));
	*ret = TAKE_PTR(reply);
	return 0;
}
