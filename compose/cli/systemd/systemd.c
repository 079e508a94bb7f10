// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/systemd/systemd_environment.h"
#include "compose/cli/systemd/systemd_files.h"
#include "compose/cli/systemd/systemd_parts.h"
#include "compose/cli/systemd/systemd_unit.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"
#include "compose/control/systemd_bus.h"

static bool user, now;

static const struct option change_options[] = {
	{"now", 0, OPTION_FLAG, &now, NULL, "Start or stop it as well"},
	{"user", 0, OPTION_FLAG, &user, NULL, "A unit of this user rather than of the machine"},
	{NULL},
};
static const struct option unit_options[] = {
	{"user", 0, OPTION_FLAG, &user, NULL, "The one for users' units"},
	{NULL},
};

DEFINE_CLEANUP(struct systemd_bus *, systemd_bus_close);
DEFINE_CLEANUP(struct project *, project_free);

/* The units of a project that are enabled, or no more. */
struct unit_set {
	char *service, *socket;
	bool has_sockets;
	bool on_demand; /* only the sockets are there at boot */
};

static void set_done(struct unit_set *set)
{
	free(set->service);
	free(set->socket);
}

static void set_init(struct unit_set *set, const char *name)
{
	*set = (struct unit_set){
		.service = systemd_unit_name(name),
		.socket = systemd_unit_socket_name(name),
	};
}

static int install_subgroup(struct systemd_bus *bus, const char *units, struct error *err)
{
	_cleanup_free_ char *folder = str_printf("%s/" SYSTEMD_TEMPLATE ".d", units);
	int version = systemd_bus_version(bus, err);

	if (version < SYSTEMD_SUBGROUP_SINCE)
		return version < 0 ? version : 0;
	return systemd_files_write(folder, SYSTEMD_SUBGROUP, systemd_unit_subgroup, err);
}

static int link_sockets(const char *units, const struct unit_set *set, struct error *err)
{
	_cleanup_free_ char *to = str_printf("../%s", set->socket);

	return systemd_files_link(units, "sockets.target", set->socket,
				  set->has_sockets ? to : NULL, err);
}

/* What the project that runs listens at itself is systemd's from its next start on. */
static int start_units(struct systemd_bus *bus, const struct unit_set *set, struct error *err)
{
	struct systemd_unit_state state;
	int r = 0;

	if (set->has_sockets) {
		r = systemd_bus_unit_state(bus, set->service, &state, err);
		if (r == 0 && !strcmp(state.active, "inactive"))
			r = systemd_bus_start(bus, set->socket, err);
	}
	if (r == 0 && !set->on_demand)
		r = systemd_bus_start(bus, set->service, err);
	if (r < 0)
		return error_wrap(err, "see journalctl %s-u %s", user ? "--user " : "",
				  set->service);
	return 0;
}

/* Reads the units anew, enables them, and with --now starts them. */
static int enable_units(const char *units, const struct unit_set *set, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	int r = link_sockets(units, set, err);

	if (r == 0 && !systemd_booted())
		return systemd_files_link_template(units, user, set->service, !set->on_demand, err);
	if (r == 0)
		r = systemd_bus_open(user, &bus, err);
	if (r == 0)
		r = install_subgroup(bus, units, err);
	if (r == 0)
		r = systemd_bus_reload(bus, err);
	if (r == 0)
		r = set->on_demand ? systemd_bus_disable(bus, set->service, err)
				   : systemd_bus_enable(bus, set->service, err);
	if (r == 0)
		r = systemd_bus_reload(bus, err);
	return r == 0 && now ? start_units(bus, set, err) : r;
}

/* With --now stops them: first who would start the other once more. */
static int disable_units(const char *units, const struct unit_set *set, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	struct error ignored = ERROR_INIT;
	int r = link_sockets(units, set, err);

	if (r == 0 && !systemd_booted())
		return systemd_files_link_template(units, user, set->service, false, err);
	if (r == 0)
		r = systemd_bus_open(user, &bus, err);
	if (r == 0 && now) {
		(void)systemd_bus_stop(bus, set->socket, &ignored);
		r = systemd_bus_stop(bus, set->service, err);
	}
	if (r == 0)
		r = systemd_bus_disable(bus, set->service, err);
	return r == 0 ? systemd_bus_reload(bus, err) : r;
}

static int install_parts(const char *units, const struct project *project, struct error *err)
{
	_cleanup_free_ char *path = systemd_files_program();
	const struct systemd_program program = systemd_program_of(path);

	return systemd_parts_write(units, project, &program, err);
}

/* A unit that is enabled and cannot run would only be found out at the next boot. */
static int may_change(const char *verb, struct error *err)
{
	if (user && geteuid() == 0)
		return error_set(
			err, EPERM,
			"--user is for units of an ordinary user, and this is root: run it as "
			"that user, or without --user for a unit of the machine");
	if (!user && geteuid() != 0)
		return error_set(
			err, EPERM,
			"a unit of the machine is root's affair: sudo berth systemd %s; one of "
			"your own: berth systemd %s --user",
			verb, verb);
	return 0;
}

/* What most would expect of a unit that is enabled is not so with a user's. */
static void hint_at_linger(void)
{
	const struct passwd *entry = getpwuid(geteuid());
	const char *name = entry ? entry->pw_name : NULL;
	_cleanup_free_ char *path = name ? str_printf("/var/lib/systemd/linger/%s", name) : NULL;

	if (!user || !path || access(path, F_OK) == 0)
		return;
	fprintf(stderr,
		"note: it is started when %s logs in, and stopped when %s has logged out; to have "
		"it "
		"run from boot on, also with nobody logged in: sudo loginctl enable-linger %s\n",
		name, name, name);
}

