// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/output.h"
#include "compose/cli/target.h"

static const char *protocol = "tcp";
static int container_index;

static const struct option options[] = {
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{"protocol", 0, OPTION_STRING, &protocol, "string", "tcp (default) or udp"},
	{NULL},
};

static bool print_port(const json_t *container, long target)
{
	const json_t *publishers = json_object_get(container, "publishers");
	json_t *publisher;
	size_t i;

	json_array_foreach(publishers, i, publisher) {
		const char *url = json_get_string(publisher, "url") ?: "";
		int64_t published = json_get_int(publisher, "published", 0);

		if (json_get_int(publisher, "target", 0) != target || !published ||
		    !str_equal(json_get_string(publisher, "protocol"), protocol))
			continue;
		printf("%s%s%s:%jd\n", strchr(url, ':') ? "[" : "", url,
		       strchr(url, ':') ? "]" : "", (intmax_t)published);
		return true;
	}
	return false;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	char *services[] = {argv[0], NULL};
	struct error err = ERROR_INIT;
	const json_t *container;
	char *end;
	long port = strtol(argv[1], &end, 10);

	if (end == argv[1] || *end || port < 1 || port > 65535) {
		error_set(&err, EINVAL, "invalid port: %s", argv[1]);
		return output_fail(args, &err);
	}
	if (target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0 ||
	    target_pick(containers, argv[0], container_index, false, &container, &err) < 0)
		return output_fail(args, &err);
	if (print_port(container, port))
		return 0;
	error_set(&err, ENOENT, "no port %ld/%s for container %s", port, protocol,
		  json_get_string(container, "name") ?: argv[0]);
	return output_fail(args, &err);
}

const struct command command_port = {
	.name = "port",
	.operands = "[OPTIONS] SERVICE PRIVATE_PORT",
	.summary = "Show where a container's port can be reached",
	.options = options,
	.min_operands = 2,
	.max_operands = 2,
	.run = run,
};
