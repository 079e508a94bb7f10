/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_KEEPER_KEEPER_STORE_H
#define COMPOSE_SUPERVISOR_KEEPER_KEEPER_STORE_H

/*
 * keeper_store.h - the descriptors that a keeper holds for its supervisor, by name.
 */

#include <stddef.h>

struct keeper_store {
	struct stored {
		char *name;
		int fd;
	} * items; /* in the order of their names */
	size_t count;
};

/* Pairs the newline-ended @names with @fds (taken); an old one of a name is closed. */
void keeper_store_add(struct keeper_store *store, char *names, const int *fds, size_t count);
/* @name, or with an asterisk at its end all that begin with what is before it. */
void keeper_store_drop(struct keeper_store *store, const char *name);

#endif
