// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"

static const char *protocol = "tcp";
static int container_index;

static const struct option options[] = {
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{"protocol", 0, OPTION_STRING, &protocol, "string", "tcp (default) or udp"},
	{NULL},
};

static void print_address(const char *url, int64_t published)
{
	printf(strchr(url, ':') ? "[%s]:%jd\n" : "%s:%jd\n", url, (intmax_t)published);
}

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
		print_address(url, published);
		return true;
	}
	return false;
}

/* Which ports there are: ": 80/tcp, 53/udp"; "" where there is none. */
static char *ports_text(const json_t *container)
{
	const json_t *publishers = json_object_get(container, "publishers");
	_cleanup_strv_ char **list = NULL;
	_cleanup_free_ char *joined = NULL;
	json_t *publisher;
	size_t i;

	json_array_foreach(publishers, i, publisher) {
		_cleanup_free_ char *port =
			str_printf("%d/%s", (int)json_get_int(publisher, "target", 0),
				   json_get_string(publisher, "protocol") ?: "tcp");

		if (json_get_int(publisher, "published", 0) && !strv_contains(list, port))
			strv_append(&list, port);
	}
	joined = strv_join(list, ", ");
	return list ? str_printf(": %s", joined) : alloc_string("");
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *there = NULL;
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
	    target_pick(containers, argv[0], container_index, true, &container, &err) < 0)
		return output_fail(args, &err);
	if (print_port(container, port))
		return 0;
	there = ports_text(container);
	error_set(&err, ENOENT, "no port %ld/%s for container %s%s", port, protocol,
		  json_get_string(container, "name") ?: argv[0], there);
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

/* All of them as "80/tcp -> 0.0.0.0:8080"; of @wanted ("80/tcp") only where that leads. */
static bool print_container(const json_t *container, const char *wanted)
{
	json_t *row;
	size_t i;
	bool found = false;

	json_array_foreach(json_object_get(container, "publishers"), i, row) {
		int64_t published = json_get_int(row, "published", 0);
		_cleanup_free_ char *port = str_printf("%d/%s", (int)json_get_int(row, "target", 0),
						       json_get_string(row, "protocol") ?: "tcp");

		if (!published || (wanted && strcmp(wanted, port) != 0))
			continue;
		if (!wanted)
			printf("%s -> ", port);
		print_address(json_get_string(row, "url") ?: "", published);
		found = true;
	}
	return found;
}

static int run_container(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *wanted = NULL;
	_cleanup_json_ json_t *container = NULL;
	struct error err = ERROR_INIT;

	if (argc > 1)
		wanted = strchr(argv[1], '/') ? alloc_string(argv[1])
					      : str_printf("%s/tcp", argv[1]);
	if (machine_find(argv[0], &container, &err) < 0)
		return output_fail(args, &err);
	if (print_container(container, wanted) || !wanted)
		return 0;
	error_set(&err, ENOENT, "no public port '%s' published for %s", wanted, argv[0]);
	return output_fail(args, &err);
}

const struct command command_container_port = {
	.name = "port",
	.operands = "CONTAINER [PRIVATE_PORT[/PROTOCOL]]",
	.summary = "Show where a container's ports can be reached",
	.min_operands = 1,
	.max_operands = 2,
	.run = run_container,
};