static void warn_of_environment(const struct project_args *args, const struct project *project)
{
	_cleanup_strv_ char **missing = systemd_environment_missing(args, project, user);
	_cleanup_free_ char *names = missing ? strv_join(missing, ", ") : NULL;

	if (names)
		output_warn("the unit will not have what this shell has in %s, and make another "
			    "project of the same files: write it into %s/.env",
			    names, project->working_dir);
}

static void say_enabled(const struct unit_set *set)
{
	if (set->on_demand)
		printf("%s enabled%s: the first connection starts %s\n", set->socket,
		       now ? " and started" : "", set->service);
	else
		printf("%s enabled%s\n", set->service, now ? " and started" : "");
}

static int run_enable(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	_cleanup_(set_done) struct unit_set set = {0};
	_cleanup_free_ char *units = systemd_files_units(user);
	struct error err = ERROR_INIT;

	if (may_change("enable", &err) < 0)
		return output_fail(args, &err);
	if (systemd_files_place(args, units, user, argc ? argv[0] : NULL, &project, &err) < 0 ||
	    systemd_files_template(units, user, &err) < 0 ||
	    install_parts(units, project, &err) < 0)
		return output_fail(args, &err);
	warn_of_environment(args, project);
	set_init(&set, project->name);
	set.has_sockets = systemd_parts_has_sockets(project);
	set.on_demand = systemd_parts_on_demand(project);
	if (now && !systemd_booted()) {
		error_set(&err, EHOSTDOWN, "--now: this machine does not run systemd");
		return output_fail(args, &err);
	}
	if (enable_units(units, &set, &err) < 0)
		return output_fail(args, &err);
	say_enabled(&set);
	hint_at_linger();
	return 0;
}

/* What waits would begin jobs of a project that is no unit any more, or the project itself. */
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
		if (r == 0 && (str_ends_with(unit, ".timer") || str_ends_with(unit, ".socket")))
			(void)systemd_bus_stop(bus, unit, &ignored);
	}
	return r == 0 ? systemd_bus_reload(bus, err) : r;
}

/*
 * Of the last project. One that runs needs the template still, to be stopped by it; not so @ending
 * (may be NULL), which is about to have been.
 */
static int remove_template(struct systemd_bus *bus, const char *units, const char *ending,
			   struct error *err)
{
	int r = bus ? systemd_bus_any_active(bus, "berth@*", ending, err) : 0;

	return r ? r : systemd_files_remove_template(units, err);
}

static int remove_files(const char *units, const char *name, bool runs, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	int r = runs ? 0 : systemd_files_remove_place(units, name, err);

	if (r == 0 && systemd_booted())
		r = systemd_bus_open(user, &bus, err);
	if (r == 0)
		r = remove_template(bus, units, NULL, err);
	return r > 0 && bus ? systemd_bus_reload(bus, err) : r;
}

int systemd_settle_disabled(bool of_user, const char *project, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	_cleanup_free_ char *units = systemd_files_units(of_user);
	_cleanup_free_ char *unit = systemd_unit_name(project);
	int r = 0;

	if (!systemd_files_place_ends(units, project))
		return 0;
	if (systemd_booted())
		r = systemd_bus_open(of_user, &bus, err);
	if (r == 0 && bus)
		r = systemd_bus_any_active(bus, unit, unit, err);
	if (r == 0)
		r = systemd_files_remove_place(units, project, err);
	/* systemd forgets the unit by itself once it is stopped. */
	if (r == 0)
		r = remove_template(bus, units, unit, err);
	return r < 0 ? r : 0;
}

/* Without --now it goes on, and its stop needs the drop-in: 1. */
static int keep_running(const char *units, const char *name, const char *service, struct error *err)
{
	_cleanup_(cleanup_systemd_bus_close) struct systemd_bus *bus = NULL;
	int r;

	if (now || !systemd_booted())
		return 0;
	r = systemd_bus_open(user, &bus, err);
	if (r == 0)
		r = systemd_bus_any_active(bus, service, NULL, err);
	if (r > 0 && systemd_files_end_place(units, name, err) < 0)
		return -err->code;
	return r;
}

static int run_disable(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *units = systemd_files_units(user), *name = NULL;
	_cleanup_(set_done) struct unit_set set = {0};
	struct error err = ERROR_INIT;
	int runs;

	if (may_change("disable", &err) < 0 ||
	    systemd_files_name(args, argc ? argv[0] : NULL, &name, &err) < 0)
		return output_fail(args, &err);
	set_init(&set, name);
	runs = keep_running(units, name, set.service, &err);
	if (runs < 0 || disable_units(units, &set, &err) < 0 ||
	    remove_parts(units, name, &err) < 0 || remove_files(units, name, runs, &err) < 0)
		return output_fail(args, &err);
	printf("%s disabled%s\n", set.service, now ? " and stopped" : "");
	if (runs)
		fprintf(stderr, "note: it runs on, until systemctl %sstop %s\n",
			user ? "--user " : "", set.service);
	return 0;
}

static int run_unit(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *program = argc ? alloc_string(argv[0]) : systemd_files_program();
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
	&command_systemd_run,  &command_systemd_settle, &command_systemd_status,
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
