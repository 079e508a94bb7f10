/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_DETACH_KEYS_H
#define COMPOSE_CLI_DETACH_KEYS_H

/*
 * detach_keys.h - the keys that leave a program running and its terminal alone: ctrl-p,ctrl-q,
 * unless said.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/str.h"

#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"
#define DETACH_KEYS_MAX     16

struct detach_keys {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t count, matched;
};

/* "a", "ctrl-a" to "ctrl-z" and ctrl-@ [ \ ] ^ _, separated by commas; NULL: the default. */
int detach_keys_parse(const char *text, struct detach_keys *ret, struct error *err);

/*
 * Appends to @out what of the @size bytes typed is for the program. What may be the beginning of
 * the sequence is held back until it is clear. True: the sequence is complete.
 */
bool detach_keys_filter(struct detach_keys *keys, const char *typed, size_t size,
			struct strbuf *out);

#endif
