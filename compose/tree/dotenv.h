/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_DOTENV_H
#define COMPOSE_TREE_DOTENV_H

/*
 * dotenv.h - .env and env_file: VAR=VALUE, VAR: VALUE, `export VAR=...`, VAR alone, comments,
 * single quotes (literal) and double quotes (escapes and variables), either over several lines.
 */

#include "compose/tree/interpolate.h"

#define DOTENV_SIZE_MAX (4 << 20)

struct dotenv {
	const struct interpolation *with; /* the shell's and earlier files' variables */
	bool raw;                         /* `format: raw`: the line as it stands */
	/* A @value of NULL: the name stood alone and @with does not know it either. */
	void (*add)(void *data, const char *key, const char *value);
	void *data;
};

/* Parses source->text; earlier lines are visible to later ones, after what @with knows. */
int dotenv_parse(const struct dotenv *dotenv, const struct source *source, struct error *err);

#endif
