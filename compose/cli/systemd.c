// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/output.h"
#include "compose/cli/project_args.h"
#include "compose/cli/systemd_bus.h"
#include "compose/cli/systemd_parts.h"
#include "compose/cli/systemd_unit.h"
#include "compose/control/requests.h"

#define TEMPLATE       "berth@.service"
#define DROPIN         "project.conf"
#define TEXT_BYTES_MAX (1 << 20)

static bool user, now;
static const char *format;

static const struct option change_options[] = {
	{"now", 0, OPTION_FLAG, &now, NULL, "Start or stop it as well"},
	{"user", 0, OPTION_FLAG, &user, NULL, "A unit of this user rather than of the machine"},
	{NULL},
};
static const struct option status_options[] = {
	{"format", 0, OPTION_STRING, &format, "string", "\"json\" rather than lines for people"},
	{"user", 0, OPTION_FLAG, &user, NULL, "The unit of this user"},
	{NULL},
};
static const struct option unit_options[] = {
	{"user", 0, OPTION_FLAG, &user, NULL, "The one for users' units"},
	{NULL},
};

DEFINE_CLEANUP(struct systemd_bus *, systemd_bus_close);
DEFINE_CLEANUP(struct project *, project_free);

static char *user_config(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && config[0] == '/')
		return alloc_string(config);
	return str_printf("%s/.config", home && home[0] == '/' ? home : "");
}

/* Where units of the administrator (the user) stand. */
static char *unit_folder(void)
{
	_cleanup_free_ char *config = user ? user_config() : NULL;

	return user ? str_printf("%s/systemd/user", config) : alloc_string("/etc/systemd/system");
}

/* Where a project is that has no drop-in. */
static char *default_folder(const char *project)
{
	_cleanup_free_ char *config = user ? user_config() : alloc_string("/etc");

	return str_printf("%s/berth/%s", config, project);
}

static bool has_compose_file(const char *folder)
{
	static const char *const names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
					    "docker-compose.yaml"};

	array_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s/%s", folder, *name);

		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static char *own_program(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return alloc_string("/usr/bin/berth");
	path[n] = 0;
	return alloc_string(path);
}

static int write_unit(const char *folder, const char *name, const char *text, struct error *err)
{
	_cleanup_close_ int dir = fs_mkdir_path(folder, 0755, err);

	if (dir < 0)
		return dir;
	if (fs_replace(dir, name, text, strlen(text), FS_DURABLE, err) < 0)
		return error_wrap(err, "%s/%s", folder, name);
	return 0;
}

/* One that a package brought, or that somebody wrote, stays as it is. */
static bool template_is_there(const char *own)
{
	static const char *const folders[] = {"/usr/local/lib/systemd", "/usr/lib/systemd",
					      "/lib/systemd"};
	_cleanup_free_ char *path = str_printf("%s/" TEMPLATE, own), *text = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_read(AT_FDCWD, path, TEXT_BYTES_MAX, &text, NULL, &ignored) >= 0)
		return !str_starts_with(text, SYSTEMD_UNIT_MARK);
	array_foreach(folder, folders) {
		_cleanup_free_ char *packaged =
			str_printf("%s/%s/" TEMPLATE, *folder, user ? "user" : "system");

		if (access(packaged, F_OK) == 0)
			return true;
	}
	return false;
}

static int install_template(const char *folder, struct error *err)
{
	_cleanup_free_ char *program = own_program(), *text = NULL;

	if (template_is_there(folder))
		return 0;
	text = systemd_unit_template(program, user);
	return write_unit(folder, TEMPLATE, text, err);
}

static char **absolute_paths(const struct project_args *args, char *const *paths)
{
	char **list = NULL;

	strv_foreach(path, paths) {
		strv_take(&list, path[0] == '/' ? alloc_string(path)
						: str_printf("%s/%s", args->working_dir, path));
	}
	return list;
}

