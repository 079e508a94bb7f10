// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `berth systemd status`: how a project's unit is, and what of it is no longer as the project's
 * files would have it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/systemd/systemd.h"
#include "compose/cli/systemd/systemd_files.h"
#include "compose/cli/systemd/systemd_parts.h"
#include "compose/cli/systemd/systemd_unit.h"
#include "compose/cli/view/output.h"
#include "compose/control/systemd_bus.h"

static bool user;
static const char *format;

static const struct option status_options[] = {
	{"format", 0, OPTION_STRING, &format, "string", "\"json\" rather than lines for people"},
	{"user", 0, OPTION_FLAG, &user, NULL, "The unit of this user"},
	{NULL},
};

DEFINE_CLEANUP(struct systemd_bus *, systemd_bus_close);
DEFINE_CLEANUP(struct project *, project_free);

static json_t *state_json(const char *name, const char *unit,
			  const struct systemd_unit_state *state, char *const *warnings)
{
	json_t *row = json_object();

	json_put_string(row, "Project", name);
	json_put_string(row, "Unit", unit);
	json_put_string(row, "UnitFileState", state->file_state);
	json_put_string(row, "ActiveState", state->active);
	json_put_string(row, "SubState", state->sub);
	json_put_string(row, "Result", state->result);
	json_put_string(row, "StatusText", state->status);
	json_put_string(row, "FragmentPath", state->fragment);
	json_put_int(row, "MainPID", state->main_pid);
	json_put_int(row, "NRestarts", state->restarts);
	json_object_set_new(row, "Warnings", json_from_strv(warnings));
	return row;
}

static void print_state(const char *unit, const struct systemd_unit_state *state)
{
	bool enabled = !strcmp(state->file_state, "enabled");

	printf("%s: %s, %s (%s)\n", unit, enabled ? "enabled" : "not enabled", state->active,
	       state->sub);
	if (state->status[0])
		printf("  %s\n", state->status);
	if (state->result[0] && strcmp(state->result, "success") != 0)
		printf("  result: %s; see journalctl %s-u %s\n", state->result,
		       user ? "--user " : "", unit);
	if (state->main_pid)
		printf("  keeper: process %u\n", state->main_pid);
}

/* As the unit would find it. */
static int load_as_unit(struct project_args *args, const char *name, const char *folder,
			char *const *environment, struct project **ret, struct error *err)
{
	int r;

	strv_foreach(row, environment) {
		const char *value = strchr(row, '=');
		_cleanup_free_ char *key =
			value ? alloc_string_n(row, (size_t)(value - row)) : NULL;

		if (key && str_starts_with(key, "COMPOSE_"))
			(void)setenv(key, value + 1, 1);
		if (key && !strcmp(key, "BERTH_PROJECT_DIRECTORY"))
			args->project_directory = value + 1;
	}
	if (chdir(folder) < 0)
		return error_errno(err, "its folder %s", folder);
	free(args->working_dir);
	args->working_dir = alloc_string(folder);
	args->project_name = name;
	r = project_args_load(args, NULL, ret, err);
	args->project_directory = NULL;
	return r;
}

static char **warnings_of(struct project_args *args, struct systemd_bus *bus, const char *name,
			  const char *unit)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	_cleanup_free_ char *units = systemd_files_units(user), *path = systemd_files_program();
	const struct systemd_program program = systemd_program_of(path);
	_cleanup_free_ char *folder = NULL, *stale = NULL;
	_cleanup_strv_ char **environment = NULL;
	struct error err = ERROR_INIT;
	char **warnings = NULL;

	if (systemd_bus_unit_place(bus, unit, &folder, &environment, &err) < 0 ||
	    load_as_unit(args, name, folder, environment, &project, &err) < 0) {
		strv_take(&warnings, str_printf("the unit would not start the project: %s%s%s",
						err.where, err.where[0] ? ": " : "", err.message));
		return warnings;
	}
	stale = systemd_parts_stale(units, project, &program);
	if (stale)
		strv_take(&warnings,
			  str_printf("%s: not as the project has it now; write them anew with "
				     "\"berth systemd enable\"",
				     stale));
	return warnings;
}

static int run_status(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	_cleanup_free_ char *name = NULL, *unit = NULL;
	_cleanup_strv_ char **warnings = NULL;
	_cleanup_json_ json_t *row = NULL;
	struct systemd_unit_state state;
	struct error err = ERROR_INIT;
	int r = systemd_files_name(args, argc ? argv[0] : NULL, &name, &err);

	if (r == 0 && !systemd_booted())
		r = error_set(&err, EHOSTDOWN, "this machine does not run systemd");
	if (r == 0)
		r = systemd_bus_open(user, &bus, &err);
	if (r < 0)
		return output_fail(args, &err);
	unit = systemd_unit_name(name);
	if (systemd_bus_unit_state(bus, unit, &state, &err) < 0)
		return output_fail(args, &err);
	warnings = warnings_of(args, bus, name, unit);
	row = state_json(name, unit, &state, warnings);
	if (str_equal(format, "json"))
		printf("%s\n", output_value(row));
	else
		print_state(unit, &state);
	strv_foreach(warning, warnings)
		fprintf(stderr, "warning: %s\n", warning);
	/* As systemctl has it: 3 for what does not run. */
	return !strcmp(state.active, "active") || !strcmp(state.active, "reloading") ? 0 : 3;
}

const struct command command_systemd_status = {
	.name = "status",
	.operands = "[OPTIONS] [PROJECT]",
	.summary = "How the project's unit is",
	.options = status_options,
	.max_operands = 1,
	.outside = true,
	.run = run_status,
};
