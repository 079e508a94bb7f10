/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_PORTABLE_H
#define COMPOSE_LOAD_PORTABLE_H

/*
 * portable.h - the files of a project as they travel: what `publish` sends away.
 *
 * Each is what the user wrote, byte for byte, but that the names of files beside it (of extends and
 * env_file) become names that do not depend on where it stands: digits and .yaml or .env.
 */

#include <stddef.h>

#include "common/error.h"

#include "compose/load/options.h"

enum portable_kind { PORTABLE_COMPOSE, PORTABLE_EXTENDED, PORTABLE_ENVIRONMENT };

struct portable_file {
	enum portable_kind kind;
	char *path; /* absolute: where it is from */
	char *name; /* without a folder */
	char *text;
	size_t size;
};

struct portable {
	struct portable_file *files; /* the project's own first, in their order */
	size_t count;
};

/*
 * *ret is the caller's, to be released with portable_done(), and filled as far as it went after a
 * failure. What cannot travel (a project that is included from a file, stdin) is refused with its
 * place. An env_file that need not be there, and is not, stays as it is.
 */
int load_portable(const struct load_options *options, struct portable *ret, char **ret_report,
		  struct error *err);
void portable_done(struct portable *portable);

#endif