static char **words_of(char *const *given, const char *variable)
{
	const char *value = getenv(variable);

	return given ? strv_dup(given) : strv_split(value ? value : "", ",");
}

/* By flags and variables, which the unit will not have; what is in the folder it finds itself. */
static char *dropin_text(const struct project_args *args, const struct project *project)
{
	const char *root = getenv("BERTH_ROOT"), *variable = getenv("COMPOSE_FILE");
	_cleanup_strv_ char **given = words_of(args->env_files, "COMPOSE_ENV_FILES");
	_cleanup_strv_ char **env_files = absolute_paths(args, given);
	_cleanup_strv_ char **profiles = words_of(args->profiles, "COMPOSE_PROFILES");
	const struct systemd_place place = {
		.folder = project->working_dir,
		.files = args->files || (variable && variable[0]) ? project->config_files : NULL,
		.env_files = env_files,
		.profiles = profiles,
		.project_directory = args->project_directory ? project->working_dir : NULL,
		.root = root && root[0] ? paths_root() : NULL,
		.runtime = getenv("BERTH_RUNTIME_DIR") ? paths_runtime() : NULL,
	};

	return systemd_unit_dropin(&place);
}

static int write_dropin(struct project_args *args, const char *units, const char *wanted,
			struct project **ret, struct error *err)
{
	struct project *project;
	_cleanup_free_ char *folder = NULL, *unit = NULL, *text = NULL;
	int r;

	/* The same name that the unit will say. */
	if (wanted)
		args->project_name = wanted;
	r = project_args_load(args, NULL, ret, err);
	if (r < 0)
		return r;
	project = *ret;
	if (args->files && strv_contains(args->files, "-"))
		return error_set(err, EINVAL,
				 "a unit cannot read its compose file from standard input");
	unit = systemd_unit_name(project->name);
	folder = str_printf("%s/%s.d", units, unit);
	text = dropin_text(args, project);
	return write_unit(folder, DROPIN, text, err);
}

/* The project of this folder, unless it is one that has its place in /etc/berth. */
static int place_project(struct project_args *args, const char *units, const char *wanted,
			 struct project **ret, struct error *err)
{
	_cleanup_free_ char *folder = wanted ? default_folder(wanted) : NULL, *dropin = NULL;
	int r;

	if (wanted && project_args_check_name(wanted, err) < 0)
		return -err->code;
	if (!wanted || args->files || args->project_directory || !has_compose_file(folder))
		return write_dropin(args, units, wanted, ret, err);
	dropin = str_printf("%s/berth@%s.service.d/" DROPIN, units, wanted);
	if (unlink(dropin) < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, "remove %s", dropin);
	/* As the unit will find it, whatever folder this is. */
	args->project_name = wanted;
	args->project_directory = folder;
	(void)unsetenv("COMPOSE_FILE");
	r = project_args_load(args, NULL, ret, err);
	args->project_directory = NULL;
	return r;
}

/* What [Install] says, where there is no systemd to ask (an image that is being built). */
static int link_wanted(const char *units, const char *unit, bool wanted, struct error *err)
{
	_cleanup_free_ char *folder =
		str_printf("%s/%s.target.wants", units, user ? "default" : "multi-user");
	_cleanup_free_ char *path = str_printf("%s/%s", folder, unit);
	_cleanup_close_ int dir = wanted ? fs_mkdir_path(folder, 0755, err) : -EBADF;
	struct stat st;
	const char *to = "../" TEMPLATE;

	if (wanted && dir < 0)
		return dir;
	if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR)
		return error_errno(err, "remove %s", path);
	if (wanted && fstatat(dir, to, &st, 0) < 0)
		to = user ? "/usr/lib/systemd/user/" TEMPLATE : "/usr/lib/systemd/system/" TEMPLATE;
	if (wanted && symlink(to, path) < 0)
		return error_errno(err, "enable %s", path);
	return 0;
}

