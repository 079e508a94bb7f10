/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_FLAGS_H
#define COMPOSE_CLI_ARGS_FLAGS_H

/*
 * flags.h - a table of flags, read the way docker's commands read theirs (cobra, pflag): --x=v,
 * --x v, -xv, -x v, -x=v, -abc, flags between operands unless told otherwise, "--" ends them.
 */

#include <stdbool.h>
#include <stdio.h>

#include "common/error.h"

enum option_kind {
	OPTION_FLAG,   /* bool *: --x, --x=false */
	OPTION_STRING, /* const char **: the last one wins */
	OPTION_LIST,   /* char ***: each one is appended */
	OPTION_INT,    /* int *: decimal */
};

struct option {
	const char *name; /* without dashes; NULL ends the table */
	char letter;      /* 0: none */
	enum option_kind kind;
	void *value;
	const char *argument; /* its name in the help text, "string" */
	const char *help;     /* NULL: not shown */
	bool *given;          /* becomes true when it is used; may be NULL */
};

/* Asked for by -h or --help in any place. */
#define FLAGS_HELP 1

/*
 * Reads options from argv[0..argc) and moves the operands to its front; their number is in
 * *ret_operands. With @stop_at_operand the first operand ends the options. 0, FLAGS_HELP, or
 * -EINVAL with pflag's words.
 */
int flags_parse(const struct option *options, const struct option *also, bool stop_at_operand,
		int argc, char **argv, int *ret_operands, struct error *err);

/* The table as in a help text. */
void flags_help(const struct option *options, FILE *out);

#endif
