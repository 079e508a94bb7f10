// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/args/short_forms.h"
#include "compose/cli/command.h"
#include "compose/cli/help/docker_name.h"
#include "compose/cli/help/help_texts.h"
#include "compose/cli/rootless/rootless.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

/* One a line, so that two that are added side by side do not meet. */
/* clang-format off */
extern const struct command command_alpha;
extern const struct command command_attach;
extern const struct command command_bridge;
extern const struct command command_build;
extern const struct command command_builder;
extern const struct command command_commit;
extern const struct command command_complete;
extern const struct command command_completion;
extern const struct command command_config;
extern const struct command command_container;
extern const struct command command_cp;
extern const struct command command_create;
extern const struct command command_down;
extern const struct command command_events;
extern const struct command command_exec;
extern const struct command command_export;
extern const struct command command_graph;
extern const struct command command_image;
extern const struct command command_images;
extern const struct command command_inspect;
extern const struct command command_job;
extern const struct command command_kill;
extern const struct command command_login;
extern const struct command command_logout;
extern const struct command command_logs;
extern const struct command command_ls;
extern const struct command command_manual;
extern const struct command command_pause;
extern const struct command command_plan;
extern const struct command command_port;
extern const struct command command_ps;
extern const struct command command_publish;
extern const struct command command_pull;
extern const struct command command_push;
extern const struct command command_restart;
extern const struct command command_rm;
extern const struct command command_run;
extern const struct command command_scale;
extern const struct command command_search;
extern const struct command command_start;
extern const struct command command_stats;
extern const struct command command_stop;
extern const struct command command_supervisor;
extern const struct command command_timeline;
extern const struct command command_top;
extern const struct command command_unpause;
extern const struct command command_up;
extern const struct command command_url;
extern const struct command command_version;
extern const struct command command_volumes;
extern const struct command command_network;
extern const struct command command_system;
extern const struct command command_systemd;
extern const struct command command_volume;
extern const struct command command_wait;
extern const struct command command_watch;

const struct command *const commands[] = {
	&command_alpha,
	&command_attach,
	&command_bridge,
	&command_build,
	&command_builder,
	&command_commit,
	&command_complete,
	&command_completion,
	&command_config,
	&command_container,
	&command_cp,
	&command_create,
	&command_down,
	&command_events,
	&command_exec,
	&command_export,
	&command_graph,
	&command_image,
	&command_images,
	&command_inspect,
	&command_job,
	&command_kill,
	&command_login,
	&command_logout,
	&command_logs,
	&command_ls,
	&command_manual,
	&command_network,
	&command_pause,
	&command_plan,
	&command_port,
	&command_ps,
	&command_publish,
	&command_pull,
	&command_push,
	&command_restart,
	&command_rm,
	&command_run,
	&command_scale,
	&command_search,
	&command_start,
	&command_stats,
	&command_stop,
	&command_supervisor,
	&command_system,
	&command_systemd,
	&command_timeline,
	&command_top,
	&command_unpause,
	&command_up,
	&command_url,
	&command_version,
	&command_volume,
	&command_volumes,
	&command_wait,
	&command_watch,
	NULL,
};
/* clang-format on */

const struct command *command_find(const struct command *const *list, const char *name)
{
	for (; *list; list++) {
		_cleanup_strv_ char **aliases = NULL;

		if (!strcmp((*list)->name, name))
			return *list;
		if (!(*list)->aliases)
			continue;
		aliases = strv_split((*list)->aliases, " ");
		if (strv_contains(aliases, name))
			return *list;
	}
	return NULL;
}

static void list_commands(const struct command *const *list)
{
	size_t width = 0;

	for (const struct command *const *c = list; *c; c++)
		if (!(*c)->hidden && strlen((*c)->name) > width)
			width = strlen((*c)->name);
	for (; *list; list++)
		if (!(*list)->hidden)
			printf("  %-*s   %s\n", (int)width, (*list)->name, (*list)->summary);
}

static const char *called_path = "", *called_typed = "";

