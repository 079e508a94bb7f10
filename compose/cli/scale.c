// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"

static bool no_deps;

static const struct option options[] = {
	{"no-deps", 0, OPTION_FLAG, &no_deps, NULL,
	 "Only these services, without what they depend on"},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {.verb = "scale"};
	_cleanup_strv_ char **services = NULL;
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	strv_foreach(word, argv) {
		const char *equals = strchr(word, '=');

		if (!equals || equals == word || !equals[1])
			error_set(&err, EINVAL, "invalid scale specifier: %s (SERVICE=REPLICAS)",
				  word);
		else if (equals[1 + strspn(equals + 1, "0123456789")])
			error_set(&err, EINVAL,
				  "invalid scale specifier: can't parse replica value as int: %s",
				  word);
		if (err.code)
			return output_fail(args, &err);
		strv_take(&services, alloc_string_n(word, (size_t)(equals - word)));
		strv_append(&up_options.scales, word);
	}
	r = up_options_prepare(args, services, no_deps, &project, &converge);
	if (r == 0)
		r = converge_run(args, &converge);
	up_options_done(&converge);
	project_free(project);
	return r;
}

const struct command command_scale = {
	.name = "scale",
	.operands = "[OPTIONS] SERVICE=REPLICAS...",
	.summary = "Have so many containers of a service",
	.options = options,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};
