// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/help/docker_name.h"
#include "compose/cli/view/output.h"

static const char *format = "";
static bool only_number;

static const struct option options[] = {
	{"format", 'f', OPTION_STRING, &format, "string", "pretty (default) or json"},
	{"short", 0, OPTION_FLAG, &only_number, NULL, "Only the number"},
	{NULL},
};

/* Whose commands and flags these are. Scripts that ask `docker-compose version` want to know that.
 */
#define COMPOSE_VERSION "5.0.0"

struct version {
	const char *number, *json, *pretty;
};

static const struct version berth = {
	BERTH_VERSION,
	BERTH_VERSION,
	"berth version " BERTH_VERSION,
};
static const struct version compose = {
	COMPOSE_VERSION,
	"v" COMPOSE_VERSION,
	"Docker Compose version v" COMPOSE_VERSION " (berth " BERTH_VERSION ")",
};

static int run(struct project_args *args, int argc, char **argv)
{
	bool called = docker_name_of_compose() || docker_name();
	const struct version *version = called ? &compose : &berth;
	struct error err = ERROR_INIT;

	if (only_number)
		puts(version->number);
	else if (!strcmp(format, "json"))
		printf("{\"version\":\"%s\"}\n", version->json);
	else if (!format[0] || !strcmp(format, "pretty"))
		puts(version->pretty);
	else
		return error_set(&err, EINVAL, "format value \"%s\" could not be parsed", format),
		       output_fail(args, &err);
	return 0;
}

const struct command command_version = {
	.name = "version",
	.operands = "[OPTIONS]",
	.summary = "Show the version",
	.options = options,
	.outside = true,
	.run = run,
};
