// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_names.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static int check(const json_t *containers, const char *name, struct error *err)
{
	struct error none = ERROR_INIT;
	json_t *other;

	if (!container_name_is_valid(name))
		return error_set(err, EINVAL,
				 "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
				 "allowed",
				 name);
	if (machine_pick(containers, name, &other, &none) >= 0 &&
	    str_equal(json_get_string(other, "name"), name))
		return error_set(err, EEXIST,
				 "container name \"%s\" is already in use by container %.12s", name,
				 json_get_string(other, "id"));
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *containers = NULL, *request = json_object();
	struct error err = ERROR_INIT;
	json_t *container;

	if (machine_containers(true, &containers, &err) < 0 ||
	    machine_pick(containers, argv[0], &container, &err) < 0 ||
	    check(containers, argv[1], &err) < 0)
		return output_fail(args, &err);
	if (args->dry_run) {
		printf("rename container %s to %s (asked for)\n",
		       json_get_string(container, "name"), argv[1]);
		return 0;
	}
	json_put_string(request, "container", json_get_string(container, "id"));
	json_put_string(request, "name", argv[1]);
	if (client_call(json_get_string(container, "project"), CLIENT_START_FOR_STATE,
			REQUEST_RENAME, request, NULL, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_container_rename = {
	.name = "rename",
	.operands = "CONTAINER NEW_NAME",
	.summary = "Give a container another name",
	.min_operands = 2,
	.max_operands = 2,
	.run = run,
};
