/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_EMIT_TEXT_H
#define COMPOSE_MODEL_EMIT_TEXT_H

/* emit_text.h - what the two forms in which `config` prints have in common. */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/str.h"

void emit_indent(struct strbuf *out, unsigned int depth);

/* To @out; @escape doubles each dollar. 0 or -errno of the stream. */
int emit_write(const struct strbuf *text, bool escape, FILE *out);

struct emit_entry {
	const char *key;
	const json_t *value;
};

/*
 * The entries in the order in which Go's yaml.v3 writes them: those of a map in the natural order
 * of its keys (web2 before web10, A_B before AB), attributes as they stand, extensions behind them.
 * New array of what is borrowed, json_object_size() long.
 */
struct emit_entry *emit_order(const json_t *object);

#endif
