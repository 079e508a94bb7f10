/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_YAML_HINT_H
#define COMPOSE_TREE_YAML_HINT_H

/*
 * yaml_hint.h - what is likely wrong where YAML cannot be read: a guess from the lines themselves,
 * since the parser says only what it did not expect.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * "; is a colon missing at the end of line 3?", or "" where nothing comes to mind. @problem is
 * libyaml's, of @line (from 1) in @text; what it was reading began in line @opened. Returns
 * @buffer.
 */
const char *yaml_hint(const char *text, uint32_t line, const char *problem, uint32_t opened,
		      char *buffer, size_t size);

#endif
