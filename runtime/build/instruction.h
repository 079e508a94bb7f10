/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_INSTRUCTION_H
#define RUNTIME_BUILD_INSTRUCTION_H

/*
 * instruction.h - one logical line as an instruction: keyword, flags, and its arguments by the
 * form that the keyword has.
 */

#include "runtime/build/lines.h"

struct instruction_reader {
	struct problems *problems;
	struct strbuf *warnings;
	const struct logical_line *line;
	char escape;
	bool trigger; /* an ONBUILD's: no FROM, ONBUILD, MAINTAINER */
};

/* What follows offset @at of the line. False: problems were added. */
bool instruction_read(struct instruction_reader *reader, size_t at, struct instruction *ret);

#endif
