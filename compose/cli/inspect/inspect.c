// SPDX-License-Identifier: GPL-2.0-or-later

/* `berth inspect`, of anything that has a name, and `container inspect`. */
#include "compose/cli/inspect/inspect.h"

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/inspect/inspect_parts.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"

static const char *format, *type;
static bool size;

static const struct option options[] = {
	{"format", 'f', OPTION_STRING, &format, "string",
	 "json, or a template such as '{{.State.Status}}'"},
	{"size", 's', OPTION_FLAG, &size, NULL, "With the bytes that a container takes"},
	{"type", 't', OPTION_STRING, &type, "string", "Only container, image, network or volume"},
	{NULL},
};

static const struct option container_only[] = {
	{"format", 'f', OPTION_STRING, &format, "string",
	 "json, or a template such as '{{.State.Status}}'"},
	{"size", 's', OPTION_FLAG, &size, NULL, "With the bytes that it takes"},
	{NULL},
};

static int inspect_one(const char *name, json_t **ret, struct error *err)
{
	_cleanup_container_record_ struct container_record record = {0};
	_cleanup_json_ json_t *container = NULL;

	if (machine_find(name, &container, err) < 0 ||
	    container_record_read(container, &record, err) < 0)
		return -err->code;
	*ret = inspect_container(&record, size);
	return 0;
}

/* In the order in which docker looks. */
static const struct {
	const char *type;
	int (*inspect)(const char *name, json_t **ret, struct error *err);
} kinds[] = {
	{"container", inspect_one},
	{"image", inspect_image},
	{"network", inspect_network},
	{"volume", inspect_volume},
};

static int inspect_any(const char *name, json_t **ret, struct error *err)
{
	array_foreach(kind, kinds) {
		int r;

		if (type && !str_equal(type, kind->type))
			continue;
		error_clear(err);
		r = kind->inspect(name, ret, err);
		if (r != -ENOENT || type)
			return r;
	}
	return error_set(err, ENOENT, "No such object: %s", name);
}

static int check_type(struct error *err)
{
	array_foreach(kind, kinds)
		if (!type || str_equal(type, kind->type))
			return 0;
	return error_set(err, EINVAL,
			 "\"%s\" is not a valid value for --type: there are container, image, "
			 "network and volume",
			 type);
}

int inspect_each(struct project_args *args, char *const *names, const char *by_format,
		 int (*inspect)(const char *name, json_t **ret, struct error *err))
{
	_cleanup_json_ json_t *rows = json_array();
	struct error err = ERROR_INIT;
	int exit_code = 0;

	strv_foreach(name, names) {
		json_t *row = NULL;

		error_clear(&err);
		if (inspect(name, &row, &err) < 0)
			exit_code = output_fail(args, &err);
		else
			json_array_append_new(rows, row);
	}
	error_clear(&err);
	return output_inspected(rows, by_format, &err) < 0 ? output_fail(args, &err) : exit_code;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	if (check_type(&err) < 0)
		return output_fail(args, &err);
	return inspect_each(args, argv, format, inspect_any);
}

static int run_container(struct project_args *args, int argc, char **argv)
{
	return inspect_each(args, argv, format, inspect_one);
}

const struct command command_inspect = {
	.name = "inspect",
	.operands = "[OPTIONS] NAME|ID [NAME|ID...]",
	.summary = "Show all that is known of containers, images, networks or volumes",
	.options = options,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};

const struct command command_container_inspect = {
	.name = "inspect",
	.operands = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Show all that is known of containers",
	.options = container_only,
	.min_operands = 1,
	.max_operands = -1,
	.run = run_container,
};
