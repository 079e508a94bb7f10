/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_DL_H
#define COMMON_DL_H

/*
 * dl.h - libraries that are opened where they are needed.
 *
 * libarchive and libnftables bring a dozen more libraries with them, whose relocated pages every
 * process pays for that links them; few processes ever call them.
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
 * Opens the library once (*handle stays, and a second call returns at once) and finds all symbols.
 * -ENOENT: it is not installed; the message names the Debian package.
 */
int dl_load(const char *soname, void **handle, const struct dl_symbol *symbols, size_t n,
	    struct error *err);

/* True when the library could be opened; leaves nothing of it behind. */
bool dl_available(const char *soname);

#endif