void commands_called(const char *path, const char *typed)
{
	called_path = path;
	called_typed = typed;
}

/* As the user has typed it; new string. */
static char *typed(const char *path)
{
	size_t length = strlen(called_path);
	bool begins = !strncmp(path, called_path, length) && (!path[length] || path[length] == ' ');

	return begins ? str_printf("%s%s", called_typed, path + length) : alloc_string(path);
}

static void help_root(void)
{
	_cleanup_free_ char *name = typed("berth");

	printf("Usage:  %s [OPTIONS] COMMAND\n\n", name);
	puts("Run Compose projects without a daemon\n\n"
	     "Options:");
	flags_help(project_options, stdout);
	puts("\nCommands:");
	list_commands(commands);
	printf("\nRun '%s COMMAND --help' for more information on a command.\n", name);
}

void command_help(const struct command *command, const char *path)
{
	const struct help_text *text = help_text_of(path);
	_cleanup_free_ char *form = NULL, *name = typed(path);

	if (!command) {
		help_root();
		return;
	}
	printf("Usage:  %s %s\n\n%s\n", name, command->operands, command->summary);
	if (text && text->description)
		printf("\n%s\n", text->description);
	form = short_form_help(command);
	if (form)
		printf("\n%s\n", form);
	if (command->aliases) {
		_cleanup_strv_ char **aliases = strv_split(command->aliases, " ");
		const char *end = strrchr(path, ' ');

		printf("\nAliases:\n  %s", path);
		strv_foreach(alias, aliases)
			printf(", %.*s %s", (int)(end - path), path, alias);
		putchar('\n');
	}
	if (text)
		printf("\nExamples:\n%s\n", text->examples);
	if (command->options) {
		puts("\nOptions:");
		flags_help(command->options, stdout);
	}
	if (command->children) {
		puts("\nCommands:");
		list_commands(command->children);
		printf("\nRun '%s COMMAND --help' for more information on a command.\n", name);
	}
}

static int fail_usage(const struct command *command, const char *path, const struct error *err)
{
	_cleanup_free_ char *name = typed(path);

	output_fail(&project_args, err);
	if (command)
		fprintf(stderr, "\nUsage:  %s %s\n", name, command->operands);
	fprintf(stderr, "\nRun '%s --help' for more information\n", name);
	return 1;
}

static int unknown_command(const struct command *const *list, const char *name, const char *path)
{
	_cleanup_free_ char *parent = typed(path);
	const char *names[64], *meant;
	struct error err = ERROR_INIT;
	size_t n = 0;

	for (; *list && n < ARRAY_SIZE(names); list++)
		names[n++] = (*list)->name;
	meant = str_suggest(name, names, n);
	error_set(&err, EINVAL, "unknown command \"%s\" for \"%s\"", name, parent);
	output_fail(&project_args, &err);
	if (meant)
		fprintf(stderr, "\nDid you mean this?\n\t%s\n", meant);
	fprintf(stderr, "\nRun '%s --help' for usage.\n", parent);
	return 1;
}

static int check_operands(const struct command *command, const char *path, int n, struct error *err)
{
	int min = command->min_operands, max = command->max_operands;
	_cleanup_free_ char *name = typed(path);

	if (n < min && min == max)
		return error_set(err, EINVAL, "\"%s\" requires %d argument%s.", name, min,
				 min == 1 ? "" : "s");
	if (n < min)
		return error_set(err, EINVAL, "\"%s\" requires at least %d argument%s.", name, min,
				 min == 1 ? "" : "s");
	if (max == 0 && n > 0)
		return error_set(err, EINVAL, "\"%s\" accepts no arguments.", name);
	if (max > 0 && n > max)
		return error_set(err, EINVAL, "\"%s\" requires at most %d argument%s.", name, max,
				 max == 1 ? "" : "s");
	return 0;
}

/* As the words came, since reading flags sorts them. Only where berth may start itself again. */
static char **program_argv;

