// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/help/docker_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/args/short_forms.h"
#include "compose/cli/command.h"
#include "compose/cli/help/docker_version.h"
#include "compose/cli/view/output.h"

static const char *config, *context, *log_level, *tls_file;
static char **hosts;
static bool ignored, version;

static const struct option options[] = {
	{"config", 0, OPTION_STRING, &config, "string", "The folder of config.json"},
	{"context", 'c', OPTION_STRING, &context, "string", "default: this machine"},
	{"debug", 'D', OPTION_FLAG, &ignored, NULL, NULL},
	{"host", 'H', OPTION_LIST, &hosts, "list", NULL},
	{"log-level", 'l', OPTION_STRING, &log_level, "string", NULL},
	{"tls", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"tlscacert", 0, OPTION_STRING, &tls_file, "string", NULL},
	{"tlscert", 0, OPTION_STRING, &tls_file, "string", NULL},
	{"tlskey", 0, OPTION_STRING, &tls_file, "string", NULL},
	{"tlsverify", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"version", 'v', OPTION_FLAG, &version, NULL, "Show the version"},
	{NULL},
};

bool docker_name(void)
{
	return !strcmp(program_invocation_short_name, "docker");
}

bool docker_name_of_compose(void)
{
	return !strcmp(program_invocation_short_name, "docker-compose");
}

static void help(void)
{
	puts("Usage:  docker [OPTIONS] COMMAND\n\n"
	     "berth, by docker's name: containers of this machine, without an engine\n\n"
	     "Options:");
	flags_help(options, stdout);
	puts("\nCommands:");
	printf("  %-10s   %s\n", "compose", "Run Compose projects: the commands of `berth`");
	short_forms_list(stdout);
	puts("\nRun 'docker COMMAND --help' for more information on a command.");
}

/* What is meant for another machine must not be done on this one. */
static int check_host(const char *host, const char *from, struct error *err)
{
	if (!host || !*host || str_starts_with(host, "unix://") || str_starts_with(host, "fd://"))
		return 0;
	return error_set(err, ENOTSUP,
			 "%s %s: berth has no engine and runs containers on this machine only",
			 from, host);
}

static int check_place(struct error *err)
{
	strv_foreach(host, hosts) {
		if (check_host(host, "--host", err) < 0)
			return -err->code;
	}
	if (!hosts && check_host(getenv("DOCKER_HOST"), "DOCKER_HOST", err) < 0)
		return -err->code;
	if (context && strcmp(context, "default") != 0)
		return error_set(err, ENOTSUP,
				 "--context %s: berth has no engine and runs containers on this "
				 "machine only",
				 context);
	return 0;
}

static int fail(const struct error *err)
{
	output_fail(&project_args, err);
	fputs("\nRun 'docker --help' for more information\n", stderr);
	return 1;
}

static int run_word(int argc, char **argv)
{
	const char *path = short_form_called_docker(argv[0]);
	_cleanup_free_ char *full = path ? str_printf("berth %s", path) : NULL;
	_cleanup_free_ char *typed = str_printf("docker %s", argv[0]);
	struct error err = ERROR_INIT;

	if (!strcmp(argv[0], "version"))
		return commands_run(&command_docker_version, "docker version", argc - 1, argv + 1);
	if (!path) {
		error_set(&err, EINVAL, "docker: unknown command: docker %s", argv[0]);
		return fail(&err);
	}
	commands_called(full, typed);
	return commands_run(short_form_command(path), full, argc - 1, argv + 1);
}

int docker_name_main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	static char *to_help[] = {(char *)"--help", NULL};
	int n, r = flags_parse(options, NULL, true, argc, argv, &n, &err);

	if (r < 0)
		return fail(&err);
	if (version) {
		docker_version_line();
		return 0;
	}
	if (r == FLAGS_HELP || n == 0 || (n == 1 && !strcmp(argv[0], "help"))) {
		help();
		return 0;
	}
	if (config)
		(void)setenv("DOCKER_CONFIG", config, 1);
	if (check_place(&err) < 0)
		return output_fail(&project_args, &err);
	if (!strcmp(argv[0], "compose")) {
		commands_called("berth", "docker compose");
		return command_main_of_projects(n, argv);
	}
	if (strcmp(argv[0], "help") != 0)
		return run_word(n, argv);
	/* `docker help run`, `docker help image rm`. */
	argv[n] = to_help[0];
	return run_word(n, argv + 1);
}
