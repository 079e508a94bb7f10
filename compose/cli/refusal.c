// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/refusal.h"

#include <errno.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/view/output.h"

bool refusal_of(enum plan_goal goal, const char *name, const json_t *container, struct error *err)
{
	bool runs = container_is_running(container);
	bool paused = str_equal(json_get_string(container, "state"), "paused");

	if (goal == PLAN_KILL && !runs)
		error_set(err, ESRCH, "cannot kill container: %s: container is not running", name);
	else if (goal == PLAN_PAUSE && paused)
		error_set(err, EALREADY, "container %s is already paused", name);
	else if (goal == PLAN_PAUSE && !runs)
		error_set(err, ESRCH, "container %s is not running", name);
	else if (goal == PLAN_UNPAUSE && !paused)
		error_set(err, EALREADY, "container %s is not paused", name);
	return err->code != 0;
}

int refusal_or_converge(struct project_args *args, char *const *services, struct converge *converge)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	struct error err = ERROR_INIT;
	int refused = 0, r;
	json_t *container;
	size_t i;

	if (target_open(args, services, &target, &err) < 0 ||
	    target_containers_brief(&target, services, &containers, &err) < 0)
		return output_fail(args, &err);
	json_array_foreach(containers, i, container) {
		const char *name = json_get_string(container, "name");

		error_clear(&err);
		if (container_is_running(container) && !json_get_bool(container, "oneoff", false) &&
		    refusal_of(converge->options.goal, name, container, &err))
			refused = output_fail(args, &err);
	}
	r = target_converge_with(args, &target, services, converge);
	return r ?: refused;
}
