/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_URL_H
#define RUNTIME_IMAGE_URL_H

/*
 * url.h - what is asked of URLs that a registry sends: where they lead, and whether that is the
 * same place. libcurl reads them, as it will when it goes there.
 */

#include <stdbool.h>

#include "common/error.h"

struct url {
	char *text;      /* whole */
	char *scheme;    /* "http" or "https": others are refused */
	char *authority; /* "host" or "host:port", no default port */
};

/* @reference may be relative to @base (NULL: it has to be absolute). url_done() releases. */
int url_resolve(const char *base, const char *reference, struct url *ret, struct error *err);
void url_done(struct url *url);

/* Scheme, host and port are the same: what may be said to one may be said to the other. */
bool url_same_origin(const struct url *a, const struct url *b);
/* Percent-encodes all but unreserved characters. New string. */
char *url_escape(const char *text);

#endif
