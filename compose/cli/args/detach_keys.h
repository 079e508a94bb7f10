/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_DETACH_KEYS_H
#define COMPOSE_CLI_ARGS_DETACH_KEYS_H

/*
 * detach_keys.h - the keys that leave a program running and its terminal alone: ctrl-p,ctrl-q,
 * unless said. They are looked for in what is typed at a terminal, never in what comes by a pipe.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/str.h"

#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"
#define DETACH_KEYS_MAX     16

struct detach_keys {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t count;
	size_t matched; /* typed of them, */
	size_t passed;  /* and so many of those the program has been given after all */
};

/*
 * "a", "ctrl-a" to "ctrl-z" and ctrl-@ [ \ ] ^ _, separated by commas.
 * NULL: what config.json says as detachKeys, or else the default.
 */
int detach_keys_parse(const char *text, struct detach_keys *ret, struct error *err);

/*
 * Appends to @out what of the @size bytes typed is for the program. What may be the beginning of
 * the sequence is held back until it is clear. True: the sequence is complete.
 */
bool detach_keys_filter(struct detach_keys *keys, const char *typed, size_t size,
			struct strbuf *out);

/* Milliseconds to poll for before detach_keys_release(): -1 while nothing is held back. */
int detach_keys_timeout(const struct detach_keys *keys);

/*
 * Appends to @out what was held back: whoever pressed ctrl-p for the shell's history is not to
 * wait for it. The sequence still counts as begun.
 */
void detach_keys_release(struct detach_keys *keys, struct strbuf *out);

#endif
