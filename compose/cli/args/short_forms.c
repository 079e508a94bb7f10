// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/short_forms.h"

#include <stdlib.h>
#include <string.h>

#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/load/load.h"

static const struct {
	const char *name, *path;
} forms[] = {
	{"attach", "container attach"},   {"build", "image build"},
	{"commit", "container commit"},   {"cp", "container cp"},
	{"create", "container create"},   {"exec", "container exec"},
	{"export", "container export"},   {"images", "image ls"},
	{"kill", "container kill"},       {"logs", "container logs"},
	{"pause", "container pause"},     {"port", "container port"},
	{"ps", "container ls"},           {"pull", "image pull"},
	{"push", "image push"},           {"restart", "container restart"},
	{"rm", "container rm"},           {"run", "container run"},
	{"start", "container start"},     {"stats", "container stats"},
	{"stop", "container stop"},       {"top", "container top"},
	{"unpause", "container unpause"}, {"wait", "container wait"},
};

/* Words of docker that no command for projects has taken: they mean the same everywhere. */
static const struct {
	const char *name, *path;
} docker_words[] = {
	{"diff", "container diff"}, {"history", "image history"},
	{"import", "image import"}, {"info", "system info"},
	{"load", "image load"},     {"rename", "container rename"},
	{"rmi", "image rm"},        {"save", "image save"},
	{"tag", "image tag"},       {"update", "container update"},
};

/* Those that are commands of both; and what is called otherwise. */
static const struct {
	const char *name, *path;
} docker_groups[] = {
	{"builder", "builder"},      {"buildx", "builder"}, {"container", "container"},
	{"events", "system events"}, {"image", "image"},    {"inspect", "inspect"},
	{"login", "login"},          {"logout", "logout"},  {"network", "network"},
	{"search", "search"},        {"system", "system"},  {"volume", "volume"},
};

const char *short_form_docker(const char *name)
{
	array_foreach(word, docker_words)
		if (!strcmp(word->name, name))
			return word->path;
	return NULL;
}

static const char *path_of(const struct command *command)
{
	array_foreach(form, forms)
		if (!strcmp(form->name, command->name))
			return form->path;
	return NULL;
}

const char *short_form_called_docker(const char *name)
{
	array_foreach(group, docker_groups)
		if (!strcmp(group->name, name))
			return group->path;
	array_foreach(form, forms)
		if (!strcmp(form->name, name))
			return form->path;
	return short_form_docker(name);
}

static void list_form(const char *name, const char *path, FILE *out)
{
	fprintf(out, "  %-10s   %s\n", name, short_form_command(path)->summary);
}

void short_forms_list(FILE *out)
{
	array_foreach(group, docker_groups)
		list_form(group->name, group->path, out);
	array_foreach(form, forms)
		list_form(form->name, form->path, out);
	array_foreach(word, docker_words)
		list_form(word->name, word->path, out);
}

const struct command *short_form_command(const char *path)
{
	_cleanup_strv_ char **words = strv_split(path, " ");
	const struct command *const *list = commands;
	const struct command *command = NULL;

	strv_foreach(word, words) {
		command = command_find(list, word);
		list = command->children;
	}
	return command;
}

static bool has_operand(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (argv[i][0] != '-')
			return true;
	return false;
}

const char *short_form_of(const struct command *command, int argc, char **argv)
{
	const char *path = path_of(command);

	/* Its own help tells of the other. */
	if (!path || (argc && !strcmp(argv[0], "--help")))
		return NULL;
	return short_form_command(path)->min_operands && !has_operand(argc, argv) ? NULL : path;
}

bool short_forms_project(struct project_args *args)
{
	const char *variable = getenv("COMPOSE_PROJECT_NAME");
	struct error broken = ERROR_INIT;
	struct load_options options;

	/* Where these are wrong, the command itself says so. */
	if (args->project_name || args->project_directory || (variable && *variable) ||
	    project_args_finish(args, &broken) < 0)
		return true;
	project_args_load_options(args, &options);
	return load_finds_files(&options);
}

char *short_form_help(const struct command *command)
{
	const char *path =
		command_find(commands, command->name) == command ? path_of(command) : NULL;

	if (!path)
		return NULL;
	return str_printf(
		"Where no compose file is found it is `berth %s`, with docker's flags and "
		"the names of %s.",
		path, str_starts_with(path, "image") ? "images" : "containers");
}