static int install_subgroup(struct systemd_bus *bus, const char *units, struct error *err)
{
	_cleanup_free_ char *folder = str_printf("%s/" TEMPLATE ".d", units);
	int version = systemd_bus_version(bus, err);

	if (version < SYSTEMD_SUBGROUP_SINCE)
		return version < 0 ? version : 0;
	return write_unit(folder, "subgroup.conf", systemd_unit_subgroup, err);
}

/* Reads the units anew, enables or disables this one, and with --now starts or stops it. */
static int tell_systemd(const char *units, const char *unit, bool enable, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	int r;

	if (!systemd_booted())
		return link_wanted(units, unit, enable, err);
	r = systemd_bus_open(user, &bus, err);
	if (r == 0 && enable)
		r = install_subgroup(bus, units, err);
	if (r == 0 && !enable && now)
		r = systemd_bus_stop(bus, unit, err);
	if (r == 0)
		r = systemd_bus_reload(bus, err);
	if (r == 0)
		r = enable ? systemd_bus_enable(bus, unit, err)
			   : systemd_bus_disable(bus, unit, err);
	if (r == 0)
		r = systemd_bus_reload(bus, err);
	if (r == 0 && enable && now && systemd_bus_start(bus, unit, err) < 0)
		return error_wrap(err, "see journalctl %s-u %s", user ? "--user " : "", unit);
	return r;
}

static int install_parts(const char *units, const struct project *project, struct error *err)
{
	_cleanup_free_ char *program = own_program();
	const char *root = getenv("BERTH_ROOT");

	return systemd_parts_write(units, project, program, root && root[0] ? paths_root() : NULL,
				   getenv("BERTH_RUNTIME_DIR") ? paths_runtime() : NULL, err);
}

/* A unit that is enabled and cannot run would only be found out at the next boot. */
static int may_enable(struct error *err)
{
	if (user && geteuid() != 0)
		return error_set(err, EPERM,
				 "berth needs root, so that a unit of yours could not start the "
				 "project: enable one of the machine (sudo berth systemd enable)");
	if (user)
		return error_set(err, EINVAL,
				 "units of a user cannot start projects, for berth needs root: "
				 "enable one of the machine, without --user");
	if (geteuid() != 0)
		return error_set(err, EPERM,
				 "enabling a unit needs root (sudo berth systemd enable)");
	return 0;
}

static int run_enable(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	_cleanup_free_ char *units = unit_folder(), *unit = NULL;
	struct error err = ERROR_INIT;

	if (may_enable(&err) < 0)
		return output_fail(args, &err);
	if (place_project(args, units, argc ? argv[0] : NULL, &project, &err) < 0 ||
	    install_template(units, &err) < 0 || install_parts(units, project, &err) < 0)
		return output_fail(args, &err);
	unit = systemd_unit_name(project->name);
	if (now && !systemd_booted()) {
		error_set(&err, EHOSTDOWN, "--now: this machine does not run systemd");
		return output_fail(args, &err);
	}
	if (tell_systemd(units, unit, true, &err) < 0)
		return output_fail(args, &err);
	printf("%s enabled%s\n", unit, now ? " and started" : "");
	return 0;
}

/* Timers that wait would begin jobs of a project that is no unit any more. */
static int remove_parts(const char *units, const char *name, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	_cleanup_strv_ char **removed = NULL;
	struct error ignored = ERROR_INIT;
	int r = systemd_parts_remove(units, name, &removed, err);

	if (r < 0 || !removed || !systemd_booted())
		return r;
	r = systemd_bus_open(user, &bus, err);
	strv_foreach(unit, removed) {
		if (r == 0 && !str_ends_with(unit, ".service"))
			(void)systemd_bus_stop(bus, unit, &ignored);
	}
	return r == 0 ? systemd_bus_reload(bus, err) : r;
}

/* The name as given, else the folder's; an unreadable file is no reason not to disable it. */
static int find_name(struct project_args *args, int argc, char **argv, char **ret_name,
		     struct error *err)
{
	struct load_options options;

