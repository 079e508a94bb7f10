/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_AUTH_CHALLENGE_H
#define RUNTIME_IMAGE_AUTH_CHALLENGE_H

/*
 * auth_challenge.h - the WWW-Authenticate header (RFC 9110, 11.6.1), as registries use it.
 */

#include "common/error.h"

#define AUTH_CHALLENGE_MAX 8192

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
	enum auth_scheme scheme;
	char *realm, *service, *scope, *problem; /* of Bearer; NULL where not given */
};

/*
 * The best of the challenges in these headers: Bearer before Basic. -EBADMSG: there is none that we
 * could answer. auth_challenge_done() releases.
 */
int auth_challenge_parse(char *const *headers, struct auth_challenge *ret, struct error *err);
void auth_challenge_done(struct auth_challenge *challenge);

#endif
