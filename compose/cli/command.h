/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_COMMAND_H
#define COMPOSE_CLI_COMMAND_H

/*
 * command.h - what a command of `berth` is: one file, one constant of this type.
 *
 * A command reads its options from static variables that its options table points to, asks loader
 * and supervisor through project_args.h and client.h, prints results to stdout and everything
 * else to stderr, and returns the exit code.
 */

#include <stdbool.h>
#include <stddef.h>

#include "compose/cli/args/flags.h"

struct project_args;

struct command {
	const char *name;
	const char *aliases;  /* separated by blanks; may be NULL */
	const char *operands; /* "[OPTIONS] [SERVICE...]", behind the name in the usage line */
	const char *summary;  /* one line for the list of commands */
	const struct option *options; /* ends with a row without a name; may be NULL */
	/* How many words may remain when the options are read; max -1: any number. */
	int min_operands, max_operands;
	bool stop_at_operand; /* exec: what follows the first word belongs to the program run */
	bool hidden;
	bool outside;  /* an ordinary user's is not in berth's namespaces: it needs nothing there */
	bool reads;    /* nor must it be, if that user never had anything to read about */
	bool verbatim; /* its words are not read for flags */
	const struct command *const *children; /* a group: NULL-terminated; then run may be NULL */
	int (*run)(struct project_args *args, int argc, char **argv);
};

/* All of them, NULL-terminated, in the order of the help text. */
extern const struct command *const commands[];

/* By name or alias in a NULL-terminated list, or NULL. */
const struct command *command_find(const struct command *const *list, const char *name);

/*
 * Finds the command in argv (argv[0] is the program), reads options and runs it. Exit code.
 * Prints its own errors.
 */
int command_main(int argc, char **argv);

/* The same behind the program's name, for `docker compose` with that word in front. */
int command_main_of_projects(int argc, char **argv);

/*
 * From now on messages say @typed where a path begins with @path: "docker run" for
 * "berth container run". Both borrowed.
 */
void commands_called(const char *path, const char *typed);

/* Reads the words behind @path ("berth image rm") and runs it. Exit code. */
int commands_run(const struct command *command, const char *path, int argc, char **argv);

/* The help text of @command (NULL: of berth itself) on stdout. @path: "berth image". */
void command_help(const struct command *command, const char *path);

#endif