	if (argc) {
		*ret_name = alloc_string(argv[0]);
		return project_args_check_name(argv[0], err);
	}
	project_args_load_options(args, &options);
	return load_project_name(&options, ret_name, err);
}

static int run_disable(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *units = unit_folder(), *name = NULL, *unit = NULL, *folder = NULL;
	_cleanup_free_ char *dropin = NULL;
	struct error err = ERROR_INIT;

	if (find_name(args, argc, argv, &name, &err) < 0)
		return output_fail(args, &err);
	unit = systemd_unit_name(name);
	folder = str_printf("%s/%s.d", units, unit);
	dropin = str_printf("%s/" DROPIN, folder);
	/* While it runs, its stop still needs the drop-in. */
	if (tell_systemd(units, unit, false, &err) < 0)
		return output_fail(args, &err);
	if (unlink(dropin) < 0 && errno != ENOENT)
		error_errno(&err, "remove %s", dropin);
	else if (remove_parts(units, name, &err) == 0)
		(void)rmdir(folder);
	if (err.code)
		return output_fail(args, &err);
	printf("%s disabled%s\n", unit, now ? " and stopped" : "");
	return 0;
}

static json_t *state_json(const char *name, const char *unit,
			  const struct systemd_unit_state *state)
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

static int run_status(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	_cleanup_free_ char *name = NULL, *unit = NULL;
	_cleanup_json_ json_t *row = NULL;
	struct systemd_unit_state state;
	struct error err = ERROR_INIT;
	int r = find_name(args, argc, argv, &name, &err);

	if (r == 0 && !systemd_booted())
		r = error_set(&err, EHOSTDOWN, "this machine does not run systemd");
	if (r == 0)
		r = systemd_bus_open(user, &bus, &err);
	if (r < 0)
		return output_fail(args, &err);
	unit = systemd_unit_name(name);
	if (systemd_bus_unit_state(bus, unit, &state, &err) < 0)
		return output_fail(args, &err);
	row = state_json(name, unit, &state);
	if (str_equal(format, "json"))
		printf("%s\n", output_value(row));
	else
		print_state(unit, &state);
	/* As systemctl has it: 3 for what does not run. */
	return !strcmp(state.active, "active") || !strcmp(state.active, "reloading") ? 0 : 3;
}

static int run_unit(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *program = argc ? alloc_string(argv[0]) : own_program();
	_cleanup_free_ char *text = systemd_unit_template(program, user);

	fputs(text, stdout);
	return 0;
}

static const struct command command_enable = {
	.name = "enable",
	.operands = "[OPTIONS] [PROJECT]",
	.summary = "Have the project of this folder, or of /etc/berth/PROJECT, started at boot",
	.options = change_options,
	.max_operands = 1,
	.outside = true,
	.run = run_enable,
};

static const struct command command_disable = {
	.name = "disable",
	.operands = "[OPTIONS] [PROJECT]",
	.summary = "Undo what enable did",
	.options = change_options,
	.max_operands = 1,
	.outside = true,
	.run = run_disable,
};

static const struct command command_status = {
	.name = "status",
	.operands = "[OPTIONS] [PROJECT]",
	.summary = "How the project's unit is",
	.options = status_options,
	.max_operands = 1,
	.outside = true,
	.run = run_status,
};

static const struct command command_unit = {
	.name = "unit",
	.operands = "[OPTIONS] [PROGRAM]",
	.summary = "Print the template unit, berth@.service, that calls PROGRAM",
	.options = unit_options,
	.max_operands = 1,
	.outside = true,
	.run = run_unit,
};

static const struct command *const children[] = {
	&command_disable,      &command_enable,         &command_systemd_reload,
	&command_systemd_run,  &command_systemd_settle, &command_status,
	&command_systemd_stop, &command_unit,           NULL,
};

const struct command command_systemd = {
	.name = "systemd",
	.operands = "COMMAND",
	.summary = "Projects as units of systemd: berth@PROJECT.service",
	.children = children,
	.stop_at_operand = true,
	.max_operands = -1,
};
