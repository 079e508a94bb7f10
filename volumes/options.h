/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VOLUMES_OPTIONS_H
#define VOLUMES_OPTIONS_H

/*
 * options.h - driver_opts of the local driver: type, o and device, as mount(8) has them, for the
 * kernel's mount API.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct mount_words {
	bool mounted;        /* there is something to mount at all */
	char *type, *device; /* type NULL: a bind */
	bool bind, recursive;
	uint64_t set, clear; /* MOUNT_ATTR_* */
	uint64_t propagation;
	char **parameters;  /* the file system's own: "key=value" or "flag" */
	int64_t size_bytes; /* o: size=...: -1 when unset */
	char *address;      /* o: addr=... of nfs and cifs, a name or a number */
};

/* @options: object of strings, or NULL. mount_words_done() is due also after a failure. */
int mount_words_parse(const json_t *options, struct mount_words *ret, struct error *err);
void mount_words_done(struct mount_words *words);

/* A detached mount of what the words say. */
int mount_words_mount(const struct mount_words *words, struct error *err);

#endif
