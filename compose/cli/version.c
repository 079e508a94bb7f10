// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#include "compose/cli/command.h"
#include "compose/cli/output.h"
#include "compose/cli/project_args.h"

static const char *format = "";
static bool only_number;

static const struct option options[] = {
	{"format", 'f', OPTION_STRING, &format, "string", "pretty (default) or json"},
	{"short", 0, OPTION_FLAG, &only_number, NULL, "Only the number"},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	if (only_number)
		puts(BERTH_VERSION);
	else if (!strcmp(format, "json"))
		puts("{\"version\":\"" BERTH_VERSION "\"}");
	else if (!format[0] || !strcmp(format, "pretty"))
		puts("berth version " BERTH_VERSION);
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
