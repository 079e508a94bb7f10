/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_ENV_WORDS_H
#define COMPOSE_CLI_ARGS_ENV_WORDS_H

/*
 * env_words.h - what -e and --env-from-file say: KEY=VALUE, or KEY for the value that we have.
 */

#include "common/error.h"

/* Appends KEY=VALUE for each of @words; a KEY that our environment does not know is left out. */
void env_words_add(char ***list, char *const *words);

/* The same from an env file. */
int env_words_read(char ***list, const char *path, struct error *err);

#endif
