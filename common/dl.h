/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_DL_H
#define COMMON_DL_H

/*
 * dl.h - libraries that are opened where they are needed.
 *
 * Each library costs every process that links it some 70 usec of its start and pages that it
 * relocates; libarchive, libcurl and libsystemd bring a dozen more with them. A client calls few.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct dl_symbol {
	const char *name;
	void *pointer; /* to the function pointer that is set */
};

/* A row of the table: DL_SYMBOL(nft_new, nft_ctx_new) sets the function pointer nft_new. */
#define DL_SYMBOL(variable, function) ((struct dl_symbol){#function, &(variable)})

/*
 * A library's own names can be kept, so that callers read as ever and its header checks the types:
 * rows X(TYPE, NAME, (PARAMETERS), (ARGUMENTS)) define the functions and, in a table of symbols,
 * where they are found. Nothing may call them before the library is open.
 */
#define DL_DEFINE(type, name, parameters, arguments) \
	static type(*name##_at) parameters;          \
	type name parameters                         \
	{                                            \
		return name##_at arguments;          \
	}
#define DL_DEFINED(type, name, parameters, arguments) {#name, &name##_at},

/*
 * Opens the library once (*handle stays, and a second call returns at once) and finds all symbols.
 * -ENOENT: it is not installed; the message names the Debian package.
 */
int dl_load(const char *soname, void **handle, const struct dl_symbol *symbols, size_t n,
	    struct error *err);

/* True when the library could be opened; leaves nothing of it behind. */
bool dl_available(const char *soname);

#endif
