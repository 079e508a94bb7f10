// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/layer.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_root.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"

static int container_index;
static const char *output;

static const struct option options[] = {
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{"output", 'o', OPTION_STRING, &output, "string", "Write to this file, not to stdout"},
	{NULL},
};

/* Under a name of its own until it is whole. */
static int export_to_file(int root, struct error *err)
{
	_cleanup_free_ char *temporary = str_printf("%s.new-%d", output, (int)getpid());
	_cleanup_close_ int out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	if (out < 0)
		return error_errno(err, "%s", output);
	r = layer_pack_write(root, NULL, out, err);
	if (r >= 0 && rename(temporary, output) < 0)
		r = error_errno(err, "%s", output);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

static int export(const char *project, const json_t *container, struct error *err)
{
	const char *id = json_get_string(container, "id");
	_cleanup_close_ int root = container_root_layers(project, id, err);

	if (root < 0)
		return root;
	return output ? export_to_file(root, err)
		      : layer_pack_write(root, NULL, STDOUT_FILENO, err);
}

static int check_output(struct error *err)
{
	if (output || !isatty(STDOUT_FILENO))
		return 0;
	return error_set(err, EINVAL,
			 "output option is required when exporting to terminal: -o FILE");
}

static int export_or_tell(struct project_args *args, const char *project, const json_t *container)
{
	struct error err = ERROR_INIT;

	if (args->dry_run) {
		printf("export container %s (asked for)\n", json_get_string(container, "name"));
		return 0;
	}
	return export(project, container, &err) < 0 ? output_fail(args, &err) : 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	char *services[] = {argv[0], NULL};
	const json_t *container = NULL;
	struct error err = ERROR_INIT;

	if (check_output(&err) < 0 || target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0 ||
	    target_pick(containers, argv[0], container_index, false, &container, &err) < 0)
		return output_fail(args, &err);
	return export_or_tell(args, target.name, container);
}

static int run_container(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL;
	struct error err = ERROR_INIT;

	if (check_output(&err) < 0 || machine_find(argv[0], &container, &err) < 0)
		return output_fail(args, &err);
	return export_or_tell(args, json_get_string(container, "project"), container);
}

const struct command command_export = {
	.name = "export",
	.operands = "[OPTIONS] SERVICE",
	.summary = "Write a container's files as a tar archive, without what is mounted there",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

static const struct option container_only[] = {
	{"output", 'o', OPTION_STRING, &output, "string", "Write to this file, not to stdout"},
	{NULL},
};

const struct command command_container_export = {
	.name = "export",
	.operands = "[OPTIONS] CONTAINER",
	.summary = "Write a container's files as a tar archive, without what is mounted there",
	.options = container_only,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_container,
};
