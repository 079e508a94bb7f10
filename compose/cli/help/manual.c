// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth __manual DIRECTORY`: a man page for berth and for each of its commands. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/args/short_forms.h"
#include "compose/cli/command.h"
#include "compose/cli/help/help_texts.h"
#include "compose/cli/view/output.h"

/* Text that roff is to leave alone. */
static void put_text(FILE *out, const char *text)
{
	bool at_line_start = true;

	for (const char *p = text; *p; p++) {
		if (at_line_start && (*p == '.' || *p == '\''))
			fputs("\\&", out);
		if (*p == '\\')
			fputs("\\e", out);
		else if (*p == '-')
			fputs("\\-", out);
		else
			fputc(*p, out);
		at_line_start = *p == '\n';
	}
}

static void put_line(FILE *out, const char *text)
{
	put_text(out, text);
	fputc('\n', out);
}

static void put_title(FILE *out, const char *path)
{
	fputs(".TH \"", out);
	for (const char *p = path; *p; p++)
		fputc(*p == ' ' ? '-' : toupper((unsigned char)*p), out);
	fputs("\" \"1\" \"\" \"berth " BERTH_VERSION "\" \"User Commands\"\n", out);
}

static void put_options(FILE *out, const struct option *options)
{
	for (; options && options->name; options++) {
		if (!options->help)
			continue;
		fputs(".TP\n", out);
		if (options->letter)
			fprintf(out, "\\fB\\-%c\\fR, ", options->letter);
		fputs("\\fB\\-\\-", out);
		put_text(out, options->name);
		fputs("\\fR", out);
		if (options->argument) {
			fputs(" \\fI", out);
			put_text(out, options->argument);
			fputs("\\fR", out);
		}
		fputc('\n', out);
		put_line(out, options->help);
	}
}

static void put_list(FILE *out, const struct command *const *list, const char *path)
{
	for (; *list; list++) {
		_cleanup_free_ char *name = NULL;

		if ((*list)->hidden)
			continue;
		name = str_printf("%s-%s", path, (*list)->name);
		for (char *p = name; *p; p++)
			*p = *p == ' ' ? '-' : *p;
		fputs(".TP\n\\fB", out);
		put_text(out, name);
		fputs("\\fR(1)\n", out);
		put_line(out, (*list)->summary);
	}
}

static void put_command(FILE *out, const struct command *command, const char *path)
{
	_cleanup_free_ char *name = str_printf("%s", path);
	const struct help_text *text = help_text_of(path);
	_cleanup_free_ char *form = short_form_help(command);

	for (char *p = name; *p; p++)
		*p = *p == ' ' ? '-' : *p;
	put_title(out, path);
	fprintf(out, ".SH NAME\n");
	put_text(out, name);
	fputs(" \\- ", out);
	put_line(out, command->summary);
	fprintf(out, ".SH SYNOPSIS\n\\fB%s\\fR ", path);
	put_line(out, command->operands);
	fputs(".SH DESCRIPTION\n", out);
	put_line(out, command->summary);
	if (text && text->description) {
		fputs(".PP\n", out);
		put_line(out, text->description);
	}
	if (form) {
		fputs(".PP\n", out);
		put_line(out, form);
	}
	if (command->options)
		fputs(".SH OPTIONS\n", out);
	put_options(out, command->options);
	if (command->children) {
		fputs(".SH COMMANDS\n", out);
		put_list(out, command->children, path);
	}
	if (text) {
		fputs(".SH EXAMPLES\n.nf\n", out);
		put_line(out, text->examples);
		fputs(".fi\n", out);
	}
	fputs(".SH SEE ALSO\n\\fBberth\\fR(1)\n", out);
}

static void put_root(FILE *out)
{
	put_title(out, "berth");
	fputs(".SH NAME\nberth \\- run Compose projects without a daemon\n"
	      ".SH SYNOPSIS\n\\fBberth\\fR [OPTIONS] COMMAND\n"
	      ".SH DESCRIPTION\nReads the compose.yaml of the current folder (or of one above it) "
	      "and runs its services in containers. One small supervisor a project keeps them "
	      "running; there is no daemon.\n"
	      ".SH OPTIONS\n",
	      out);
	put_options(out, project_options);
	fputs(".SH COMMANDS\n", out);
	put_list(out, commands, "berth");
	fputs(".SH EXIT STATUS\n0, or 1 for every error of berth's own; 130 when interrupted. exec "
	      "and run give the program's own code, 126 or 127 when there is none to run.\n"
	      ".SH ENVIRONMENT\nCOMPOSE_FILE, COMPOSE_PROJECT_NAME, COMPOSE_PROFILES, "
	      "COMPOSE_ENV_FILES, COMPOSE_PROGRESS, COMPOSE_ANSI, COMPOSE_REMOVE_ORPHANS, "
	      "COMPOSE_IGNORE_ORPHANS, COMPOSE_PARALLEL_LIMIT, COMPOSE_MENU, COMPOSE_STATUS_STDOUT "
	      "and NO_COLOR mean what they mean to docker compose. BERTH_ROOT and "
	      "BERTH_RUNTIME_DIR move berth's own folders; BERTH_PORTS is up's --ports.\n"
	      ".SH FILES\n/var/lib/berth, /run/berth\n",
	      out);
}

static int write_page(const char *directory, const struct command *command, const char *path,
		      struct error *err)
{
	_cleanup_free_ char *file = NULL, *name = str_printf("%s", path);
	_cleanup_fclose_ FILE *out = NULL;

	for (char *p = name; *p; p++)
		*p = *p == ' ' ? '-' : *p;
	file = str_printf("%s/%s.1", directory, name);
	out = fopen(file, "we");
	if (!out)
		return error_errno(err, "%s", file);
	if (command)
		put_command(out, command, path);
	else
		put_root(out);
	return ferror(out) ? error_errno(err, "%s", file) : 0;
}

static int write_all(const char *directory, const struct command *const *list, const char *path,
		     struct error *err)
{
	for (; *list; list++) {
		_cleanup_free_ char *name = str_printf("%s %s", path, (*list)->name);

		if ((*list)->hidden)
			continue;
		if (write_page(directory, *list, name, err) < 0 ||
		    ((*list)->children && write_all(directory, (*list)->children, name, err) < 0))
			return -err->code;
	}
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	if (write_page(argv[0], NULL, "berth", &err) < 0 ||
	    write_all(argv[0], commands, "berth", &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_manual = {
	.name = "__manual",
	.operands = "DIRECTORY",
	.summary = "Write the man pages into a directory",
	.min_operands = 1,
	.max_operands = 1,
	.hidden = true,
	.outside = true,
	.run = run,
};
