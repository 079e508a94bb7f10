// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth __complete`: what the word being typed may become; see completion.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/args/short_forms.h"
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/help/complete_names.h"
#include "compose/cli/machine.h"
#include "compose/cli/projects.h"

DEFINE_CLEANUP(struct project *, project_free);

struct completing {
	const struct command *command; /* NULL: before it */
	const char *current;
	const char *prefix; /* what stands before it in the same word: "--pull=" */
	bool files;
};

static void offer(const struct completing *completing, const char *word, const char *what)
{
	if (!str_starts_with(word, completing->current))
		return;
	printf(what ? "%s%s\t%s\n" : "%s%s\n", completing->prefix, word, what);
}

static void offer_commands(const struct completing *completing, const struct command *const *list)
{
	for (; *list; list++)
		if (!(*list)->hidden)
			offer(completing, (*list)->name, (*list)->summary);
	if (!completing->command)
		offer(completing, "help", "Tell about a command");
}

static void offer_flags(const struct completing *completing, const struct option *options)
{
	for (; options && options->name; options++) {
		_cleanup_free_ char *word = str_printf("--%s", options->name);

		if (options->help)
			offer(completing, word, options->help);
	}
}

/* The services of the files; of the project's containers where there are none. */
static char **service_names(void)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	_cleanup_free_ char *name = NULL;
	struct error ignored = ERROR_INIT;
	char **names = NULL;

	if (project_args_finish(&project_args, &ignored) < 0 ||
	    project_args_load_or_name(&project_args, NULL, &project, &name, &ignored) < 0)
		return NULL;
	for (size_t i = 0; project && i < project->service_count; i++)
		strv_append(&names, project->services[i].name);
	if (!project) {
		struct target target = {.name = name};
		_cleanup_json_ json_t *containers = NULL;
		json_t *container;
		size_t i;

		if (target_containers(&target, true, NULL, &containers, &ignored) < 0)
			return NULL;
		json_array_foreach(containers, i, container) {
			const char *service = json_get_string(container, "service");

			if (service && !strv_contains(names, service))
				strv_append(&names, service);
		}
	}
	return names;
}

static void offer_services(const struct completing *completing, const char *suffix)
{
	_cleanup_strv_ char **names = service_names();

	strv_foreach(name, names) {
		_cleanup_free_ char *word = str_printf("%s%s", name, suffix);

		offer(completing, word, NULL);
	}
}

static void offer_all(const struct completing *completing, char **names)
{
	strv_foreach(name, names)
		offer(completing, name, NULL);
	strv_free(names);
}

static void offer_containers(const struct completing *completing, const char *suffix)
{
	_cleanup_json_ json_t *containers = NULL;
	struct error ignored = ERROR_INIT;
	json_t *container;
	size_t i;

	if (machine_containers(true, &containers, &ignored) < 0)
		return;
	json_array_foreach(containers, i, container) {
		_cleanup_free_ char *word =
			str_printf("%s%s", json_get_string(container, "name") ?: "", suffix);

		offer(completing, word, json_get_string(container, "image"));
	}
}

static void offer_projects(const struct completing *completing)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;

	if (projects_list(&names, &ignored) < 0)
		return;
	strv_foreach(name, names)
		offer(completing, name, "project");
}

/* Values of flags that are words of a fixed list. */
static const struct {
	const char *flag, *words;
} values[] = {
	{"ansi", "auto always never"},
	{"progress", "auto tty plain json quiet"},
	{"pull", "always missing never"},
	{"rmi", "all local"},
	{"signal", "SIGHUP SIGINT SIGKILL SIGQUIT SIGTERM SIGUSR1 SIGUSR2"},
	{"protocol", "tcp udp"},
	{"status", "created dead exited paused removing restarting running"},
	{"format", "table json"},
	{"attach", "@services"},
	{"no-attach", "@services"},
	{"exit-code-from", "@services"},
	{"scale", "@services="},
	{"project-name", "@projects"},
	{"restart", "no always unless-stopped on-failure"},
};

/* And of those that are names of what there is. */
static const struct {
	const char *flag;
	char **(*names)(void);
} named_values[] = {
	{"network", complete_networks},
	{"profile", complete_profiles},
};

/* What an operand's name in the usage line stands for. */
static const struct {
	const char *operand;
	char **(*names)(void);
} named_operands[] = {
	{"NETWORK", complete_networks},
	{"VOLUME", complete_volumes},
	{"IMAGE", complete_images},
};

static void offer_value(struct completing *completing, const struct option *option)
{
	array_foreach(row, values) {
		_cleanup_strv_ char **words = NULL;

		if (strcmp(row->flag, option->name) != 0)
			continue;
		if (!strcmp(row->words, "@projects"))
			offer_projects(completing);
		else if (row->words[0] == '@')
			offer_services(completing, str_ends_with(row->words, "=") ? "=" : "");
		else
			words = strv_split(row->words, " ");
		strv_foreach(word, words)
			offer(completing, word, NULL);
		return;
	}
	array_foreach(row, named_values) {
		if (strcmp(row->flag, option->name) != 0)
			continue;
		offer_all(completing, row->names());
		return;
	}
	completing->files = true;
}

