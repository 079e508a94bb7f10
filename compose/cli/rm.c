// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

static bool force, stop, volumes, ignored;

static const struct option options[] = {
	{"all", 'a', OPTION_FLAG, &ignored, NULL, NULL},
	{"force", 'f', OPTION_FLAG, &force, NULL, "Without asking"},
	{"stop", 's', OPTION_FLAG, &stop, NULL, "Stop those that run first"},
	{"volumes", 'v', OPTION_FLAG, &volumes, NULL, "With their anonymous volumes"},
	{NULL},
};

/* Their names, "a, b"; "" for none. */
static char *names_to_remove(const json_t *containers)
{
	struct strbuf names = {0};
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		if ((!stop && container_is_running(container)) ||
		    json_get_bool(container, "oneoff", false))
			continue;
		strbuf_addf(&names, "%s%s", names.length ? ", " : "",
			    json_get_string(container, "name") ?: "");
	}
	return strbuf_take(&names);
}

static bool confirmed(const char *names)
{
	char answer[16] = "";

	fprintf(stderr, "? Going to remove %s Are you sure? [yN] ", names);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		fputc('\n', stderr);
	str_trim(answer);
	return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	_cleanup_free_ char *names = NULL;
	struct error err = ERROR_INIT;
	struct converge converge = {
		.verb = "rm",
		.options = {.goal = PLAN_REMOVE, .timeout_usec = -1},
	};

	if (target_open(args, argv, &target, &err) < 0 ||
	    target_containers(&target, true, argv, &containers, &err) < 0)
		return output_fail(args, &err);
	names = names_to_remove(containers);
	if (!names[0]) {
		fputs("No stopped containers\n", stderr);
		return 0;
	}
	if (!args->dry_run && force)
		printf("Going to remove %s\n", names), fflush(stdout);
	else if (!args->dry_run && !confirmed(names))
		return 0;
	converge.name = target.name;
	converge.project = target.project;
	converge.options.services = argc ? (const char *const *)argv : NULL;
	converge.options.by_label = !target.project;
	converge.options.force_stop = stop;
	converge.options.volumes = volumes;
	return converge_run(args, &converge);
}

const struct command command_rm = {
	.name = "rm",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Remove containers that do not run",
	.options = options,
	.max_operands = -1,
	.run = run,
};