static int run_in_place(const struct command *command, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	if (!command->outside && rootless_enter(program_argv, &err) < 0 &&
	    !(command->reads && access(paths_root(), F_OK) < 0))
		return output_fail(&project_args, &err);
	return command->run(&project_args, argc, argv);
}

int commands_run(const struct command *command, const char *path, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	int n, r;

	if (command->verbatim)
		return run_in_place(command, argc, argv);
	r = flags_parse(command->options, persistent_options,
			command->stop_at_operand || command->children, argc, argv, &n, &err);
	if (r == FLAGS_HELP) {
		command_help(command, path);
		return 0;
	}
	if (r < 0)
		return fail_usage(command, path, &err);
	if (command->children) {
		const struct command *child;
		_cleanup_free_ char *child_path = NULL;

		if (n == 0) {
			command_help(command, path);
			return 0;
		}
		child = command_find(command->children, argv[0]);
		if (!child)
			return unknown_command(command->children, argv[0], path);
		child_path = str_printf("%s %s", path, child->name);
		return commands_run(child, child_path, n - 1, argv + 1);
	}
	if (check_operands(command, path, n, &err) < 0)
		return fail_usage(command, path, &err);
	if (project_args_finish(&project_args, &err) < 0)
		return output_fail(&project_args, &err);
	return run_in_place(command, n, argv);
}

/* `berth help [COMMAND [COMMAND]]` */
static int run_help(int argc, char **argv)
{
	const struct command *const *list = commands;
	const struct command *command = NULL;
	_cleanup_strbuf_ struct strbuf path = {0};

	strbuf_add(&path, "berth");
	for (int i = 0; i < argc && list; i++) {
		const char *form = list == commands ? short_form_docker(argv[i]) : NULL;

		command = form ? short_form_command(form) : command_find(list, argv[i]);
		if (!command)
			return unknown_command(list, argv[i], path.data);
		strbuf_addf(&path, " %s", form ? form : command->name);
		list = command->children;
	}
	command_help(command, path.data);
	return 0;
}

int command_main_of_projects(int argc, char **argv)
{
	bool projects = argc > 0 && !strcmp(argv[0], "compose");
	const struct command *command;
	_cleanup_free_ char *path = NULL;
	struct error err = ERROR_INIT;
	const char *form = NULL;
	int n, r;

	r = flags_parse(project_options, NULL, true, argc - projects, argv + projects, &n, &err);
	argv += projects;
	if (r == FLAGS_HELP || (r == 0 && n == 0 && !project_args.version)) {
		command_help(NULL, "berth");
		return 0;
	}
	if (r < 0)
		return fail_usage(NULL, "berth", &err);
	if (n == 0)
		return command_version.run(&project_args, 0, argv);
	if (!strcmp(argv[0], "help"))
		return run_help(n - 1, argv + 1);
	command = command_find(commands, argv[0]);
	if (!projects)
		form = command ? short_form_of(command, n - 1, argv + 1)
			       : short_form_docker(argv[0]);
	if (!command && !form)
		return unknown_command(commands, argv[0], "berth");
	if (form && (!command || !short_forms_project(&project_args)))
		command = short_form_command(form);
	else
		form = command->name;
	path = str_printf("berth %s", form);
	return commands_run(command, path, n - 1, argv + 1);
}

/* Started with one of 0, 1, 2 closed: what is opened later must not become it. */
static void keep_standard_ones(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* A disk that is full under what was printed is a failure, as with any tool. */
static int finish_output(int exit_code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return exit_code;
	fprintf(stderr, "write the output: %s\n", strerror(errno));
	return exit_code ?: 1;
}

int command_main(int argc, char **argv)
{
	keep_standard_ones();
	if (argc < 1)
		return 1;
	if (geteuid() != 0)
		program_argv = strv_dup(argv);
	if (docker_name_of_compose())
		commands_called("berth", "docker-compose");
	return finish_output(docker_name() ? docker_name_main(argc - 1, argv + 1)
					   : command_main_of_projects(argc - 1, argv + 1));
}