static const struct option *find_flag(const struct option *options, const char *word)
{
	for (; options && options->name; options++) {
		if (word[1] == '-' && !strcmp(options->name, word + 2))
			return options;
		if (word[1] != '-' && word[1] && options->letter == word[strlen(word) - 1])
			return options;
	}
	return NULL;
}

/* The flag in the word before that waits for its value, or NULL. */
static const struct option *open_flag(const struct option *options, const char *word)
{
	const struct option *option;

	if (!word || word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	option = find_flag(options, word);
	return option && option->kind != OPTION_FLAG ? option : NULL;
}

/* --flag=VALUE, being typed. */
static void offer_value_behind(struct completing *completing, const struct option *options)
{
	const char *equals = strchr(completing->current, '=');
	_cleanup_free_ char *flag = alloc_string_n(completing->current,
						   (size_t)(equals - completing->current)),
			    *prefix = str_printf("%s=", flag);
	const struct option *option = open_flag(options, flag);

	completing->prefix = prefix;
	completing->current = equals + 1;
	if (option)
		offer_value(completing, option);
	completing->prefix = "";
}

/* Of "NETWORK CONTAINER" the first is a network. */
static bool offer_named_operand(struct completing *completing, int before)
{
	const char *operands = completing->command->operands;
	const char *first = operands;

	if (str_starts_with(first, "[OPTIONS] "))
		first += strlen("[OPTIONS] ");
	array_foreach(row, named_operands) {
		if (!str_starts_with(first, row->operand) ||
		    (before > 0 && !strstr(first, "...")) ||
		    (before > 0 && completing->command->stop_at_operand))
			continue;
		offer_all(completing, row->names());
		return true;
	}
	return false;
}

static void offer_operands(struct completing *completing, int before)
{
	const struct command *command = completing->command;

	if (offer_named_operand(completing, before))
		return;

	if (command->stop_at_operand && before > 0)
		completing->files = true;
	else if (strchr(completing->current, ':') &&
		 (strstr(command->operands, "CONTAINER:") || strstr(command->operands, "SERVICE:")))
		return; /* inside of a container */
	else if (strstr(command->operands, "CONTAINER:"))
		completing->files = true, offer_containers(completing, ":");
	else if (strstr(command->operands, "CONTAINER"))
		offer_containers(completing, "");
	else if (strstr(command->operands, "SERVICE:"))
		completing->files = true, offer_services(completing, ":");
	else if (strstr(command->operands, "SERVICE="))
		offer_services(completing, "=");
	else if (strstr(command->operands, "SERVICE"))
		offer_services(completing, "");
	else if (strstr(command->operands, "FILE") || strstr(command->operands, "PATH"))
		completing->files = true;
}

/* Outside of a project. Names are on their way, whatever stands there yet. */
static void take_short_form(struct completing *completing, const struct command *const *list)
{
	char *name[] = {(char *)"x", NULL};
	const char *form = list == commands ? short_form_of(completing->command, 1, name) : NULL;

	if (form && !short_forms_project(&project_args))
		completing->command = short_form_command(form);
}

/* Reads the words before, as running them would, up to the command that they lead to. */
static void complete(struct completing *completing, int argc, char **argv)
{
	const struct option *options = project_options, *waiting = NULL;
	const struct command *const *list = commands;
	struct error ignored = ERROR_INIT;
	int operands = 0, n;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];

		if (waiting) {
			waiting = NULL;
			continue;
		}
		waiting = open_flag(options, word);
		if (word[0] == '-')
			continue;
		if (!list) {
			operands++;
			continue;
		}
		if (!completing->command) {
			/* -f and -p say whose services there are. */
			(void)flags_parse(project_options, NULL, true, i, argv, &n, &ignored);
			if (!strcmp(word, "help"))
				continue;
		}
		completing->command = command_find(list, word);
		if (!completing->command && list == commands && short_form_docker(word))
			completing->command = short_form_command(short_form_docker(word));
		if (!completing->command)
			return;
		take_short_form(completing, list);
		list = completing->command->children;
		options = completing->command->options;
	}
	if (waiting)
		offer_value(completing, waiting);
	else if (str_starts_with(completing->current, "--") && strchr(completing->current, '='))
		offer_value_behind(completing, options);
	else if (completing->current[0] == '-')
		offer_flags(completing, options);
	else if (list)
		offer_commands(completing, list);
	else
		offer_operands(completing, operands);
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct completing completing = {.current = argc ? argv[argc - 1] : "", .prefix = ""};

	complete(&completing, argc > 0 ? argc - 1 : 0, argv);
	printf(":%d\n", completing.files);
	return 0;
}

const struct command command_complete = {
	.name = "__complete",
	.operands = "[WORD...]",
	.summary = "Say what the last word may become",
	.max_operands = -1,
	.verbatim = true,
	.hidden = true,
	.outside = true,
	.run = run,
};
