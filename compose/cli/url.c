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

#define HTTP  80
#define HTTPS 443

static int container_index;

static const struct option options[] = {
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{NULL},
};

/* The address to go to: what is published everywhere is reached by the loopback address. */
static const char *host_of(const char *address)
{
	if (!address[0] || !strcmp(address, "0.0.0.0"))
		return "127.0.0.1";
	return !strcmp(address, "::") ? "::1" : address;
}

static bool is_better(const json_t *row, const json_t *than)
{
	int64_t port = json_get_int(row, "target", 0), other = json_get_int(than, "target", 0);

	/* Of one port the first address: IPv4 stands before IPv6. */
	return !than || port < other;
}

/* The publisher of @port, 0: of the lowest one. Borrowed; NULL: there is none. */
static const json_t *find(const json_t *container, long port)
{
	const json_t *found = NULL;
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(container, "publishers"), i, row)
		if (json_get_int(row, "published", 0) &&
		    str_equal(json_get_string(row, "protocol"), "tcp") &&
		    (!port || json_get_int(row, "target", 0) == port) && is_better(row, found))
			found = row;
	return found;
}

static void print_url(const json_t *row)
{
	const char *host = host_of(json_get_string(row, "url") ?: "");
	int64_t published = json_get_int(row, "published", 0);
	const char *scheme = json_get_int(row, "target", HTTP) == HTTPS ? "https" : "http";

	printf(strchr(host, ':') ? "%s://[%s]:%jd\n" : "%s://%s:%jd\n", scheme, host,
	       (intmax_t)published);
}

static int parse_port(const char *text, long *ret, struct error *err)
{
	char *end;

	*ret = strtol(text, &end, 10);
	if (end == text || *end || *ret < 1 || *ret > UINT16_MAX)
		return error_set(err, EINVAL, "invalid port: %s", text);
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	char *services[] = {argv[0], NULL};
	struct error err = ERROR_INIT;
	const json_t *container, *row;
	long port = 0;

	if ((argc > 1 && parse_port(argv[1], &port, &err) < 0) ||
	    target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0 ||
	    target_pick(containers, argv[0], container_index, true, &container, &err) < 0)
		return output_fail(args, &err);
	row = find(container, port);
	if (row) {
		print_url(row);
		return 0;
	}
	if (port)
		error_set(&err, ENOENT, "container %s publishes no port %ld: add it to `ports`",
			  json_get_string(container, "name") ?: argv[0], port);
	else
		error_set(&err, ENOENT, "container %s publishes no port: add one to `ports`",
			  json_get_string(container, "name") ?: argv[0]);
	return output_fail(args, &err);
}

const struct command command_url = {
	.name = "url",
	.operands = "[OPTIONS] SERVICE [PRIVATE_PORT]",
	.summary = "Show the URL of a published port: the lowest one, unless said",
	.options = options,
	.min_operands = 1,
	.max_operands = 2,
	.run = run,
};
