// SPDX-License-Identifier: GPL-2.0-or-later
/* `alpha generate`: a compose file from containers that are there, from what they were made of. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_record.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/model/emit.h"

static const char *format = "yaml", *name, *ignored;

static const struct option options[] = {
	{"format", 0, OPTION_STRING, &format, "string", "yaml (default) or json"},
	{"name", 0, OPTION_STRING, &name, "string", "The project's name in the file"},
	{"project-dir", 0, OPTION_STRING, &ignored, "string", NULL},
	{NULL},
};

/* Takes @key of the project's @section along; two projects may not mean different things by it. */
static int bring(json_t *file, const json_t *project, const char *section, const char *key,
		 struct error *err)
{
	const json_t *meant = json_object_get(json_object_get(project, section), key);
	json_t *there;

	if (!meant)
		return 0;
	there = json_object_get(json_object_at(file, section), key);
	if (there && !json_equal(there, meant))
		return error_set(err, EEXIST,
				 "%s.%s is not the same for all of these containers: make a file "
				 "for each project",
				 section, key);
	json_object_set(json_object_at(file, section), key, (json_t *)meant);
	return 0;
}

/* A mapping of keys, or a list of rows with a source. */
static int bring_all(json_t *file, const json_t *project, const char *section, const json_t *used,
		     struct error *err)
{
	const char *key;
	json_t *row;
	size_t i;

	json_object_foreach((json_t *)used, key, row) {
		if (bring(file, project, section, key, err) < 0)
			return -err->code;
	}
	json_array_foreach((json_t *)used, i, row) {
		const char *source = json_get_string(row, "source");

		if (source && bring(file, project, section, source, err) < 0)
			return -err->code;
	}
	return 0;
}

static int add_service(json_t *file, const struct container_record *record, struct error *err)
{
	static const char *const sections[] = {"networks", "volumes", "secrets", "configs"};
	_cleanup_json_ json_t *project = project_to_json(record->project, false);
	json_t *services = json_object_at(file, "services"), *there, *service;
	const char *key = record->service->name;

	service = json_object_get(json_object_get(project, "services"), key);
	there = json_object_get(services, key);
	if (there) {
		/* One more of the same. */
		json_put_int(there, "scale", json_get_int(there, "scale", 1) + 1);
		return 0;
	}
	json_object_del(service, "scale");
	json_object_set(services, key, service);
	array_foreach(section, sections) {
		if (bring_all(file, project, *section, json_object_get(service, *section), err) < 0)
			return -err->code;
	}
	return 0;
}

/* What a service waited for and is not in the file. */
static void drop_absent(json_t *file)
{
	json_t *services = json_object_get(file, "services"), *service, *row;
	const char *key, *other;
	void *next;

	json_object_foreach(services, key, service) {
		json_t *depends = json_object_get(service, "depends_on");

		json_object_foreach_safe(depends, next, other, row)
		{
			if (!json_object_get(services, other))
				json_object_del(depends, other);
		}
		if (depends && !json_object_size(depends))
			json_object_del(service, "depends_on");
	}
}

static int add(json_t *file, const char *word, struct error *err)
{
	_cleanup_container_record_ struct container_record record = {0};
	_cleanup_json_ json_t *container = NULL;

	if (machine_find(word, &container, err) < 0 ||
	    container_record_read(container, &record, err) < 0)
		return -err->code;
	return add_service(file, &record, err);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *file = json_object();
	struct error err = ERROR_INIT;
	bool json = !strcmp(format, "json");
	int r = 0;

	if (!argc)
		r = error_set(&err, EINVAL, "at least one container must be specified");
	else if (!json && strcmp(format, "yaml") != 0)
		r = error_set(&err, EINVAL, "unsupported format \"%s\": there are yaml and json",
			      format);
	json_put_string(file, "name", name);
	for (int i = 0; i < argc && r >= 0; i++)
		r = add(file, argv[i], &err);
	if (r < 0)
		return output_fail(args, &err);
	drop_absent(file);
	r = json ? config_render_json(file, stdout) : config_render_yaml(file, stdout);
	if (r >= 0 && fflush(stdout) == 0)
		return 0;
	error_code(&err, r < 0 ? r : -errno, "write the file");
	return output_fail(args, &err);
}

const struct command command_alpha_generate = {
	.name = "generate",
	.operands = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Make a compose file from containers that are there",
	.options = options,
	.max_operands = -1,
	.run = run,
};
