/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_HELP_HELP_TEXTS_H
#define COMPOSE_CLI_HELP_HELP_TEXTS_H

/*
 * help_texts.h - what there is to say of a command beyond its flags: for its help and its man page.
 */

struct help_text {
	const char *path;        /* "berth up" */
	const char *description; /* paragraphs; NULL: its summary says it */
	const char *examples;    /* lines, "$ command" and what it does */
};

/* Those without a description; ends with a row without a path. */
extern const struct help_text help_examples[];

/* NULL: nothing but its summary. */
const struct help_text *help_text_of(const char *path);

#endif
