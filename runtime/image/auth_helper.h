/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_AUTH_HELPER_H
#define RUNTIME_IMAGE_AUTH_HELPER_H

/*
 * auth_helper.h - docker-credential-X: one word as argument, JSON or an address on stdin, JSON on
 * stdout. Waits for the program, which may ask the user something.
 */

#include "runtime/image/auth.h"

/* 1: filled in, 0: it has none for that server. */
int auth_helper_get(const char *helper, const char *server, struct auth_credentials *ret,
		    struct error *err);
int auth_helper_store(const char *helper, const char *server,
		      const struct auth_credentials *credentials, struct error *err);
/* 1: erased, 0: there were none. */
int auth_helper_erase(const char *helper, const char *server, struct error *err);

#endif
